"""All peers of one device: who gets which message, event and deadline. Sans-IO.

The owner calls `handle_event` with what the engine reports, `handle_timeout` when
`next_timeout()` has passed, and the other methods as the configuration changes; the control
plane calls the engine.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wgtun.constants import (
    DEFAULT_TIMING,
    TYPE_COOKIE_REPLY,
    TYPE_INITIATION,
    Timing,
)
from wgtun.dataplane import (
    DataUnacknowledged,
    DataUnanswered,
    DropReason,
    EngineFailed,
    HandshakeReceived,
    KeypairRetired,
    SessionAging,
    SessionConfirmed,
    SessionNeeded,
    TunnelRemoved,
)
from wgtun.endpoint import Endpoint
from wgtun.errors import HandshakeError
from wgtun.keys import PublicKey
from wgtun.noise.handshake import ReceivedInitiation
from wgtun.path import Path
from wgtun.protocol.context import Context
from wgtun.protocol.peer import Peer

if TYPE_CHECKING:
    from collections.abc import Callable
    from random import Random

    from wgtun.dataplane import Engine, Event
    from wgtun.noise.provider import CryptoProvider
    from wgtun.protocol.context import EphemeralSource, PeerLog
    from wgtun.protocol.moment import Moment

_PEERS_PER_CALL = 8  # waking up may mean a handshake, and thousands of peers may be due together
_KINDS = {1: "initiation", 2: "response", 3: "cookie reply"}


class ControlPlane:
    """The peers of a device, in the order in which they were configured."""

    def __init__(
        self,
        engine: Engine,
        provider: CryptoProvider,
        *,
        rng: Random,
        log: PeerLog,
        log_device: Callable[[str], None],
        timing: Timing = DEFAULT_TIMING,
        new_ephemeral: EphemeralSource | None = None,
    ) -> None:
        self._engine = engine
        self._provider = provider
        self._context = Context(engine, provider, timing, rng, log, new_ephemeral)
        self._log_device = log_device
        self._peers: dict[bytes, Peer] = {}
        self._by_id: dict[int, Peer] = {}
        self._next_id = 1
        self._up = False
        self.last_refusal: tuple[int, str] | None = None  # Unix time in nanoseconds, what and why

    # --- configuration ---------------------------------------------------------------------------

    @property
    def public_key(self) -> bytes | None:
        """The device's public key, 32 bytes."""
        static = self._context.static
        return None if static is None else static.public

    @property
    def peers(self) -> dict[bytes, Peer]:
        """Peers by public key. Change it through the methods below only."""
        return self._peers

    def set_private_key(self, at: Moment, private_key: bytes | None) -> None:
        """Take another identity. A peer that has the new public key is removed."""
        self._context.static = None if private_key is None else self._provider.load_private(private_key)
        public_key = self.public_key
        self._engine.set_public_key(public_key)
        if public_key in self._peers:
            self.remove_peer(self._peers[public_key])
        for peer in self._peers.values():
            peer.static_key_changed()
            peer.reconsider(at)

    def add_peer(self, at: Moment, public_key: bytes) -> Peer:
        peer = Peer(self._context, self._next_id, public_key)
        self._next_id += 1
        self._engine.add_peer(peer.id)
        self._peers[public_key] = self._by_id[peer.id] = peer
        if self._up:
            peer.start(at)
        return peer

    def remove_peer(self, peer: Peer) -> None:
        del self._peers[peer.public_key]
        del self._by_id[peer.id]
        peer.stop()
        self._engine.remove_peer(peer.id)

    def set_endpoint(self, at: Moment, peer: Peer, endpoint: Endpoint) -> None:
        peer.endpoint = endpoint
        self._engine.set_path(peer.id, Path(endpoint.address()))
        peer.reconsider(at)

    def set_up(self, at: Moment, up: bool) -> None:
        """The interface went up or down."""
        if up == self._up:
            return
        self._up = up
        self._engine.set_up(up)
        for peer in self._peers.values():
            if up:
                peer.start(at)
            else:
                peer.stop()

    # --- events ----------------------------------------------------------------------------------

    def handle_event(self, at: Moment, event: Event) -> None:
        """Act on an event. Events about peers that are gone are ignored."""
        match event:
            case HandshakeReceived():
                self._handle_message(at, event)
            case KeypairRetired():
                self._context.indices.release(event.local_index)
            case TunnelRemoved() | EngineFailed():
                pass  # the owner's business
            case _:
                peer = self._by_id.get(event.peer)
                if peer is not None:
                    self._handle_peer_event(at, peer, event)

    def _handle_peer_event(
        self,
        at: Moment,
        peer: Peer,
        event: SessionNeeded | SessionAging | SessionConfirmed | DataUnanswered | DataUnacknowledged,
    ) -> None:
        match event:
            case SessionNeeded() | SessionAging():
                peer.request_session(at)
            case SessionConfirmed():
                peer.handle_session_confirmed(at)
            case DataUnanswered():
                peer.handle_data_unanswered(event.since)
            case DataUnacknowledged():
                peer.handle_data_unacknowledged(event.since)

    def _handle_message(self, at: Moment, event: HandshakeReceived) -> None:
        message, path = event
        kind = message[0]
        peer: Peer | None = None
        try:
            if kind == TYPE_INITIATION:
                peer, initiation = self._open_initiation(message)
                peer.handle_initiation(at, initiation, len(message), path)
                return
            # A response names our index at offset 8, a cookie reply at offset 4.
            offset = 4 if kind == TYPE_COOKIE_REPLY else 8
            peer = self._context.indices.get(int.from_bytes(message[offset : offset + 4], "little"))
            if peer is None:
                raise HandshakeError("unknown receiver index")
            if kind == TYPE_COOKIE_REPLY:
                peer.handle_cookie_reply(at, message)
            else:
                peer.handle_response(at, message, path)
        except HandshakeError as error:
            self._engine.count_drop(DropReason.BAD_HANDSHAKE, 1, None if peer is None else peer.id)
            text = f"invalid {_KINDS[kind]} message from {Endpoint.from_address(path.address)}: {error}"
            self.last_refusal = (at.wall, text)
            self._log_device(f"Received {text}")

    def _open_initiation(self, message: bytes) -> tuple[Peer, ReceivedInitiation]:
        """With the peer that it says it is from. Raises HandshakeError."""
        static = self._context.static
        if static is None:
            raise HandshakeError("the device has no private key")
        initiation = ReceivedInitiation.open(self._provider, static, message)
        peer = self._peers.get(initiation.remote_static)
        if peer is None:
            raise HandshakeError(f"{PublicKey(initiation.remote_static).base64()} is not one of our peers")
        return peer, initiation

    # --- time ------------------------------------------------------------------------------------

    def next_timeout(self) -> int | None:
        """When `handle_timeout` wants to be called, in nanoseconds of the `now` clock."""
        return self._context.schedule.next()

    def handle_timeout(self, at: Moment) -> None:
        """Wake peers whose deadlines have passed; a bounded number, then `next_timeout` is in the past."""
        for _ in range(_PEERS_PER_CALL):
            peer = self._context.schedule.pop_due(at.now)
            if peer is None:
                return
            peer.handle_timeout(at)
