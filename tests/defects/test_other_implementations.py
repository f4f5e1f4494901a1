"""Mistakes of other implementations (`tests.defects.MISTAKES`) that no other test shows to be absent here."""

from __future__ import annotations

import asyncio
import random
import subprocess
import sys
from itertools import pairwise

import pytest

if sys.platform != "linux":
    pytest.skip("Linux only", allow_module_level=True)

from tests.defects.loopback import in_loop, nodes, stranger, udp
from tests.simulation.test_under_load import flood, junk_initiation
from tests.simulation.world import Device, Link, World
from tests.support.namespaces import OURS, Lab, connect, needs_namespaces, pair, wait_for
from wgtun import Endpoint
from wgtun.allowed_ip import AllowedIP
from wgtun.constants import MILLISECOND, REJECT_AFTER_MESSAGES, REPLAY_WINDOW, SECOND, TYPE_INITIATION, TYPE_TRANSPORT
from wgtun.dataplane import DropReason, Keypair
from wgtun.noise.macs import MacGenerator
from wgtun.noise.providers import make_provider
from wgtun.path import Path
from wgtun.uapi.model import PeerChange, SetRequest

KEYS = bytes(range(32)), bytes(range(32, 64))


# --- counters --------------------------------------------------------------------------------------


def session(world: World) -> tuple[Device, Device]:
    """Alice and bob with a session whose keys are `KEYS`; alice is its initiator."""
    alice, bob = world.pair()
    for device, other, initiator in ((alice, bob, True), (bob, alice, False)):
        # Each with AEADs of its own, as after a handshake.
        there, back = (make_provider().aead(key) for key in KEYS)
        local, remote = (1, 2) if initiator else (2, 1)
        keypair = Keypair(there, back, local, remote, True) if initiator else Keypair(back, there, local, remote, False)
        device.control._context.indices._peers[local] = device.peer(other)
        device.heart.install_keypair(device.moment().now, device.peer(other).id, keypair)
    return alice, bob


def sealed(counter: int, packet: bytes) -> bytes:
    """A transport message of alice, as any implementation would make it."""
    header = bytes((TYPE_TRANSPORT, 0, 0, 0)) + (2).to_bytes(4, "little") + counter.to_bytes(8, "little")
    return header + make_provider().aead(KEYS[0]).encrypt(bytes(4) + counter.to_bytes(8, "little"), packet, None)


@pytest.mark.mistake("nonce counter narrower than 64 bits")
@pytest.mark.parametrize("bits", [16, 31, 32, 33, 62, 63])
def test_counters_have_64_bits(bits: int) -> None:
    """With fewer, the second message would have the nonce of the first, and be refused."""
    world = World(seed=1)
    alice, bob = session(world)
    for counter in (5, 2**bits + 5):
        packet = alice.packet_to(bob)
        bob.receive(sealed(counter, packet), Path(alice.address))
        assert bob.got(packet), counter


@pytest.mark.mistake("reject-after-messages not enforced")
def test_the_last_counters_are_not_used() -> None:
    world = World(seed=1)
    alice, bob = session(world)
    for counter, accepted in (
        (REJECT_AFTER_MESSAGES, False),
        (2**64 - 1, False),
        (REJECT_AFTER_MESSAGES - 1, True),
        (REJECT_AFTER_MESSAGES - 1, False),
        (REJECT_AFTER_MESSAGES, False),
        (REJECT_AFTER_MESSAGES - REPLAY_WINDOW, True),
    ):
        packet = alice.packet_to(bob)
        bob.receive(sealed(counter, packet), Path(alice.address))
        assert bob.got(packet) is accepted, counter
    alice.heart.exhaust_keypairs(alice.peer(bob).id)  # as if they had been sent
    packet = alice.send_to(bob)
    assert not world.sent_by(alice, TYPE_TRANSPORT)
    world.run(seconds=1)
    assert bob.got(packet), "under the keys of the next session"


# --- datagrams -------------------------------------------------------------------------------------

LARGE_DATAGRAMS = """
import socket, sys
out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
to = (sys.argv[1], 51820)
for kind in (1, 2, 3, 4, 5):
    start = bytes((kind, 0, 0, 0))
    for size in (1, 4, 1420, 1453, 2048, 9000, 65507):
        out.sendto((start + bytes(65507))[:size], to)
    for size in (1, 31, 32, 92, 148, 1000):
        segment = (start + bytes(size))[:size]
        for count, rest in ((2, b""), (64, b""), (60, segment[: size // 2])):
            train = (segment * count + rest)[:65507]
            out.sendmsg([train], [(17, 103, size.to_bytes(2, sys.byteorder))], 0, to)
"""


