"""Both hearts, fed with the same script, must give the same bytes, packets, events and counters.

Random scripts of everything that the control plane and the network do: peers and allowed IPs that
come, move and go, sessions of both roles, packets of every kind, datagrams that are reordered,
replayed, changed, cut, sent to the wrong side, trains, time that passes. WGTUN_SEED and WGTUN_RUNS
choose and repeat.
"""

from __future__ import annotations

import os
import random
from collections.abc import Callable, Iterable
from itertools import groupby
from typing import Any

import pytest

from wgtun.allowed_ip import AllowedIP
from wgtun.constants import (
    MAX_STAGED_IN_ALL,
    MAX_STAGED_PACKETS,
    MILLISECOND,
    REJECT_AFTER_MESSAGES,
    SECOND,
    TYPE_COOKIE_REPLY,
    Timing,
)
from wgtun.dataplane import DropReason, Keypair
from wgtun.engine.python.heart import Heart
from wgtun.keys import PrivateKey
from wgtun.noise.macs import MacGenerator
from wgtun.noise.pyca import PycaProvider
from wgtun.path import Path, Source
from wgtun.protocol.admission import Admission

wgtun_native = pytest.importorskip("wgtun_native", reason="the native engine is not built")

from tests.support.native_heart import NativeHeart

SEED = int(os.environ.get("WGTUN_SEED", "1"))
RUNS = int(os.environ.get("WGTUN_RUNS", "300"))
STEPS = 120
PUBLIC_KEY = bytes(PrivateKey(bytes(range(32))).public_key())
# Short, so that a script of a minute sees sessions age and expire.
TIMING = Timing(rekey_after=20 * SECOND, reject_after=40 * SECOND, keepalive_timeout=4 * SECOND)

SOURCES = (
    None,
    Source(bytes((192, 0, 2, 99)), 3),
    Source(bytes((0xFE, 0x80, *bytes(13), 1)), 4),
)
ADDRESSES = (("192.0.2.1", 51820), ("192.0.2.2", 4500), ("2001:db8::7", 51820, 0, 0), ("fe80::1", 51820, 0, 4))


class Side:
    """One heart and what it gave."""

    def __init__(self, heart: Any, provider: Any) -> None:
        self.heart = heart
        self.provider = provider

    def take(self, peers: Iterable[int]) -> tuple[object, ...]:
        events = []
        while (event := self.heart.poll_event()) is not None:
            events.append(event)
        datagrams = [(bytes(datagram), *way) for datagram, *way in self.heart.datagrams]
        packets = [bytes(packet) for packet in self.heart.packets]
        self.heart.datagrams, self.heart.packets = [], []
        return datagrams, packets, events, self.heart.drops(), [self.heart.drops(peer) for peer in peers]


