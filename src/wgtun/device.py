"""A WireGuard device: the one owner of state, on an asyncio event loop.

It wires the control plane, an engine, the sockets, the clock and the configuration protocol
together. Whoever owns the TUN and its link state (the daemon, a program that embeds wgtun) tells
it `set_up` and `set_mtu`.
"""

from __future__ import annotations

import errno
import random
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from wgtun import __version__
from wgtun.constants import DEFAULT_TIMING, MAX_MTU, MAX_PEERS, SECOND, Timing
from wgtun.dataplane import (
    Clock,
    DropReason,
    EngineFailed,
    HandshakeReceived,
    OuterSide,
    RingDevice,
    SessionAging,
    SessionNeeded,
    TunDevice,
    TunnelRemoved,
    TunnelSide,
    Underlay,
)
from wgtun.endpoint import Endpoint
from wgtun.engine import make_engine
from wgtun.errors import UapiError
from wgtun.keys import PresharedKey, PrivateKey, PublicKey
from wgtun.noise.providers import make_provider
from wgtun.path import SourceState
from wgtun.protocol.admission import Admission
from wgtun.protocol.control_plane import ControlPlane
from wgtun.protocol.moment import Moment
from wgtun.uapi.model import DeviceState, PeerState

if TYPE_CHECKING:
    import asyncio
    import logging
    from collections.abc import Callable, Collection

    from wgtun.endpoint import SocketAddress
    from wgtun.noise.provider import PrivateHandle
    from wgtun.observe.key_log import KeyLog
    from wgtun.path import Path
    from wgtun.protocol.peer import Peer
    from wgtun.uapi.model import PeerChange, SetRequest

_HANDSHAKES_PER_TURN = 8  # made or answered; each costs a few Diffie-Hellmans, and packets get their turn in between
_HANDSHAKE_EVENTS = (HandshakeReceived, SessionNeeded, SessionAging)
_PEERS_PER_CHECK = 256  # source addresses checked in one go
_RETRY_OPEN = 1.0  # seconds until the sockets are tried again after the interface went up in vain


def _endpoint(peer: Peer, address: SocketAddress) -> Endpoint:
    """Where the peer is now; as it was written, while it has not moved."""
    if peer.endpoint is not None and peer.endpoint.address() == address:
        return peer.endpoint
    return Endpoint.from_address(address)


def _counted(drops: dict[DropReason, int]) -> dict[str, int]:
    """Without what did not happen."""
    return {reason.value: count for reason, count in drops.items() if count}


