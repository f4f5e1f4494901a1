"""The data path, sans-IO: packets in, sealed datagrams out, and the other way round.

Theory of operation
    `outbound` takes a packet from the tunnel: find the peer by destination, seal it under the
    peer's current session, or stage it and ask the control plane for one.
    `inbound` takes a datagram from outside: handshake messages pass the filter and go to the
    control plane; transport data is opened, checked against replay, lets the peer roam, is cut
    to its real length, checked against the sender's allowed IPs, and goes to the tunnel.
    What comes of a call is left in `datagrams`, `packets` and the events; the caller takes it.

This file is the specification of the engine: given the same keys and calls, any other engine
must produce the same bytes and events. Sections below follow a packet's way.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable
from struct import Struct
from typing import TYPE_CHECKING

from wgtun.constants import (
    COOKIE_REPLY_SIZE,
    DEFAULT_MTU,
    DEFAULT_TIMING,
    HANDSHAKE_TRAFFIC_CLASS,
    INITIATION_SIZE,
    MAX_QUEUED_HANDSHAKES,
    MAX_STAGED_IN_ALL,
    MAX_STAGED_PACKETS,
    REJECT_AFTER_MESSAGES,
    REKEY_AFTER_MESSAGES,
    RESPONSE_SIZE,
    TRANSPORT_HEADER_SIZE,
    TRANSPORT_OVERHEAD,
    TYPE_COOKIE_REPLY,
    TYPE_INITIATION,
    TYPE_RESPONSE,
    TYPE_TRANSPORT,
    Timing,
)
from wgtun.dataplane import (
    Activity,
    DataUnacknowledged,
    DataUnanswered,
    DropReason,
    Event,
    HandshakeFilter,
    HandshakeReceived,
    Holdings,
    Keypair,
    KeypairRetired,
    PeerStatus,
    SessionAging,
    SessionConfirmed,
    SessionNeeded,
)
from wgtun.engine.python.allowed_ips import AllowedIPs
from wgtun.engine.python.ecn import mark_inner, outer_class
from wgtun.engine.python.icmp import IcmpErrors, may_be_too_big
from wgtun.engine.python.narrow_paths import NarrowPaths
from wgtun.engine.python.peer import EnginePeer
from wgtun.engine.python.session import Session, padding_size

if TYPE_CHECKING:
    from wgtun.allowed_ip import AllowedIP
    from wgtun.endpoint import SocketAddress
    from wgtun.path import Path

_HEADER = Struct("<IIQ")  # type, receiver index, counter
_NONCE = Struct("<4xQ")
_SIZES = {TYPE_INITIATION: INITIATION_SIZE, TYPE_RESPONSE: RESPONSE_SIZE, TYPE_COOKIE_REPLY: COOKIE_REPLY_SIZE}
_ZEROS = bytes(16)

Buffer = bytes | memoryview


class Heart:
    """Implements `dataplane.Engine` without I/O.

    `invalid_tag` is the exception that the crypto provider's AEAD raises for forged data.
    """

    name = "python"

    def __init__(
        self, handshake_filter: HandshakeFilter, invalid_tag: type[Exception], timing: Timing = DEFAULT_TIMING
    ) -> None:
        self.datagrams: list[tuple[bytes, Path, int]] = []  # and the traffic class to send them with
        self.packets: list[Buffer] = []
        self._filter = handshake_filter
        self._invalid_tag = invalid_tag
        self._timing = timing
        self._mtu = DEFAULT_MTU
        self._up = False
        self._peers: dict[int, EnginePeer] = {}
        self._staged = 0  # packets of all peers
        self._sessions: dict[int, Session] = {}
        self._awaited: set[int] = set()  # indices of handshakes that a cookie reply may answer
        self._allowed_ips: AllowedIPs[EnginePeer] = AllowedIPs()
        self._events: deque[Event] = deque()
        self._handshakes: deque[HandshakeReceived] = deque()
        self._drops = dict.fromkeys(DropReason, 0)
        self._errors = IcmpErrors()
        self._paths = NarrowPaths()

    # --- from the tunnel to a peer ---------------------------------------------------------

    def outbound(self, now: int, packet: bytes) -> None:
        """A packet that the system sent into the tunnel."""
        version = packet[0] >> 4 if packet else 0
        if version == 4 and len(packet) >= 20:
            peer = self._allowed_ips.lookup_ipv4(packet[16:20])
        elif version == 6 and len(packet) >= 40:
            peer = self._allowed_ips.lookup_ipv6(packet[24:40])
        else:
            self._drops[DropReason.TUN_MALFORMED] += 1
            return
        if not self._up:
            self._drops[DropReason.INTERFACE_DOWN] += 1
        elif peer is None:
            self._drops[DropReason.NO_ROUTE] += 1
            self._refuse(now, packet)
        elif peer.path is None:
            self._count(peer, DropReason.NO_ENDPOINT)
            self._refuse(now, packet)
        elif (limit := self._paths.limit(now, peer.path.address, packet)) and may_be_too_big(packet, limit):
            self._count(peer, DropReason.TOO_BIG)
            self._refuse(now, packet, limit)
        else:
            if peer.staged:
                self._send_staged(now, peer)
            session = self._usable_session(now, peer)
            if session is not None:
                self._seal(now, peer, session, packet)
            else:
                self._stage(peer, packet)
                self._send_staged(now, peer)  # asks for a session

    def _refuse(self, now: int, packet: bytes, limit: int = 0) -> None:
        """Tell the sender why nobody gets this packet: it is too big, or has nowhere to go."""
        error = self._errors.answer(now, packet, limit)
        if error is not None:
            self.packets.append(error)

    def _usable_session(self, now: int, peer: EnginePeer) -> Session | None:
        session = peer.slots.current
        if (
            session is None
            or peer.path is None
            or session.send_counter >= REJECT_AFTER_MESSAGES
            or now - session.created >= self._timing.reject_after
        ):
            return None
        return session

    def _stage(self, peer: EnginePeer, packet: bytes) -> None:
        if len(peer.staged) >= (MAX_STAGED_PACKETS if self._staged < MAX_STAGED_IN_ALL else 1):
            self._unstage(peer)
            self._count(peer, DropReason.STAGED_OVERFLOW)
        self._staged += 1
        peer.staged.append(packet)

    def _unstage(self, peer: EnginePeer) -> bytes:
        """The oldest packet."""
        self._staged -= 1
        return peer.staged.popleft()

    def _send_staged(self, now: int, peer: EnginePeer) -> None:
        while peer.staged:
            session = self._usable_session(now, peer)
            if session is None:
                if not peer.session_requested:
                    peer.session_requested = True
                    self._events.append(SessionNeeded(peer.id))
                return
            self._seal(now, peer, session, self._unstage(peer))

    def _seal(self, now: int, peer: EnginePeer, session: Session, packet: bytes) -> None:
        counter = session.send_counter
        session.send_counter = counter + 1
        size = len(packet)
        padding = padding_size(size, self._mtu)
        datagram = _HEADER.pack(TYPE_TRANSPORT, session.remote_index, counter) + session.send.encrypt(
            _NONCE.pack(counter), packet + _ZEROS[:padding] if padding else packet, None
        )
        assert peer.path is not None  # _usable_session looked
        self._emit(now, peer, datagram, outer_class(packet) if size else 0)
        if size and not peer.unanswered_since:
            peer.unanswered_since = now
            if not peer.unanswered_reported:
                peer.unanswered_reported = True
                self._events.append(DataUnanswered(peer.id, now))
        if not session.aging_reported_on_send and (
            session.send_counter > REKEY_AFTER_MESSAGES
            or (session.initiator and now - session.created > self._timing.rekey_after)
        ):
            session.aging_reported_on_send = True
            self._events.append(SessionAging(peer.id))

    def _emit(self, now: int, peer: EnginePeer, datagram: bytes, traffic_class: int) -> None:
        """Leave an authenticated datagram for the caller to send."""
        if peer.path is None:
            self._count(peer, DropReason.NO_ENDPOINT)
            return
        self.datagrams.append((datagram, peer.path, traffic_class))
        peer.tx_bytes += len(datagram)
        peer.last_sent = now
        peer.unacknowledged_since = 0

    # --- from outside to the tunnel --------------------------------------------------------

    def inbound(self, now: int, datagram: Buffer, path: Path, traffic_class: int = 0) -> None:
        """A datagram that arrived, with the path that leads back."""
        size = len(datagram)
        kind = int.from_bytes(datagram[:4], "little")
        if kind == TYPE_TRANSPORT:
            if size < TRANSPORT_OVERHEAD:
                self._drops[DropReason.BAD_LENGTH] += 1
            else:
                self._open(now, datagram, path, traffic_class)
        elif kind in _SIZES:
            if size != _SIZES[kind]:
                self._drops[DropReason.BAD_LENGTH] += 1
            else:
                self._take_handshake(now, bytes(datagram), path)
        else:
            self._drops[DropReason.UNKNOWN_TYPE] += 1

    def _take_handshake(self, now: int, message: bytes, path: Path) -> None:
        backlog = len(self._handshakes)
        if backlog >= MAX_QUEUED_HANDSHAKES:
            self._drops[DropReason.HANDSHAKE_BACKLOG] += 1
            return
        verdict: DropReason | bytes | None = None
        if message[0] != TYPE_COOKIE_REPLY:
            verdict = self._filter.admit(now, message, path.address, backlog)
        elif int.from_bytes(message[4:8], "little") not in self._awaited:
            verdict = DropReason.UNKNOWN_INDEX  # has no macs; authenticated by whoever awaits it
        if verdict is None:
            self._handshakes.append(HandshakeReceived(message, path))
        elif isinstance(verdict, DropReason):
            self._drops[verdict] += 1
        else:
            self._drops[DropReason.UNDER_LOAD] += 1
            self.datagrams.append((verdict, path, HANDSHAKE_TRAFFIC_CLASS))

    def _open(self, now: int, datagram: Buffer, path: Path, traffic_class: int) -> None:
        _, index, counter = _HEADER.unpack_from(datagram)
        session = self._sessions.get(index)
        if session is None:
            self._drops[DropReason.UNKNOWN_INDEX] += 1
            return
        if now - session.created >= self._timing.reject_after:
            self._count(session.peer, DropReason.KEY_EXPIRED)
            return
        try:
            # A view: slicing bytes would copy the whole datagram.
            packet = session.receive.decrypt(_NONCE.pack(counter), memoryview(datagram)[TRANSPORT_HEADER_SIZE:], None)
        except self._invalid_tag:
            self._count(session.peer, DropReason.UNAUTHENTIC)
            return
        if not session.replay.accept(counter):
            self._count(session.peer, DropReason.REPLAYED)
            return
        peer = session.peer
        self._heard(now, peer, path, len(datagram))
        if session is peer.slots.next:
            self._retire(peer.slots.confirm_next())
            peer.session_requested = False
            self._events.append(SessionConfirmed(peer.id))
            self._send_staged(now, peer)
        if (
            session.initiator
            and not session.aging_reported_on_receive
            and session is peer.slots.current
            and now - session.created > self._timing.rekey_on_receive
        ):
            session.aging_reported_on_receive = True
            self._events.append(SessionAging(peer.id))
        if packet:  # else a keepalive
            self._deliver(now, peer, packet, traffic_class)

    def _heard(self, now: int, peer: EnginePeer, path: Path, size: int) -> None:
        """Something authentic came from the peer."""
        peer.path = path if peer.refused is None else self._unless_refused(now, peer, path)
        peer.rx_bytes += size
        peer.last_received = now
        peer.unanswered_since = 0

    def _unless_refused(self, now: int, peer: EnginePeer, path: Path) -> Path:
        assert peer.refused is not None
        refused, since = peer.refused
        if peer.last_sent > since and now - since >= self._timing.rekey_timeout:
            peer.refused = None
        elif path == refused:
            return path._replace(source=None)
        return path

    def _deliver(self, now: int, peer: EnginePeer, packet: bytes, traffic_class: int) -> None:
        if not peer.unacknowledged_since:
            peer.unacknowledged_since = now
            if not peer.unacknowledged_reported:
                peer.unacknowledged_reported = True
                self._events.append(DataUnacknowledged(peer.id, now))
        size = len(packet)
        version = packet[0] >> 4
        if version == 4 and size >= 20:
            length = int.from_bytes(packet[2:4], "big")
            shortest = 20
            owner = self._allowed_ips.lookup_ipv4(packet[12:16])
        elif version == 6 and size >= 40:
            length = int.from_bytes(packet[4:6], "big") + 40
            shortest = 40
            owner = self._allowed_ips.lookup_ipv6(packet[8:24])
        else:
            self._count(peer, DropReason.MALFORMED_INNER)
            return
        if not shortest <= length <= size:
            self._count(peer, DropReason.MALFORMED_INNER)
        elif owner is not peer:
            self._count(peer, DropReason.DISALLOWED_SOURCE)
        else:
            packet = mark_inner(traffic_class, packet)
            self.packets.append(packet if length == size else memoryview(packet)[:length])

    # --- what the control plane says: peers and their addresses ----------------------------

    def set_public_key(self, public_key: bytes | None) -> None:
        self._filter.set_public_key(public_key)

    def add_peer(self, peer: int) -> None:
        self._peers[peer] = EnginePeer(peer)

    def remove_peer(self, peer: int) -> None:
        self.erase_keypairs(peer)
        self.drop_staged(peer)
        removed = self._peers.pop(peer)
        self._allowed_ips.clear(removed)
        self._await_cookie(removed, None)

    def set_path(self, peer: int, path: Path) -> None:
        self._peers[peer].path = path

    def narrow_path(self, now: int, address: SocketAddress, mtu: int) -> None:
        self._paths.learn(now, address, mtu)

    def forget_source(self, peer: int) -> None:
        known = self._peers[peer]
        if known.path is not None and known.path.source is not None:
            known.path = known.path._replace(source=None)

    def refuse_source(self, now: int, peer: int) -> None:
        known = self._peers[peer]
        if known.path is not None and known.path.source is not None:
            known.refused = known.path, now
            self.forget_source(peer)

    def allow_source(self, peer: int) -> None:
        self._peers[peer].refused = None

    def insert_allowed_ip(self, peer: int, prefix: AllowedIP) -> None:
        self._allowed_ips.insert(self._peers[peer], prefix)

    def remove_allowed_ip(self, peer: int, prefix: AllowedIP) -> None:
        self._allowed_ips.remove(self._peers[peer], prefix)

    def clear_allowed_ips(self, peer: int) -> None:
        self._allowed_ips.clear(self._peers[peer])

    def allowed_ips(self, peer: int) -> list[AllowedIP]:
        return self._allowed_ips.of(self._peers[peer])

    # --- sessions --------------------------------------------------------------------------

    def install_keypair(self, now: int, peer: int, keypair: Keypair) -> None:
        owner = self._peers[peer]
        session = Session(owner, keypair, now)
        self._sessions[keypair.local_index] = session
        install: Callable[[Session], list[Session]]
        if keypair.initiator:
            install = owner.slots.install_as_initiator
            owner.session_requested = False
        else:
            install = owner.slots.install_as_responder
        self._retire(install(session))

    def exhaust_keypairs(self, peer: int) -> None:
        slots = self._peers[peer].slots
        for session in (slots.current, slots.next):
            if session is not None:
                session.exhaust()

    def erase_keypairs(self, peer: int) -> None:
        self._retire(self._peers[peer].slots.clear())
        self.rearm_unanswered(peer)
        self.rearm_unacknowledged(peer)

    def _retire(self, sessions: list[Session]) -> None:
        for session in sessions:
            del self._sessions[session.local_index]
            self._events.append(KeypairRetired(session.local_index))

    def has_session(self, now: int, peer: int) -> bool:
        return self._usable_session(now, self._peers[peer]) is not None

    # --- things to send ----------------------------------------------------------------------

    def send_handshake(self, now: int, peer: int, message: bytes) -> None:
        target = self._peers[peer]
        self._await_cookie(target, int.from_bytes(message[4:8], "little"))
        self._emit(now, target, message, HANDSHAKE_TRAFFIC_CLASS)

    def _await_cookie(self, peer: EnginePeer, index: int | None) -> None:
        """Only the last handshake message can be answered by a cookie reply."""
        if peer.awaited_index is not None:
            self._awaited.discard(peer.awaited_index)
        peer.awaited_index = index
        if index is not None:
            self._awaited.add(index)

    def handshake_authenticated(self, now: int, peer: int, path: Path, size: int) -> None:
        self._heard(now, self._peers[peer], path, size)

    def send_keepalive(self, now: int, peer: int) -> None:
        target = self._peers[peer]
        if self._up:
            if not target.staged:
                self._stage(target, b"")
            self._send_staged(now, target)

    def drop_staged(self, peer: int) -> None:
        target = self._peers[peer]
        self._count(target, DropReason.STAGED_DISCARDED, sum(1 for packet in target.staged if packet))
        self._staged -= len(target.staged)
        target.staged.clear()
        target.session_requested = False

    # --- read-out ------------------------------------------------------------------------------

    def activity(self, peer: int) -> Activity:
        known = self._peers[peer]
        return Activity(
            known.last_sent,
            known.last_received,
            known.unanswered_since,
            known.unacknowledged_since,
        )

    def rearm_unanswered(self, peer: int) -> None:
        known = self._peers[peer]
        known.unanswered_since = 0
        known.unanswered_reported = False

    def rearm_unacknowledged(self, peer: int) -> None:
        known = self._peers[peer]
        known.unacknowledged_since = 0
        known.unacknowledged_reported = False

    def peer_status(self, peer: int) -> PeerStatus:
        known = self._peers[peer]
        refused = None if known.refused is None else known.refused[0]
        return PeerStatus(known.path, known.tx_bytes, known.rx_bytes, refused)

    def drops(self, peer: int | None = None) -> dict[DropReason, int]:
        if peer is None:
            return dict(self._drops)
        return dict.fromkeys(DropReason, 0) | (self._peers[peer].drops or {})

    def holdings(self) -> Holdings:
        return Holdings(
            peers=len(self._peers),
            sessions=len(self._sessions),
            staged=self._staged,
            events=len(self._events) + len(self._handshakes),
        )

    def count_drop(self, reason: DropReason, count: int = 1, peer: int | None = None) -> None:
        if peer is None:
            self._drops[reason] += count
        else:
            self._count(self._peers[peer], reason, count)

    def _count(self, peer: EnginePeer, reason: DropReason, count: int = 1) -> None:
        """A drop that is somebody's."""
        if count:
            self._drops[reason] += count
            if peer.drops is None:
                peer.drops = Counter()
            peer.drops[reason] += count

    def set_mtu(self, mtu: int) -> None:
        self._mtu = mtu

    def set_up(self, up: bool) -> None:
        self._up = up

    def poll_event(self) -> Event | None:
        """The next event; handshake messages come last, so that a flood of them delays nothing else."""
        if self._events:
            return self._events.popleft()
        if self._handshakes:
            return self._handshakes.popleft()
        return None