@pytest.mark.netns
@needs_namespaces
@pytest.mark.mistake("an oversized or coalesced datagram that crashes a receiver")
def test_oversized_and_coalesced_datagrams() -> None:
    with Lab() as lab:
        one, two = pair(lab)
        one.ping(two)
        session_before = two.show("latest-handshakes")
        for host in (one.host, two.host):
            host.ip("link", "set", host.device, "mtu", "1500")
        one.host.run(sys.executable, "-c", LARGE_DATAGRAMS, two.host.outer)
        one.ping(two)
        assert two.process.poll() is None
        assert two.show("latest-handshakes") == session_before


# --- who may send what -----------------------------------------------------------------------------


@pytest.mark.mistake("a larger subnet gives the use of another peer's nested address")
@pytest.mark.parametrize("nested_first", [False, True])
def test_a_nested_address_belongs_to_its_peer_alone(nested_first: bool) -> None:
    world = World(seed=1)
    server, wide, nested = (world.add_device() for _ in range(3))
    subnet = AllowedIP.parse("10.0.0.0/8")
    for client in (nested, wide) if nested_first else (wide, nested):
        server.add_peer(client)
        client.add_peer(server)
        if client is wide:
            server.heart.insert_allowed_ip(server.peer(wide).id, subnet)
    honest = wide.send_to(server)
    world.run(seconds=1)
    assert server.got(honest)
    forged = bytearray(wide.packet_to(server))
    forged[12:16] = nested.tunnel_address()
    wide.heart.outbound(wide.moment().now, bytes(forged))
    wide.settle()
    world.run(seconds=1)
    assert not server.got(bytes(forged))
    assert server.drops(DropReason.DISALLOWED_SOURCE) == 1
    answer = server.send_to(nested)
    world.run(seconds=1)
    assert nested.got(answer)


# --- handshakes under load -------------------------------------------------------------------------


@pytest.mark.mistake("one attacker puts every peer into cookie mode")
def test_a_steady_attacker_costs_the_peers_nothing() -> None:
    """Only messages that pile up mean load, not how many came in a second."""
    world = World(seed=1)
    alice, bob = world.pair()
    for number in range(2000):
        bob.receive(junk_initiation(bob, number), Path(("198.51.100.1", 1000)))
        world.run(seconds=0.001)
    packet = alice.send_to(bob)
    world.run(seconds=0.1)
    assert bob.got(packet)
    assert not world.sent_by(bob, 3)


@pytest.mark.mistake("one attacker puts every peer into cookie mode")
def test_the_rate_of_an_attacker_is_its_own() -> None:
    """Under load, somebody who has a cookie and uses up all the rate there is leaves others theirs."""
    world = World(seed=1)
    _, bob = world.pair()
    flood(bob, 200)
    attacker, victim = (Initiator(bob, (f"198.51.100.{number}", 1000)) for number in (1, 2))
    attacker.send()
    victim.send()
    for _ in range(100):
        attacker.send()
    before = bob.drops(DropReason.RATE_LIMITED)
    assert before
    assert victim.send() is None
    assert bob.drops(DropReason.RATE_LIMITED) == before


class Initiator:
    """Somebody who knows only the public key of a device, but keeps the cookies that it gives."""

    def __init__(self, device: Device, address: tuple[str, int]) -> None:
        self.device = device
        self.address = address
        self.macs = MacGenerator(device.public_key)

    def send(self) -> bytes | None:
        """One initiation; returns the cookie reply, if there is one."""
        heart, now = self.device.heart, self.device.moment().now
        heart.datagrams = []
        body = bytes((TYPE_INITIATION, 0, 0, 0)) + bytes(112)
        heart.inbound(now, self.macs.append_macs(now, body, 120 * SECOND), Path(self.address))
        if not heart.datagrams:
            return None
        ((reply, path, _),) = heart.datagrams
        assert path.address == self.address
        self.macs.consume_cookie_reply(now, reply)
        return reply


@pytest.mark.mistake("cookie without the port")
@pytest.mark.parametrize("moved", [("198.51.100.1", 1001), ("198.51.100.1", 1000 ^ 256), ("198.51.100.2", 1000)])
def test_a_cookie_is_for_one_address_and_port(moved: tuple[str, int]) -> None:
    world = World(seed=1)
    _, bob = world.pair()
    flood(bob, 200)
    sender = Initiator(bob, ("198.51.100.1", 1000))
    assert sender.send() is not None
    assert sender.send() is None, "the cookie is good"
    sender.address = moved
    assert sender.send() is not None, "it is not good here"


