"""Devices and the network between them in virtual time: hours of protocol in milliseconds.

Each device is the real control plane on the real heart of the engine that `WGTUN_ENGINE` names; only
time, the link and the randomness are ours. A world with the same seed always runs the same way.

    world = World(seed=1)
    alice, bob = world.pair()
    alice.send_to(bob)
    world.run(seconds=10)
    assert bob.received
"""

from __future__ import annotations

import heapq
import itertools
import random
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from wgtun.allowed_ip import AllowedIP
from wgtun.backend import backend
from wgtun.constants import DEFAULT_TIMING, MILLISECOND, SECOND, Timing
from wgtun.dataplane import DropReason
from wgtun.endpoint import Endpoint, SocketAddress
from wgtun.engine.python.heart import Heart
from wgtun.keys import PrivateKey
from wgtun.noise.providers import make_provider
from wgtun.path import Path
from wgtun.protocol.admission import Admission
from wgtun.protocol.control_plane import ControlPlane
from wgtun.protocol.moment import Moment
from wgtun.protocol.peer import Peer

if TYPE_CHECKING:
    from tests.support.native_heart import NativeHeart
    from wgtun.noise.provider import CryptoProvider

START = 1_000 * SECOND
WALL = 1_700_000_000 * SECOND


@dataclass
class Link:
    """How the network treats a datagram. Times in nanoseconds, chances from 0 to 1."""

    delay: int = 10 * MILLISECOND
    jitter: int = 0  # added at random, so that datagrams overtake each other
    loss: float = 0.0
    duplicate: float = 0.0
    up: bool = True


@dataclass
class Sent:
    """A datagram as it left a device."""

    time: int
    sender: Device
    datagram: bytes
    path: Path

    @property
    def kind(self) -> int:
        return self.datagram[0]

    @property
    def is_keepalive(self) -> bool:
        return self.kind == 4 and len(self.datagram) == 32


@dataclass
class World:
    """Virtual time, the devices, and what was sent."""

    seed: int
    link: Link = field(default_factory=Link)
    timing: Timing = DEFAULT_TIMING
    now: int = START
    log: list[Sent] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.rng = random.Random(self.seed)
        self.devices: list[Device] = []
        self._queue: list[tuple[int, int, Callable[[], None]]] = []
        self._numbers = itertools.count()

    def add_device(self) -> Device:
        device = Device(self, len(self.devices) + 1)
        self.devices.append(device)
        return device

    def pair(self) -> tuple[Device, Device]:
        """Two devices that know each other and each other's endpoint."""
        first, second = self.add_device(), self.add_device()
        first.add_peer(second)
        second.add_peer(first)
        return first, second

    def at(self, time: int, action: Callable[[], None]) -> None:
        """Run `action` when virtual time has come to `time`."""
        heapq.heappush(self._queue, (time, next(self._numbers), action))

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        self.at(self.now + int(seconds * SECOND), action)

    def run(self, seconds: float) -> None:
        """Let time pass."""
        end = self.now + int(seconds * SECOND)
        while self._queue and self._queue[0][0] <= end:
            self.now, _, action = heapq.heappop(self._queue)
            action()
        self.now = end

    def run_until(self, condition: Callable[[], bool], limit: float) -> float:
        """Let time pass until the condition holds; returns how many seconds it took."""
        begin = self.now
        end = begin + int(limit * SECOND)
        while not condition():
            if not self._queue or self._queue[0][0] > end:
                raise AssertionError(f"did not happen within {limit} s (seed {self.seed})")
            self.now, _, action = heapq.heappop(self._queue)
            action()
        return (self.now - begin) / SECOND

    def transmit(self, sent: Sent) -> None:
        self.log.append(sent)
        if not self.link.up or self.rng.random() < self.link.loss:
            return
        copies = 2 if self.rng.random() < self.link.duplicate else 1
        source = sent.sender.address
        for _ in range(copies):
            delay = self.link.delay + (self.rng.randrange(self.link.jitter) if self.link.jitter else 0)
            self.at(self.now + delay, lambda: self._arrive(sent.datagram, source, sent.path.address))

    def _arrive(self, datagram: bytes, source: SocketAddress, destination: SocketAddress) -> None:
        for device in self.devices:
            if device.address == destination:
                device.receive(datagram, Path(source))

    def sent_by(self, device: Device, kind: int) -> list[Sent]:
        """What the device sent of one message type."""
        return [sent for sent in self.log if sent.sender is device and sent.kind == kind]


