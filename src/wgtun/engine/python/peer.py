"""What the Python engine knows of one peer."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

from wgtun.engine.python.session import Slots

if TYPE_CHECKING:
    from wgtun.dataplane import DropReason
    from wgtun.path import Path


class EnginePeer:
    """Path, sessions, staged packets, counters and the timestamps of `dataplane.Activity`."""

    __slots__ = (
        "awaited_index",
        "drops",
        "id",
        "last_received",
        "last_sent",
        "path",
        "refused",
        "rx_bytes",
        "session_requested",
        "slots",
        "staged",
        "tx_bytes",
        "unacknowledged_reported",
        "unacknowledged_since",
        "unanswered_reported",
        "unanswered_since",
    )

    def __init__(self, peer_id: int) -> None:
        self.id = peer_id
        self.path: Path | None = None
        self.refused: tuple[Path, int] | None = None  # and since when; see `dataplane.Engine.refuse_source`
        self.slots = Slots()
        self.staged: deque[bytes] = deque()
        self.session_requested = False
        self.tx_bytes = 0
        self.rx_bytes = 0
        self.last_sent = 0
        self.last_received = 0
        self.unanswered_since = 0
        self.unanswered_reported = False
        self.unacknowledged_since = 0
        self.unacknowledged_reported = False
        self.drops: Counter[DropReason] | None = None  # most peers never need the room
        self.awaited_index: int | None = None  # the sender index of our last handshake message