@pytest.mark.mistake("endpoint moved by a cookie reply or before authentication")
def test_a_good_cookie_reply_from_elsewhere_moves_nothing() -> None:
    """Nor do the unauthenticated messages before and after it."""
    world = World(seed=1)
    alice, bob = world.pair()
    flood(bob, 200)
    elsewhere = Path(("203.0.113.66", 6666))
    true_path = alice.heart.peer_status(alice.peer(bob).id).path
    world.link.up = False
    alice.send_to(bob)
    (initiation,) = world.sent_by(alice, 1)
    bob.heart.inbound(bob.moment().now, initiation.datagram, Path(alice.address))
    reply = bob.heart.datagrams[-1][0]
    assert reply[0] == 3
    index = initiation.datagram[4:8]
    for message in (reply, bytes((2, 0, 0, 0)) + bytes(4) + index + bytes(80), bytes((4, 0, 0, 0)) + index + bytes(24)):
        alice.receive(message, elsewhere)
        assert alice.heart.peer_status(alice.peer(bob).id).path == true_path
    world.run(seconds=6)
    assert world.sent_by(alice, 1)[-1].datagram[-16:] != bytes(16), "the cookie itself was taken"
    assert {sent.path.address for sent in world.log if sent.sender is alice} == {bob.address}


# --- handshakes and timers -------------------------------------------------------------------------


@pytest.mark.mistake("responses dropped when late but valid")
@pytest.mark.parametrize("round_trip", [1.0, 3.0, 4.9])
def test_a_late_response_is_taken(round_trip: float) -> None:
    """Up to the next try, which takes the place of the one before."""
    world = World(seed=1, link=Link(delay=int(round_trip / 2 * SECOND)))
    alice, bob = world.pair()
    packet = alice.send_to(bob)
    world.run_until(lambda: bob.got(packet), limit=round_trip * 1.5 + 0.1)
    assert len(world.sent_by(alice, 1)) == 1
    world.log.clear()
    world.run(seconds=125)
    for _ in range(20):  # and when a session that is in use is renewed
        alice.send_to(bob)
        world.run(seconds=0.5)
    assert len(world.sent_by(alice, 1)) == 1
    assert alice.logged.count("Received handshake response") == 2


@pytest.mark.mistake("excessive rekeys")
def test_an_hour_of_traffic_both_ways_on_a_jittery_link() -> None:
    world = World(seed=1, link=Link(jitter=200 * MILLISECOND))
    alice, bob = world.pair()
    for _ in range(3600):
        alice.send_to(bob)
        bob.send_to(alice)
        world.run(seconds=1)
    initiations = len(world.sent_by(alice, 1)) + len(world.sent_by(bob, 1))
    assert 29 <= initiations <= 33


@pytest.mark.mistake("panic or wrong timers when the clock steps")
@pytest.mark.parametrize("years", [-60, -1, 60])
def test_a_wall_clock_that_steps_by_years(years: int) -> None:
    """Even to before 1970. Who went back can't start a handshake, as its timestamps are old, but answers one."""
    world = World(seed=1)
    alice, bob = world.pair()
    alice.send_to(bob)
    world.run(seconds=10)
    alice.wall_offset = years * 365 * 86400 * SECOND
    for second in range(300):
        packets = alice.send_to(bob), bob.send_to(alice)
        world.run(seconds=1)
        if second < 100:
            assert bob.got(packets[0])
            assert alice.got(packets[1])
    world.run(seconds=10)
    assert bob.got(packets[0])
    assert alice.got(packets[1])


@pytest.mark.mistake("predictable indices")
@in_loop
async def test_indices_are_random() -> None:
    """Neither counted nor drawn from a generator that a seed fixes."""
    drawn = []
    for _ in range(2):
        random.seed(1)
        async with nodes(1) as (node,):
            with udp() as listener:
                endpoint = Endpoint(*listener.getsockname())
                node.device.set(
                    SetRequest(
                        peers=[
                            PeerChange(stranger(number), endpoint=endpoint, persistent_keepalive=25)
                            for number in range(1, 65)
                        ]
                    )
                )
                async with asyncio.timeout(10):
                    for _ in range(64):
                        message = await asyncio.get_running_loop().sock_recv(listener, 2000)
                        drawn.append(int.from_bytes(message[4:8], "little"))
    assert len(set(drawn)) == 128
    for bit in range(32):  # each half of the time; 16 in 128 is more than 8 deviations off
        assert 16 < sum(index >> bit & 1 for index in drawn) < 112, bit
    steps = [second - first for first, second in pairwise(drawn)]
    assert len(set(steps)) == len(steps)