class Device:
    """One simulated device with the tunnel address 10.0.0.N and the outer address 192.0.2.N."""

    def __init__(self, world: World, number: int) -> None:
        self.world = world
        self.number = number
        self.address: SocketAddress = (f"192.0.2.{number}", 51820)
        self.private_key = PrivateKey(world.rng.randbytes(32))
        self.public_key = bytes(self.private_key.public_key())
        self.wall_offset = 0
        self.asleep = 0  # how far its `now` clock is ahead of the world's
        self.received: list[tuple[int, bytes]] = []
        self.logged: list[str] = []
        self._packet_numbers = itertools.count()
        self._timer_at: int | None = None
        self.boot()

    def boot(self) -> None:
        """Start afresh, with nothing remembered but the private key. Peers must be added again."""
        provider = make_provider()
        self.heart = self._make_heart(provider)
        self.control = ControlPlane(
            self.heart,
            provider,
            rng=self.world.rng,
            timing=self.world.timing,
            log=lambda _peer, text: self.logged.append(text),
            log_device=self.logged.append,
        )
        self.control.set_private_key(self.moment(), bytes(self.private_key))
        self.control.set_up(self.moment(), True)

    def _make_heart(self, provider: CryptoProvider) -> Heart | NativeHeart:
        if backend() == "native":
            from tests.support.native_heart import NativeHeart

            return NativeHeart(self.world.timing)
        return Heart(Admission(self.world.timing, self.world.rng), provider.invalid_tag, self.world.timing)

    def moment(self) -> Moment:
        return Moment(self.world.now + self.asleep, WALL + self.world.now - START + self.asleep + self.wall_offset)

    def tunnel_address(self) -> bytes:
        return bytes((10, 0, self.number >> 8, self.number & 255))

    def add_peer(self, other: Device, *, endpoint: bool = True, keepalive: int = 0, psk: bytes = bytes(32)) -> Peer:
        peer = self.control.add_peer(self.moment(), other.public_key)
        peer.preshared_key = psk
        if endpoint:
            host, port = other.address[:2]
            self.control.set_endpoint(self.moment(), peer, Endpoint(host, port))
        self.heart.insert_allowed_ip(peer.id, AllowedIP(other.tunnel_address(), 32))
        if keepalive:
            peer.set_persistent_keepalive(self.moment(), keepalive)
        self.settle()
        return peer

    def peer(self, other: Device) -> Peer:
        return self.control.peers[other.public_key]

    def packet_to(self, other: Device, size: int = 100) -> bytes:
        """An IPv4 packet with a number in its payload that no other packet has."""
        number = next(self._packet_numbers).to_bytes(8, "big")
        header = bytes((0x45, 0)) + size.to_bytes(2, "big") + bytes(4) + bytes((64, 17, 0, 0))
        return (header + self.tunnel_address() + other.tunnel_address() + number).ljust(size, b"\xaa")

    def send_to(self, other: Device, size: int = 100) -> bytes:
        packet = self.packet_to(other, size)
        self.heart.outbound(self.moment().now, packet)
        self.settle()
        return packet

    def receive(self, datagram: bytes, path: Path) -> None:
        self.heart.inbound(self.moment().now, datagram, path)
        self.settle()

    def got(self, packet: bytes) -> bool:
        return any(received == packet for _, received in self.received)

    def settle(self) -> None:
        """Do what the asyncio device does after each input: events, output, next timer."""
        while (event := self.heart.poll_event()) is not None:
            self.control.handle_event(self.moment(), event)
        datagrams, self.heart.datagrams = self.heart.datagrams, []
        packets, self.heart.packets = self.heart.packets, []
        for datagram, path, _ in datagrams:
            self.world.transmit(Sent(self.world.now, self, datagram, path))
        self.received += [(self.world.now, bytes(packet)) for packet in packets]
        deadline = self.control.next_timeout()
        if deadline is not None:
            wake = max(self.world.now, deadline - self.asleep)
            if self._timer_at is None or wake < self._timer_at:
                self._timer_at = wake
                self.world.at(wake, self._on_timer)

    def _on_timer(self) -> None:
        self._timer_at = None
        self.control.handle_timeout(self.moment())
        self.settle()

    def drops(self, reason: DropReason) -> int:
        return self.heart.drops()[reason]

    def sleep(self, seconds: float) -> None:
        """The machine sleeps: its clock moves on, nothing else does."""
        self.asleep += int(seconds * SECOND)
        self.settle()
