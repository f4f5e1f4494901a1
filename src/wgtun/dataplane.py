"""The seam between the control plane and whatever moves the packets.

The control plane (`wgtun.protocol`, driven by `wgtun.device`) tells an engine which peers,
endpoints, allowed IPs and keypairs exist; the engine moves packets between the tunnel side and
the outer side and reports `Event`s. An engine makes no protocol decision, the control plane
touches no data packet.

Events are edges. `DataUnanswered` and `DataUnacknowledged` are reported once and not again until
the control plane asks for it (`rearm_*`), so that a busy tunnel costs a handful of wake-ups per
peer and ten seconds.
"""

from __future__ import annotations

import enum
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol, runtime_checkable

from wgtun.allowed_ip import AllowedIP
from wgtun.endpoint import SocketAddress
from wgtun.path import Path

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop

Clock = Callable[[], int]
"""Nanoseconds of a clock that never steps and counts the time asleep."""


class DropReason(enum.StrEnum):
    """Why a packet or datagram went no further. Every drop is counted under exactly one."""

    # from the tunnel
    TUN_MALFORMED = "tun_malformed"
    NO_ROUTE = "no_route"
    INTERFACE_DOWN = "interface_down"
    STAGED_OVERFLOW = "staged_overflow"
    STAGED_DISCARDED = "staged_discarded"
    NO_ENDPOINT = "no_endpoint"
    TOO_BIG = "too_big"
    SEND_FAILED = "send_failed"
    # from the outside
    UNKNOWN_TYPE = "unknown_type"
    BAD_LENGTH = "bad_length"
    UNKNOWN_INDEX = "unknown_index"
    KEY_EXPIRED = "key_expired"
    UNAUTHENTIC = "unauthentic"
    REPLAYED = "replayed"
    MALFORMED_INNER = "malformed_inner"
    DISALLOWED_SOURCE = "disallowed_source"
    TUN_WRITE_FAILED = "tun_write_failed"
    RECEIVE_ERROR = "receive_error"
    # handshake messages
    BAD_MAC1 = "bad_mac1"
    UNDER_LOAD = "under_load"
    RATE_LIMITED = "rate_limited"
    HANDSHAKE_BACKLOG = "handshake_backlog"
    BAD_HANDSHAKE = "bad_handshake"


class HandshakeReceived(NamedTuple):
    """A handshake message or cookie reply of the right length and with a valid mac1."""

    message: bytes
    path: Path


class SessionNeeded(NamedTuple):
    """A packet is staged and there is no usable session. Not repeated while it stays so."""

    peer: int


class SessionAging(NamedTuple):
    """The current session should be renewed. Once per keypair for sending and for receiving."""

    peer: int


class SessionConfirmed(NamedTuple):
    """The first packet under a keypair that we made as responder; it is current now."""

    peer: int


class DataUnanswered(NamedTuple):
    """Data went out at `since` and nothing came back yet."""

    peer: int
    since: int


class DataUnacknowledged(NamedTuple):
    """Data came in at `since` and nothing went back yet."""

    peer: int
    since: int


class KeypairRetired(NamedTuple):
    """A keypair was dropped; its receiver index may be given out again."""

    local_index: int


class TunnelRemoved(NamedTuple):
    """The tunnel side is gone for good."""

    reason: str


class EngineFailed(NamedTuple):
    """A bug stopped a part of the engine; the device must end."""

    reason: str


Event = (
    HandshakeReceived
    | SessionNeeded
    | SessionAging
    | SessionConfirmed
    | DataUnanswered
    | DataUnacknowledged
    | KeypairRetired
    | TunnelRemoved
    | EngineFailed
)


class Activity(NamedTuple):
    """What the timers of a peer decide on. Times in nanoseconds, 0 for never."""

    last_sent: int  # any authenticated packet, handshake messages included
    last_received: int
    unanswered_since: int  # oldest data sent after the last packet received
    unacknowledged_since: int  # oldest data received after the last packet sent


class PeerStatus(NamedTuple):
    """What an operator reads about a peer. Bytes are those of UDP payloads."""

    path: Path | None
    tx_bytes: int
    rx_bytes: int
    refused: Path | None = None  # see `Engine.refuse_source`


class Holdings(NamedTuple):
    """How much an engine holds; none of it may grow without bound."""

    peers: int
    sessions: int
    staged: int  # packets, of all peers
    events: int