class Script:
    """Does the same to both."""

    def __init__(self, seed: int) -> None:
        self.rng = rng = random.Random(seed)
        self.now = 1000 * SECOND
        self.python = Side(Heart(Admission(TIMING, rng), PycaProvider.invalid_tag, TIMING), PycaProvider())
        self.native = Side(NativeHeart(TIMING), wgtun_native.Provider())
        self.sides = (self.python, self.native)
        self.peers: list[int] = []
        self.next_peer = 1
        self.keys: list[tuple[int, int, bytes, bytes]] = []  # local and remote index, to us, from us
        self.counters: dict[int, int] = {}
        self.prefixes = [self.random_prefix() for _ in range(6)]
        self.wire: list[bytes] = []
        self.each(lambda side: side.heart.set_public_key(PUBLIC_KEY))
        self.each(lambda side: side.heart.set_up(True))

    def each(self, action: Callable[[Side], object]) -> None:
        results = [action(side) for side in self.sides]
        assert results[0] == results[1]

    # --- the material ------------------------------------------------------------------------------

    def random_prefix(self) -> AllowedIP:
        if self.rng.random() < 0.6:
            return AllowedIP.masked(
                bytes((10, self.rng.randrange(3), 0, self.rng.randrange(4))), self.rng.choice((0, 8, 16, 31, 32))
            )
        address = bytes((0xFD, *bytes(13), self.rng.randrange(2), self.rng.randrange(4)))
        return AllowedIP.masked(address, self.rng.choice((0, 8, 120, 127, 128)))

    def random_path(self) -> Path:
        return Path(self.rng.choice(ADDRESSES), self.rng.choice(SOURCES))

    def packet(self) -> bytes:
        """An IP packet, sometimes a malformed one."""
        rng = self.rng
        size = rng.choice((0, 1, 19, 20, 39, 40, 41, 60, 64, 100, 576, 1280, 1419, 1420, 1421, 3000))
        body = bytearray(rng.randbytes(size))
        if size and rng.random() < 0.95:
            first, second = rng.choice(self.prefixes), rng.choice(self.prefixes)
            length = size if rng.random() < 0.8 else rng.randrange(size + 40)
            if rng.random() < 0.6 and size >= 20:
                body[0] = 0x45 if rng.random() < 0.9 else 0x40 | rng.randrange(16)
                body[2:4] = length.to_bytes(2, "big")
                body[6:8] = bytes((rng.choice((0, 0x40)), 0))  # whether it may be fragmented
                body[9] = rng.choice((1, 6, 17))
                body[12:16] = first.address if len(first.address) == 4 else bytes((10, 0, 0, 1))
                body[16:20] = second.address if len(second.address) == 4 else bytes((10, 0, 0, 2))
            elif size >= 40:
                body[0] = 0x60 | rng.randrange(16)
                body[4:6] = max(0, length - 40).to_bytes(2, "big")
                body[6] = rng.choice((6, 17, 58))
                body[8:24] = first.address if len(first.address) == 16 else bytes((0xFD, *bytes(15)))
                body[24:40] = second.address if len(second.address) == 16 else bytes((0xFD, *bytes(14), 1))
        return bytes(body)

    def transport(self) -> bytes:
        """A datagram that the other side of a session sealed; or one that comes again, or is spoilt."""
        rng = self.rng
        if self.wire and rng.random() < 0.3:
            datagram = rng.choice(self.wire)
        elif self.keys:
            local, _, to_us, _ = rng.choice(self.keys[-8:])
            counter = self.counters.get(local, 0)
            if rng.random() < 0.2:
                counter = max(0, counter - rng.randrange(9000))
            elif rng.random() < 0.1:
                counter += rng.choice((1, 63, 64, 65, 8127, 8128, 8129, 20000))
            elif rng.random() < 0.01:
                counter = REJECT_AFTER_MESSAGES - rng.randrange(3)
            if counter < 2**62:
                self.counters[local] = max(counter + 1, self.counters.get(local, 0))
            packet = b"" if rng.random() < 0.2 else self.packet()
            packet += bytes(-len(packet) % 16 if rng.random() < 0.9 else 0)
            sealed = self.python.provider.aead(to_us).encrypt(bytes(4) + counter.to_bytes(8, "little"), packet, None)
            datagram = b"\4\0\0\0" + local.to_bytes(4, "little") + counter.to_bytes(8, "little") + sealed
            self.wire = [*self.wire[-30:], datagram]
        else:
            datagram = rng.randbytes(rng.randrange(100))
        if rng.random() < 0.1 and datagram:
            spoilt = bytearray(datagram)
            spoilt[rng.randrange(len(spoilt))] ^= 1 << rng.randrange(8)
            datagram = bytes(spoilt)
        return datagram[: rng.randrange(len(datagram) + 1)] if rng.random() < 0.05 else datagram

    def handshake(self) -> bytes:
        kind, size = self.rng.choice(((1, 148), (2, 92)))
        message = kind.to_bytes(4, "little") + self.rng.randbytes(size - 36)
        message = MacGenerator(PUBLIC_KEY).append_macs(self.now, message, TIMING.cookie_lifetime)
        return message if self.rng.random() < 0.8 else self.rng.randbytes(4).join((message[:4], message[8:]))

    # --- the steps -----------------------------------------------------------------------------------

    def step(self) -> None:
        rng = self.rng
        self.now += rng.choice((0, 0, 1, MILLISECOND, 30 * MILLISECOND, SECOND, rng.randrange(5 * SECOND)))
        kinds = [self.do_outbound, self.do_inbound, self.do_configure, self.do_session, self.do_send]
        rng.choices(kinds, (30, 35, 12, 8, 6))[0]()
        self.compare()

    def compare(self) -> None:
        first, second = (side.take(self.peers) for side in self.sides)
        assert _comparable(first) == _comparable(second)
        self.each(lambda side: side.heart.holdings())
        for peer in self.peers:
            self.each(lambda side, peer=peer: side.heart.peer_status(peer))  # type: ignore[misc]
            self.each(lambda side, peer=peer: side.heart.activity(peer))  # type: ignore[misc]
            self.each(lambda side, peer=peer: side.heart.has_session(self.now, peer))  # type: ignore[misc]
            self.each(lambda side, peer=peer: list(side.heart.allowed_ips(peer)))  # type: ignore[misc]

    def do_outbound(self) -> None:
        packet = self.packet()
        for _ in range(200 if self.rng.random() < 0.02 else 1):
            self.each(lambda side: side.heart.outbound(self.now, packet))

    def do_inbound(self) -> None:
        rng = self.rng
        path, traffic_class = self.random_path(), rng.choice((0, 0, 1, 2, 3, 255))
        choice = rng.random()
        if choice < 0.15:
            datagrams = [self.handshake()]
        elif choice < 0.2:
            index = rng.choice([*(local for local, *_ in self.keys), 5])
            datagrams = [TYPE_COOKIE_REPLY.to_bytes(4, "little") + index.to_bytes(4, "little") + rng.randbytes(56)]
        else:
            datagrams = [self.transport() for _ in range(rng.choice((1, 1, 1, 4, 20)))]
        # What arrives together has one size; nothing comes with nothing.
        for size, same in groupby(datagrams, len):
            train = list(same) if size else [b""]
            for datagram in train:
                self.python.heart.inbound(self.now, datagram, path, traffic_class)
            self.native.heart.inbound_train(self.now, train, path, traffic_class)

    def do_configure(self) -> None:
        rng = self.rng
        if not self.peers or rng.random() < 0.15:
            self.peers.append(self.next_peer)
            self.each(lambda side: side.heart.add_peer(self.next_peer))
            self.next_peer += 1
            return
        peer, prefix, path = rng.choice(self.peers), rng.choice(self.prefixes), self.random_path()
        mtu, up = rng.choice((0, 576, 1280, 1420, 1500)), rng.random() < 0.8
        narrow = rng.choice((0, 100, 640, 1280, 1400))
        actions: list[tuple[int, Callable[[Side], object]]] = [
            (8, lambda side: side.heart.insert_allowed_ip(peer, prefix)),
            (2, lambda side: side.heart.remove_allowed_ip(peer, prefix)),
            (1, lambda side: side.heart.clear_allowed_ips(peer)),
            (6, lambda side: side.heart.set_path(peer, path)),
            (1, lambda side: side.heart.forget_source(peer)),
            (2, lambda side: side.heart.refuse_source(self.now, peer)),
            (1, lambda side: side.heart.allow_source(peer)),
            (2, lambda side: side.heart.narrow_path(self.now, path.address, narrow)),
            (1, lambda side: side.heart.set_mtu(mtu)),
            (1, lambda side: side.heart.set_up(up)),
            (1, lambda side: side.heart.drop_staged(peer)),
            (1, lambda side: side.heart.rearm_unanswered(peer)),
            (1, lambda side: side.heart.rearm_unacknowledged(peer)),
        ]
        if rng.random() < 0.05:
            self.peers.remove(peer)
            self.each(lambda side: side.heart.remove_peer(peer))
            return
        self.each(rng.choices([action for _, action in actions], [weight for weight, _ in actions])[0])

    def do_session(self) -> None:
        if not self.peers:
            return
        rng = self.rng
        peer = rng.choice(self.peers)
        if rng.random() < 0.15:
            self.each(lambda side: side.heart.erase_keypairs(peer))
        elif rng.random() < 0.1:
            self.each(lambda side: side.heart.exhaust_keypairs(peer))
        else:
            to_us, from_us, local, remote = (
                rng.randbytes(32),
                rng.randbytes(32),
                rng.getrandbits(32),
                rng.getrandbits(32),
            )
            initiator = rng.random() < 0.5
            self.keys.append((local, remote, to_us, from_us))
            for side in self.sides:
                send, receive = side.provider.aead(from_us), side.provider.aead(to_us)
                side.heart.install_keypair(self.now, peer, Keypair(send, receive, local, remote, initiator))

    def do_send(self) -> None:
        if not self.peers:
            return
        peer, path = self.rng.choice(self.peers), self.random_path()
        index = self.rng.choice([*(local for local, *_ in self.keys), 5])
        message = b"\1\0\0\0" + index.to_bytes(4, "little") + self.rng.randbytes(140)
        self.each(
            self.rng.choice(
                (
                    lambda side: side.heart.send_keepalive(self.now, peer),
                    lambda side: side.heart.send_handshake(self.now, peer, message),
                    lambda side: side.heart.handshake_authenticated(self.now, peer, path, 148),
                )
            )
        )


