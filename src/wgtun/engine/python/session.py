"""A peer's keypairs as the packets see them: counters, replay window, age, and the three slots."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wgtun.constants import PADDING, REJECT_AFTER_MESSAGES
from wgtun.engine.python.replay import ReplayWindow

if TYPE_CHECKING:
    from wgtun.dataplane import Keypair
    from wgtun.engine.python.peer import EnginePeer


class Session:
    """One installed keypair."""

    __slots__ = (
        "aging_reported_on_receive",
        "aging_reported_on_send",
        "created",
        "initiator",
        "local_index",
        "peer",
        "receive",
        "remote_index",
        "replay",
        "send",
        "send_counter",
    )

    def __init__(self, peer: EnginePeer, keypair: Keypair, now: int) -> None:
        self.peer = peer
        self.send = keypair.send
        self.receive = keypair.receive
        self.local_index = keypair.local_index
        self.remote_index = keypair.remote_index
        self.initiator = keypair.initiator
        self.created = now
        self.send_counter = 0
        self.replay = ReplayWindow()
        self.aging_reported_on_send = False
        self.aging_reported_on_receive = False

    def exhaust(self) -> None:
        """Send nothing more; receiving goes on until the key is too old."""
        self.send_counter = REJECT_AFTER_MESSAGES


class Slots:
    """The previous, current and next session of a peer (reference 3.9).

    Each change returns the sessions that fell out.
    """

    __slots__ = ("current", "next", "previous")

    def __init__(self) -> None:
        self.previous: Session | None = None
        self.current: Session | None = None
        self.next: Session | None = None

    def install_as_initiator(self, session: Session) -> list[Session]:
        """The response proved that the other side has the key: use it at once."""
        if self.next is not None:
            dropped = [self.previous, self.current]
            self.previous, self.next = self.next, None
        else:
            dropped = [self.previous]
            self.previous = self.current
        self.current = session
        return [old for old in dropped if old is not None]

    def install_as_responder(self, session: Session) -> list[Session]:
        """Nothing proves yet that the initiator got our response: wait for its first packet."""
        dropped = [self.next, self.previous]
        self.next, self.previous = session, None
        return [old for old in dropped if old is not None]

    def confirm_next(self) -> list[Session]:
        """The first packet under the next session came in."""
        dropped = self.previous
        self.previous, self.current, self.next = self.current, self.next, None
        return [] if dropped is None else [dropped]

    def clear(self) -> list[Session]:
        dropped = [self.previous, self.current, self.next]
        self.previous = self.current = self.next = None
        return [old for old in dropped if old is not None]


def padding_size(size: int, mtu: int) -> int:
    """How many zero bytes a packet of `size` bytes gets: to a multiple of 16, but not past the MTU."""
    if not mtu:
        return -size % PADDING
    last = size if size <= mtu else size % mtu
    return min(last + -last % PADDING, mtu) - last