class Aead(Protocol):
    """One direction of a session: ChaCha20-Poly1305 with nonces of 12 bytes. Made by a crypto provider."""

    def encrypt(self, nonce: bytes, data: Any, associated_data: bytes | None) -> bytes: ...

    def decrypt(self, nonce: bytes, data: Any, associated_data: bytes | None) -> bytes:
        """Raises the provider's `invalid_tag` for forged data."""


class Keypair(NamedTuple):
    """The result of a handshake, to be installed. The shape is the provider's business."""

    send: Aead
    receive: Aead
    local_index: int
    remote_index: int
    initiator: bool


class HandshakeFilter(Protocol):
    """Decides about an initiation or a response before any state or expensive work is spent on it."""

    def set_public_key(self, public_key: bytes | None) -> None:
        """The key that messages must be addressed to; None refuses all."""

    def admit(self, now: int, message: bytes, address: SocketAddress, backlog: int) -> DropReason | bytes | None:
        """None: hand it on. Bytes: drop it and answer with these. Otherwise: drop it."""


class TunnelSide(Protocol):
    """The tunnel's end of whatever carries packets, one per read and per write of its descriptor: a socket, a TUN."""

    def fileno(self) -> int: ...
    def close(self) -> None: ...


@runtime_checkable
class TunDevice(TunnelSide, Protocol):
    """A TUN of the operating system that is read and written through descriptors.

    `virtio` is None where no virtio header stands before a packet. Otherwise these kinds of packets come and go
    merged: "tso" (TCP), "uso" (UDP). `family` has the four bytes that stand before a packet of IPv4 and of IPv6, if
    any do.
    """

    virtio: frozenset[str] | None
    family: tuple[bytes, bytes] | None

    @property
    def missing(self) -> Mapping[str, str]:
        """Offloads that are not used, and why."""

    def filenos(self) -> Sequence[int]:
        """One descriptor per queue."""


class Ring(NamedTuple):
    """A Wintun session and the addresses of the functions that move its packets, for the native engine."""

    session: int
    functions: tuple[int, int, int, int, int]


@runtime_checkable
class RingDevice(Protocol):
    """A TUN without descriptors: a ring of packets in memory, shared with the system."""

    @property
    def ring(self) -> Ring: ...

    def read(self) -> bytes:
        """The next packet. Raises BlockingIOError when none waits, TunnelGone when none will come, OSError."""

    def write(self, packet: bytes | memoryview) -> None:
        """Hand a packet to the system. Raises OSError when it has no room."""

    def watch(self, loop: AbstractEventLoop, ready: Callable[[], None]) -> None:
        """Call `ready` on the loop again and again, as long as packets may wait."""

    def unwatch(self) -> None: ...
    def close(self) -> None: ...


class OuterSide(Protocol):
    """A pair of UDP sockets, or whatever carries datagrams. Nothing here blocks."""

    port: int
    # "gso": trains of datagrams leave in one call, "gro": and arrive in one; "mac1": see `Underlay.set_public_key`
    offloads: frozenset[str]
    # Address families whose datagrams go nowhere, as if sent: with no uplink left, they would enter our own tunnel.
    blackholes: frozenset[int]

    @property
    def missing(self) -> Mapping[str, str]:
        """Offloads that are not used, and why."""

    def filenos(self) -> Sequence[int]: ...

    def receive(self, fileno: int) -> list[tuple[bytes | memoryview, Path, int]]:
        """The next datagrams of one socket with their paths and traffic classes; empty when none wait.

        Raises OSError.
        """

    def send(self, datagrams: Sequence[bytes], path: Path, traffic_class: int) -> int:
        """Send all to one peer, in order; returns how many the system refused."""

    def take_narrow(self) -> list[tuple[SocketAddress, int]]:
        """Destinations that turned out to have a narrow path since the last call, and the path MTU."""

    def set_mark(self, mark: int) -> None: ...
    def close(self) -> None: ...


class Underlay(Protocol):
    """The network under the tunnel: where the sockets of one device come from."""

    def open(self, port: int, mark: int) -> OuterSide:
        """UDP sockets on this port (0: any), with this fwmark. Raises OSError."""

    def refuses_mark(self, mark: int) -> str:
        """Why this system can't have this fwmark, in words; empty when it can."""

    def routes_changed(self) -> None:
        """Routes or addresses of the host changed; the sockets may have to use another uplink."""

    def set_public_key(self, public_key: bytes | None) -> None:
        """The device's own key. Sockets with the offload "mac1" don't even take in handshake messages for another."""

    def unreachable(self, address: SocketAddress, mark: int) -> str:
        """Why the system has no way to this address, in words; empty when it has."""

    def refused(self) -> int:
        """How many messages were not taken in, until now."""

    def close(self) -> None:
        """The sockets stay their users' own."""