def _comparable(taken: tuple[Any, ...]) -> tuple[object, ...]:
    """All but the cookies: their secrets and nonces are random."""
    datagrams, *rest = taken
    masked = [
        (datagram[:8] if datagram[0] == TYPE_COOKIE_REPLY else datagram, path, traffic_class)
        for datagram, path, traffic_class in datagrams
    ]
    return masked, *rest


@pytest.mark.parametrize("seed", range(SEED, SEED + RUNS))
def test_the_same_script_gives_the_same(seed: int) -> None:
    script = Script(seed)
    try:
        for _ in range(STEPS):
            script.step()
    except AssertionError as error:
        raise AssertionError(f"the hearts differ: WGTUN_SEED={seed} WGTUN_RUNS=1\n{error}") from error


def test_both_stage_a_bounded_number_of_packets() -> None:
    script = Script(SEED)
    for peer in range(1000, 1000 + MAX_STAGED_IN_ALL // MAX_STAGED_PACKETS + 5):
        prefix = AllowedIP(bytes((10, 9, 9, peer % 256)), 32)
        packet = b"\x45\0\0\x14" + bytes(12) + prefix.address
        for side in script.sides:
            side.heart.add_peer(peer)
            side.heart.set_path(peer, Path(ADDRESSES[0]))
            side.heart.insert_allowed_ip(peer, prefix)
            for _ in range(MAX_STAGED_PACKETS):
                side.heart.outbound(script.now, packet)
        script.peers.append(peer)
    script.compare()
    assert script.native.heart.holdings().staged == MAX_STAGED_IN_ALL + 5


def test_scripts_reach_every_reason_and_event() -> None:
    """A script that never gets anywhere compares nothing."""
    reached: set[DropReason] = set()
    events: set[str] = set()
    packets = datagrams = 0
    for seed in range(150):
        script = Script(seed)
        script.compare = lambda: None  # type: ignore[method-assign]
        for _ in range(STEPS):
            script.step()
            taken = script.python.take(script.peers)
            script.native.take(script.peers)
            datagrams += len(taken[0])  # type: ignore[arg-type]
            packets += len(taken[1])  # type: ignore[arg-type]
            events |= {type(event).__name__ for event in taken[2]}  # type: ignore[attr-defined]
        reached |= {reason for reason, count in script.python.heart.drops().items() if count}
    of_io = {DropReason.SEND_FAILED, DropReason.TUN_WRITE_FAILED, DropReason.RECEIVE_ERROR, DropReason.BAD_HANDSHAKE}
    of_floods = {DropReason.UNDER_LOAD, DropReason.RATE_LIMITED, DropReason.HANDSHAKE_BACKLOG}
    assert set(DropReason) - of_io - of_floods <= reached
    assert events >= {
        "HandshakeReceived", "SessionNeeded", "SessionAging", "SessionConfirmed",
        "DataUnanswered", "DataUnacknowledged", "KeypairRetired",
    }  # fmt: skip
    assert packets > 500
    assert datagrams > 1000