# --- hosts and interfaces --------------------------------------------------------------------------


@pytest.mark.netns
@needs_namespaces
@pytest.mark.mistake("source port 65535")
@pytest.mark.parametrize("ipv6", [False, True])
def test_port_65535(ipv6: bool) -> None:
    with Lab() as lab:
        left, right = lab.joined_hosts()
        one, two = left.start(OURS), right.start(OURS)
        one.port = 65535
        one.up()
        two.up()
        connect(one, two, ipv6=ipv6)
        one.ping(two)
        two.ping(one)
        assert two.show("endpoints").endswith(":65535")


@pytest.mark.netns
@needs_namespaces
@pytest.mark.mistake("extreme MTUs set while running")
def test_extreme_mtus() -> None:
    with Lab() as lab:
        one, two = pair(lab)
        flood = one.host.popen(
            "ping", "-q", "-i", "0.002", "-w", "60", two.address, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        for mtu in (68, 65535, 69, 576, 1280, 9000, 65503, 68, 1420):
            for tunnel in (one, two):
                tunnel.host.ip("link", "set", tunnel.interface, "mtu", str(mtu))
            largest = min(mtu, 65535 - 80) - 28
            for size in (0, largest - 1, largest):
                # What is too big for the veth pair may go in fragments.
                one.host.run("ping", "-n", "-M", "dont", "-s", str(size), "-c", "1", "-W", "8", two.address)
        flood.terminate()
        flood.wait(10)
        for tunnel in (one, two):
            assert tunnel.process.poll() is None


@pytest.mark.netns
@needs_namespaces
@pytest.mark.mistake("two devices with the same port")
def test_two_devices_with_the_same_port() -> None:
    """The second is told, and gets the port when it is free; the first does not notice."""
    with Lab() as lab:
        one, two = pair(lab)
        one.ping(two)
        late = one.host.start(OURS)
        late.wg("set", late.interface, "private-key", "/dev/stdin", "listen-port", "51820", text=late.private_key)
        late.add_peer(two, f"{two.host.outer}:51820", keepalive=1)
        two.wg("set", two.interface, "peer", late.public_key)
        one.host.ip("link", "set", late.interface, "up")
        words = ["wg", "set", late.interface, "listen-port", "51820"]
        refused = subprocess.run(words, capture_output=True, text=True, check=False)
        assert refused.returncode == 1
        assert "in use" in refused.stderr
        one.ping(two)
        one.host.ip("link", "set", one.interface, "down")
        found = f"{late.public_key}\t{one.host.outer}:51820"
        wait_for(lambda: found in two.show("endpoints"), what="the second device has the port")


# --- keys ------------------------------------------------------------------------------------------

LOW_ORDER = [
    bytes(32),
    b"\x01" + bytes(31),
    bytes.fromhex("e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800"),
    bytes.fromhex("5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157"),
    b"\xec" + b"\xff" * 30 + b"\x7f",
    b"\xed" + b"\xff" * 30 + b"\x7f",
    b"\xee" + b"\xff" * 30 + b"\x7f",
]


@pytest.mark.mistake("all-zero or low-order keys")
@pytest.mark.parametrize("key", LOW_ORDER, ids=lambda key: key[:4].hex())
def test_a_peer_with_a_low_order_key_gets_nothing_and_disturbs_nobody(key: bytes) -> None:
    world = World(seed=1)
    alice, bob = world.pair()
    peer = alice.control.add_peer(alice.moment(), key)
    alice.heart.insert_allowed_ip(peer.id, AllowedIP.parse("10.9.0.0/16"))
    alice.control.set_endpoint(alice.moment(), peer, Endpoint("203.0.113.1", 1))
    peer.set_persistent_keepalive(alice.moment(), 1)
    alice.settle()
    world.run(seconds=100)
    assert not world.log
    packet = alice.send_to(bob)
    world.run(seconds=1)
    assert bob.got(packet)


@pytest.mark.mistake("all-zero or low-order keys")
@pytest.mark.parametrize("key", LOW_ORDER, ids=lambda key: key[:4].hex())
def test_an_initiation_with_a_low_order_ephemeral_key_is_refused(key: bytes) -> None:
    world = World(seed=1)
    _, bob = world.pair()
    body = bytes((TYPE_INITIATION, 0, 0, 0)) + bytes(4) + key + bytes(76)
    bob.receive(MacGenerator(bob.public_key).append_macs(0, body, 0), Path(("203.0.113.1", 1)))
    assert bob.drops(DropReason.BAD_HANDSHAKE) == 1
    assert not world.log