class Engine(Protocol):
    """What the control plane asks of an engine. `peer` is a number that the control plane chose."""

    name: str

    def set_public_key(self, public_key: bytes | None) -> None:
        """The device's own key: handshake messages to any other are dropped. None drops all."""

    def add_peer(self, peer: int) -> None: ...
    def remove_peer(self, peer: int) -> None: ...
    def set_path(self, peer: int, path: Path) -> None: ...
    def narrow_path(self, now: int, address: SocketAddress, mtu: int) -> None:
        """The way to this address takes datagrams of so many bytes, headers of IP included.

        For a minute, packets that are too big for it are answered with ICMP, where their sender can do with less.
        """

    def forget_source(self, peer: int) -> None:
        """Let the system choose the local address, until the peer is heard again."""

    def refuse_source(self, now: int, peer: int) -> None:
        """The same, but what the peer has sent before it hears of it must not bring this very path back.

        That lasts until something was sent from elsewhere and `Timing.rekey_timeout` has passed: who then still
        asks there does not hear us from elsewhere.
        """

    def allow_source(self, peer: int) -> None:
        """Take back what `refuse_source` said."""

    def insert_allowed_ip(self, peer: int, prefix: AllowedIP) -> None: ...
    def remove_allowed_ip(self, peer: int, prefix: AllowedIP) -> None: ...
    def clear_allowed_ips(self, peer: int) -> None: ...
    def allowed_ips(self, peer: int) -> Iterable[AllowedIP]: ...

    def install_keypair(self, now: int, peer: int, keypair: Keypair) -> None: ...
    def exhaust_keypairs(self, peer: int) -> None:
        """Nothing more is sent under the present keypairs; receiving goes on until they age."""

    def erase_keypairs(self, peer: int) -> None:
        """Drop all sessions, and with them what was unanswered or unacknowledged."""

    def has_session(self, now: int, peer: int) -> bool:
        """Whether data could be sent at once."""

    def send_handshake(self, now: int, peer: int, message: bytes) -> None: ...
    def handshake_authenticated(self, now: int, peer: int, path: Path, size: int) -> None:
        """A handshake message of `size` bytes from this peer was valid: roam, count."""

    def send_keepalive(self, now: int, peer: int) -> None:
        """Send the staged packets, or an empty packet when none is staged."""

    def drop_staged(self, peer: int) -> None: ...
    def activity(self, peer: int) -> Activity: ...
    def rearm_unanswered(self, peer: int) -> None:
        """Data sent so far is dealt with: report `DataUnanswered` for what is sent from now on."""

    def rearm_unacknowledged(self, peer: int) -> None:
        """The same for data received and `DataUnacknowledged`."""

    def peer_status(self, peer: int) -> PeerStatus: ...
    def drops(self, peer: int | None = None) -> dict[DropReason, int]:
        """How many, by reason: all, or those of one peer (what has no owner is in the sum only)."""

    def holdings(self) -> Holdings: ...
    def count_drop(self, reason: DropReason, count: int = 1, peer: int | None = None) -> None: ...

    def set_mtu(self, mtu: int) -> None: ...
    def set_up(self, up: bool) -> None: ...
    def poll_event(self) -> Event | None: ...


class AttachedEngine(Engine, Protocol):
    """An engine with I/O, on an event loop."""

    def attach_tunnel(self, tunnel: TunnelSide | RingDevice) -> None:
        """Read from and write to this tunnel from now on; the caller keeps owning it."""

    def detach_tunnel(self) -> None: ...
    def attach_sockets(self, outer: OuterSide) -> None:
        """Send and receive here from now on; replaces the sockets attached before."""

    def detach_sockets(self) -> None: ...
    def sockets_changed(self, outer: OuterSide) -> None:
        """These, which are attached, may have other `blackholes`."""

    def sends_trains(self) -> bool:
        """Whether trains of datagrams leave in one call; a network device may have refused them for good."""

    def flush(self) -> None:
        """Let all that was said take effect, and tell of waiting events. Call it when done with a batch."""

    def close(self) -> None: ...