class Device:
    """One device. Everything happens on `loop`; no method blocks. The underlay becomes its own, the tunnel does not.

    `clock` is the system's own (`platform.clock`). `on_removed` is called when the tunnel side has
    vanished, `on_failed` when a bug in the engine leaves the device without a part of it, and
    `before_threads`, once, when all is made and nothing runs yet.
    """

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        tunnel: TunnelSide | RingDevice,
        underlay: Underlay,
        *,
        clock: Clock,
        logger: logging.Logger,
        wall_clock: Clock = time.time_ns,
        timing: Timing = DEFAULT_TIMING,
        on_removed: Callable[[], None] = lambda: None,
        on_failed: Callable[[], None] = lambda: None,
        before_threads: Callable[[], None] = lambda: None,
        key_log: KeyLog | None = None,
    ) -> None:
        self._loop = loop
        self._underlay = underlay
        self._clock = clock
        self._wall_clock = wall_clock
        self._logger = logger
        self._on_removed = on_removed
        self._on_failed = on_failed
        self._private_key: PrivateKey | None = None
        self._listen_port = 0
        self._fwmark = 0
        self._mtu = 0
        self._up = False
        self._closed = False
        self._sockets: OuterSide | None = None
        self._timer: asyncio.TimerHandle | None = None
        self._retry: asyncio.TimerHandle | None = None
        self._turn_scheduled = False
        rng = random.SystemRandom()
        self._provider = provider = make_provider()
        self.engine = make_engine(
            loop, clock, self._schedule_turn, Admission(timing, rng), provider.invalid_tag, timing
        )
        self._control = ControlPlane(
            self.engine,
            provider,
            rng=rng,
            timing=timing,
            log=self._log_peer,
            log_device=logger.debug,
            new_ephemeral=None if key_log is None else partial(self._logged_ephemeral, key_log),
        )
        self._tunnel = tunnel
        before_threads()
        self.engine.attach_tunnel(tunnel)

    # --- link state ------------------------------------------------------------------------------

    def set_up(self, up: bool) -> None:
        """The interface went up (sockets open, peers start) or down (all sessions are forgotten).

        A device that is closed stays down: news of a link may still be on its way.
        """
        if up == self._up or self._closed:
            return
        self._up = up
        self._logger.info("Interface is up" if up else "Interface is down")
        if up:
            self._open_or_retry()
        else:
            self._cancel_retry()
        self._control.set_up(self._moment(), up)
        self._finish()
        if not up:
            self._replace_sockets(None)

    def set_mtu(self, mtu: int) -> None:
        """The interface's MTU in bytes; padding never exceeds it."""
        mtu = max(0, min(mtu, MAX_MTU))
        if mtu != self._mtu:
            self._mtu = mtu
            self.engine.set_mtu(mtu)
            self._logger.info("MTU is %d", mtu)

    def _open_or_retry(self) -> None:
        self._retry = None
        try:
            self._replace_sockets(self._underlay.open(self._listen_port, self._fwmark))
        except OSError as error:
            self._logger.error("Unable to open the sockets on port %d: %s; trying again", self._listen_port, error)
            self._retry = self._loop.call_later(_RETRY_OPEN, self._open_or_retry)

    def _cancel_retry(self) -> None:
        if self._retry is not None:
            self._retry.cancel()
            self._retry = None

    def _replace_sockets(self, sockets: OuterSide | None) -> None:
        """Use these sockets from now on; the old ones are closed after the new ones work. Raises OSError."""
        if sockets is None:
            self.engine.detach_sockets()
        else:
            self.engine.attach_sockets(sockets)
            self._cancel_retry()
            self._listen_port = sockets.port
            offloads = ", ".join(sorted(sockets.offloads)) or "no offloads"
            self._logger.debug("UDP bind has been updated: port %d, %s", sockets.port, offloads)
        old, self._sockets = self._sockets, sockets
        if old is not None:
            old.close()

    def routes_changed(self, source_state: Callable[[Path, int], SourceState]) -> None:
        """Routes or addresses of the host changed: forget the source addresses that are not right any more.

        `source_state` tells what a path, with a fwmark, can do with its source. Handled in small portions.
        """
        self._underlay.routes_changed()
        if self._sockets is not None:
            self.engine.sockets_changed(self._sockets)
        self._check_sources(list(self._control.peers.values()), source_state)

    def _check_sources(self, peers: list[Peer], source_state: Callable[[Path, int], SourceState]) -> None:
        for peer in peers[:_PEERS_PER_CHECK]:
            if self._control.peers.get(peer.public_key) is peer:  # else removed meanwhile
                self._check_source(peer.id, source_state)
        if len(peers) > _PEERS_PER_CHECK:
            self._loop.call_soon(self._check_sources, peers[_PEERS_PER_CHECK:], source_state)

    def _check_source(self, peer: int, source_state: Callable[[Path, int], SourceState]) -> None:
        status = self.engine.peer_status(peer)
        if status.refused is not None and source_state(status.refused, self._fwmark) is not SourceState.ELSEWHERE:
            self.engine.allow_source(peer)
        if status.path is None or status.path.source is None:
            return
        state = source_state(status.path, self._fwmark)
        if state is SourceState.ELSEWHERE:
            self.engine.refuse_source(self._clock(), peer)
        elif state is SourceState.GONE:
            self.engine.forget_source(peer)

    # --- the configuration protocol (uapi.server.Handler) ----------------------------------------

    def get(self) -> DeviceState:
        """A snapshot of configuration and counters; peers in configuration order."""
        return DeviceState(
            private_key=self._private_key,
            listen_port=self._listen_port,
            fwmark=self._fwmark,
            peers=[self._peer_state(peer) for peer in self._control.peers.values()],
        )

    def _peer_state(self, peer: Peer) -> PeerState:
        status = self.engine.peer_status(peer.id)
        return PeerState(
            public_key=PublicKey(peer.public_key),
            preshared_key=PresharedKey(peer.preshared_key),
            endpoint=None if status.path is None else _endpoint(peer, status.path.address),
            last_handshake=peer.last_handshake,
            tx_bytes=status.tx_bytes,
            rx_bytes=status.rx_bytes,
            persistent_keepalive=peer.persistent_keepalive,
            allowed_ips=self.engine.allowed_ips(peer.id),
        )

    def drops(self) -> dict[DropReason, int]:
        """How many packets and datagrams were dropped, by reason."""
        drops = self.engine.drops()
        drops[DropReason.BAD_MAC1] += self._underlay.refused()
        return drops

    def status(self) -> dict[str, Any]:
        """What `get` does not tell, ready for JSON; docs/uapi.md explains it."""
        from asyncio import all_tasks  # there is a loop, so it is loaded

        used, missing = self._offloads()
        refusal = self._control.last_refusal
        return {
            "version": __version__,
            "engine": self.engine.name,
            "up": self._up,
            "mtu": self._mtu,
            "offloads": sorted(used),
            "missing_offloads": missing,
            "drops": _counted(self.drops()),
            "holdings": {**self.engine.holdings()._asdict(), "tasks": len(all_tasks(self._loop))},
            "last_refusal": None if refusal is None else {"time": refusal[0] // SECOND, "text": refusal[1]},
            "peers": self._peers_with_news(),
        }

    def _offloads(self) -> tuple[set[str], dict[str, str]]:
        """Those in use, and why others are not."""
        used: set[str] = set()
        missing: dict[str, str] = {}
        if isinstance(self._tunnel, TunDevice):
            used |= self._tunnel.virtio or set()
            missing |= self._tunnel.missing
        if self._sockets is not None:
            used |= self._sockets.offloads
            missing |= self._sockets.missing
            if "gso" in used and not self.engine.sends_trains():
                used.remove("gso")
                missing["gso"] = "a network device refused it"
        return used, missing

    def _peers_with_news(self) -> dict[str, dict[str, Any]]:
        """By public key, without those of which there is nothing to tell."""
        now = self._clock()
        news = {}
        for peer in self._control.peers.values():
            problem = peer.handshake_problem(now)
            path = self.engine.peer_status(peer.id).path
            if problem and path is not None and (why := self._underlay.unreachable(path.address, self._fwmark)):
                problem = f"no route to {_endpoint(peer, path.address)}: {why}"
            drops = _counted(self.engine.drops(peer.id))
            if problem or drops:
                news[PublicKey(peer.public_key).base64()] = {"handshake_problem": problem, "drops": drops}
        return news

    def set(self, request: SetRequest) -> None:
        """Apply a whole request, or nothing. Raises UapiError.

        What can fail comes first; from then on nothing can.
        """
        private_key = self._private_key
        if request.private_key is not None:
            private_key = None if request.private_key.is_zero() else request.private_key
        own = bytes(32) if private_key is None else self._provider.load_private(bytes(private_key)).public
        self._check_peer_limit(request, own)
        self._apply_sockets(request)

        at = self._moment()
        if private_key != self._private_key:
            self._private_key = private_key
            self._control.set_private_key(at, None if private_key is None else bytes(private_key))
            self._underlay.set_public_key(self._control.public_key)
            self._logger.debug("UAPI: Updating private key")
        if request.replace_peers:
            self._logger.debug("UAPI: Removing all peers")
            for peer in list(self._control.peers.values()):
                self._control.remove_peer(peer)
        for change in request.peers:
            if bytes(change.public_key) != own:
                self._apply_peer(at, change)
        self._finish()

    def _check_peer_limit(self, request: SetRequest, own: bytes) -> None:
        known: Collection[bytes] = () if request.replace_peers else self._control.peers
        if len(known) + len(request.peers) <= MAX_PEERS:
            return  # without counting: one more peer costs the same, however many there are
        keys = set(known)
        for change in request.peers:
            key = bytes(change.public_key)
            if change.remove:
                keys.discard(key)
            elif key != own and not (change.update_only and key not in keys):
                keys.add(key)
        if len(keys) > MAX_PEERS:
            raise UapiError(errno.EINVAL, f"too many peers: at most {MAX_PEERS}")

    def _apply_sockets(self, request: SetRequest) -> None:
        """Port and fwmark. New sockets are open before the old ones close; a failure leaves the old.

        A request that names no port does not fail for a port that was taken before it: the retry is under way.
        """
        fwmark = self._fwmark if request.fwmark is None else request.fwmark
        if why := self._underlay.refuses_mark(fwmark):
            raise UapiError(errno.EOPNOTSUPP, f"can't use fwmark={fwmark}: {why}")
        port = self._listen_port if request.listen_port is None else request.listen_port
        rebind = request.listen_port is not None and (port != self._listen_port or not port)
        try:
            if not self._up:
                self._listen_port = port
            elif rebind or (self._sockets is None and request.listen_port is not None):
                self._replace_sockets(self._underlay.open(port, fwmark))
            elif self._sockets is not None and fwmark != self._fwmark:
                self._sockets.set_mark(fwmark)
        except OSError as error:
            raise UapiError(errno.EADDRINUSE, f"can't use listen_port={port} fwmark={fwmark}: {error}") from error
        if fwmark != self._fwmark:
            self._fwmark = fwmark
            for peer in self._control.peers.values():
                self.engine.forget_source(peer.id)

    def _apply_peer(self, at: Moment, change: PeerChange) -> None:
        control = self._control
        peer = control.peers.get(bytes(change.public_key))
        if change.remove:
            if peer is not None:
                self._log_peer(peer, "UAPI: Removing")
                control.remove_peer(peer)
            return
        if peer is None:
            if change.update_only:
                return
            peer = control.add_peer(at, bytes(change.public_key))
            self._log_peer(peer, "UAPI: Created")
        if change.preshared_key is not None:
            peer.preshared_key = bytes(change.preshared_key)
        if change.endpoint is not None:
            control.set_endpoint(at, peer, change.endpoint)
        if change.replace_allowed_ips:
            self.engine.clear_allowed_ips(peer.id)
        for add, prefix in change.allowed_ips:
            (self.engine.insert_allowed_ip if add else self.engine.remove_allowed_ip)(peer.id, prefix)
        if change.persistent_keepalive is not None:
            peer.set_persistent_keepalive(at, change.persistent_keepalive)

    # --- the control plane's turns ---------------------------------------------------------------

    def _schedule_turn(self) -> None:
        if not self._turn_scheduled:
            self._turn_scheduled = True
            self._loop.call_soon(self._turn)

    def _turn(self) -> None:
        """Work on what the engine reports; a bounded part of it, the rest in the next turn."""
        self._turn_scheduled = False
        at = self._moment()
        handshakes = 0
        try:
            while handshakes < _HANDSHAKES_PER_TURN and (event := self.engine.poll_event()) is not None:
                handshakes += isinstance(event, _HANDSHAKE_EVENTS)
                if isinstance(event, TunnelRemoved):
                    self._logger.info("Interface removed: %s", event.reason)
                    self._on_removed()
                elif isinstance(event, EngineFailed):
                    self._logger.error("The engine failed, this is a bug: %s", event.reason)
                    self._on_failed()
                else:
                    self._control.handle_event(at, event)
        finally:
            self._finish()

    def _on_timer(self) -> None:
        self._timer = None
        try:
            self._control.handle_timeout(self._moment())
        finally:
            self._finish()

    def _finish(self) -> None:
        """Send what the control plane caused (which tells of further events), and set the clock."""
        self.engine.flush()
        deadline = self._control.next_timeout()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        if deadline is not None:
            delay = max(0, deadline - self._clock()) / SECOND
            self._timer = self._loop.call_later(delay, self._on_timer)

    def _moment(self) -> Moment:
        return Moment(self._clock(), self._wall_clock())

    def _logged_ephemeral(self, key_log: KeyLog, peer: Peer) -> PrivateHandle:
        ephemeral = PrivateKey.generate()
        assert self._private_key is not None  # no handshake without one
        key_log.write(
            static=bytes(self._private_key),
            remote_static=peer.public_key,
            ephemeral=bytes(ephemeral),
            preshared_key=peer.preshared_key,
        )
        return self._provider.load_private(bytes(ephemeral))

    def _log_peer(self, peer: Peer, text: str) -> None:
        self._logger.debug("peer(%s) - %s", PublicKey(peer.public_key).short(), text)

    # --- the end ---------------------------------------------------------------------------------

    def close(self) -> None:
        """Stop everything and forget all keys. The tunnel side stays the caller's."""
        self.set_up(False)
        self._closed = True
        for peer in list(self._control.peers.values()):
            self._control.remove_peer(peer)
        self._private_key = None
        self._control.set_private_key(self._moment(), None)
        self.engine.close()
        self._underlay.close()
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
