"""Two peers, one link: what the paper promises about a session's life."""

from __future__ import annotations

from itertools import pairwise

import pytest

from tests.simulation.world import Device, Link, World
from wgtun.constants import DEFAULT_TIMING, MILLISECOND, SECOND
from wgtun.dataplane import DropReason
from wgtun.endpoint import Endpoint
from wgtun.keys import PrivateKey
from wgtun.path import Path


def talk(world: World, sender: Device, receiver: Device, *, every: float, seconds: float) -> list[bytes]:
    """Send a packet every so often while time passes; returns the packets."""
    packets = []
    for _ in range(int(seconds / every)):
        packets.append(sender.send_to(receiver))
        world.run(every)
    return packets


def test_first_packet_makes_a_session_and_arrives() -> None:
    world = World(seed=1)
    alice, bob = world.pair()
    packet = alice.send_to(bob)
    world.run(seconds=1)
    assert bob.got(packet)
    assert [sent.kind for sent in world.log] == [1, 2, 4]


def test_packets_wait_for_the_session_and_keep_their_order() -> None:
    world = World(seed=2)
    alice, bob = world.pair()
    packets = [alice.send_to(bob) for _ in range(20)]
    world.run(seconds=1)
    assert [packet for _, packet in bob.received] == packets


def test_an_initiator_without_data_confirms_with_a_keepalive() -> None:
    world = World(seed=3)
    alice, bob = world.pair()
    alice.peer(bob).request_session(alice.moment())
    alice.settle()
    world.run(seconds=1)
    assert [sent.kind for sent in world.log] == [1, 2, 4]
    assert world.log[-1].is_keepalive
    assert bob.peer(alice).last_handshake
    assert alice.peer(bob).last_handshake


@pytest.mark.mistake("excessive rekeys")
def test_traffic_renews_the_session_every_two_minutes_and_never_else() -> None:
    world = World(seed=4)
    alice, bob = world.pair()
    packets = talk(world, alice, bob, every=1, seconds=3600)
    times = [sent.time for sent in world.sent_by(alice, 1)]
    assert all(120 <= (b - a) / SECOND <= 122 for a, b in pairwise(times))
    assert len(times) == 3600 // 121 + 1
    assert not world.sent_by(bob, 1)
    assert [packet for _, packet in bob.received] == packets


@pytest.mark.mistake("excessive rekeys")
def test_traffic_both_ways_renews_once_not_twice() -> None:
    world = World(seed=5)
    alice, bob = world.pair()
    alice.send_to(bob)
    world.run(seconds=1)
    for _ in range(600):
        alice.send_to(bob)
        bob.send_to(alice)
        world.run(seconds=1)
    assert len(world.sent_by(alice, 1)) == 1 + 600 // 121
    assert not world.sent_by(bob, 1)
    assert len(alice.received) == len(bob.received) - 1 == 600


def test_an_initiator_that_only_receives_renews_before_the_end() -> None:
    world = World(seed=6)
    alice, bob = world.pair()
    alice.send_to(bob)
    world.run(seconds=1)
    for _ in range(100):
        bob.send_to(alice)
        world.run(seconds=2)
    renewals = [(sent.time - world.log[0].time) / SECOND for sent in world.sent_by(alice, 1)][1:]
    # Alice answers with keepalives after 120 s of age, which renew as any sent packet does.
    assert 120 <= renewals[0] <= 132
    assert len(alice.received) == 100


@pytest.mark.mistake("passive keepalives answer keepalives for ever")
def test_idle_peers_fall_silent() -> None:
    world = World(seed=7)
    alice, bob = world.pair()
    alice.send_to(bob)
    world.run(seconds=3600)
    assert [sent.kind for sent in world.log] == [1, 2, 4, 4]
    passive = world.log[-1]
    assert passive.sender is bob
    assert passive.is_keepalive
    assert passive.time - world.log[-2].time == 10 * SECOND + world.link.delay


def test_a_passive_keepalive_is_not_sent_when_data_goes_back() -> None:
    world = World(seed=8)
    alice, bob = world.pair()
    for _ in range(10):
        alice.send_to(bob)
        world.run(seconds=5)
        bob.send_to(alice)
        world.run(seconds=5)
    world.run(seconds=60)
    keepalives = [sent for sent in world.log if sent.is_keepalive]
    assert len(keepalives) == 1  # alice's, for bob's last packet
    assert keepalives[0].sender is alice


def test_one_way_traffic_is_acknowledged_every_ten_seconds() -> None:
    world = World(seed=9)
    alice, bob = world.pair()
    talk(world, alice, bob, every=0.1, seconds=100)
    keepalives = [sent for sent in world.sent_by(bob, 4) if sent.is_keepalive]
    assert 8 <= len(keepalives) <= 10
    assert len(world.sent_by(alice, 1)) == 1


def test_keys_are_erased_after_nine_minutes() -> None:
    world = World(seed=10)
    alice, bob = world.pair()
    alice.send_to(bob)
    world.run(seconds=539)
    assert alice.heart.holdings().sessions
    world.run(seconds=2)
    assert not alice.heart.holdings().sessions
    assert not bob.heart.holdings().sessions
    assert not len(alice.control._context.indices)
    packet = alice.send_to(bob)
    world.run(seconds=1)
    assert bob.got(packet)


def test_twenty_initiations_then_silence_then_new_traffic_tries_again() -> None:
    world = World(seed=11, link=Link(up=False))
    alice, bob = world.pair()
    alice.send_to(bob)
    world.run(seconds=1000)
    times = [(sent.time - world.log[0].time) / SECOND for sent in world.sent_by(alice, 1)]
    assert len(times) == 20
    assert all(5 <= b - a <= 5.334 for a, b in pairwise(times))
    assert alice.drops(DropReason.STAGED_DISCARDED) == 1
    alice.send_to(bob)
    assert len(world.sent_by(alice, 1)) == 21


def test_no_packet_is_accepted_twice() -> None:
    world = World(seed=12, link=Link(duplicate=0.5, jitter=300 * MILLISECOND))
    alice, bob = world.pair()
    packets = talk(world, alice, bob, every=0.05, seconds=60)
    world.run(seconds=1)
    received = [packet for _, packet in bob.received]
    assert sorted(received) == sorted(packets)
    assert bob.drops(DropReason.REPLAYED) > 100


def test_nothing_is_sent_or_accepted_under_an_expired_key() -> None:
    world = World(seed=13)
    alice, bob = world.pair()
    alice.send_to(bob)
    world.run(seconds=170)
    world.link.up = False  # the renewal fails
    talk(world, alice, bob, every=1, seconds=60)
    data = world.sent_by(alice, 4)
    assert (data[-1].time - data[0].time) / SECOND < 180
    assert alice.drops(DropReason.STAGED_OVERFLOW) == 0
    world.link.up = True
    took = world.run_until(lambda: len(bob.received) > 40, limit=6)
    assert took <= 5.4


@pytest.mark.parametrize("loss", [0.1, 0.3])
def test_handshakes_come_through_loss(loss: float) -> None:
    world = World(seed=14, link=Link(loss=loss))
    for _ in range(20):
        alice, bob = world.pair()
        alice.send_to(bob)
        world.run_until(lambda bob=bob, alice=alice: bool(bob.received) or not alice.send_to(bob), limit=60)  # type: ignore[misc]


def test_simultaneous_initiations_converge() -> None:
    world = World(seed=15)
    alice, bob = world.pair()
    first, second = alice.send_to(bob), bob.send_to(alice)
    world.run(seconds=12)
    assert bob.got(first)
    assert alice.got(second)
    world.log.clear()
    alice.send_to(bob)
    bob.send_to(alice)
    world.run(seconds=1)
    assert [sent.kind for sent in world.log] == [4, 4]


def test_a_restarted_peer_is_found_again_when_it_has_something_to_say() -> None:
    world = World(seed=16)
    alice, bob = world.pair()
    alice.send_to(bob)
    world.run(seconds=30)
    bob.boot()
    bob.add_peer(alice)
    packet = bob.send_to(alice)
    world.run(seconds=1)
    assert alice.got(packet)
    answer = alice.send_to(bob)
    world.run(seconds=1)
    assert bob.got(answer)


def test_a_restarted_peer_that_only_listens_is_found_within_fifteen_seconds() -> None:
    world = World(seed=17)
    alice, bob = world.pair()
    alice.send_to(bob)
    world.run(seconds=30)
    bob.boot()
    bob.add_peer(alice)
    bob.received.clear()
    start = world.now
    while not bob.received:
        alice.send_to(bob)
        world.run(seconds=1)
    assert world.now - start <= 17 * SECOND
    assert bob.drops(DropReason.UNKNOWN_INDEX) > 10


def test_the_endpoint_follows_the_peer_through_a_rebinding_nat() -> None:
    world = World(seed=18)
    alice, bob = world.pair()
    alice.send_to(bob)
    world.run(seconds=1)
    for port in range(40000, 40010):
        alice.address = ("203.0.113.7", port)
        alice.send_to(bob)
        world.run(seconds=1)
        answer = bob.send_to(alice)
        world.run(seconds=1)
        assert alice.got(answer)
    assert len(world.sent_by(alice, 1)) == 1


def test_a_peer_without_endpoint_waits_to_be_called() -> None:
    world = World(seed=19)
    server, client = world.add_device(), world.add_device()
    server.add_peer(client, endpoint=False)
    client.add_peer(server)
    server.send_to(client)
    world.run(seconds=60)
    assert not world.log
    assert server.drops(DropReason.NO_ENDPOINT) == 1
    client.send_to(server)
    world.run(seconds=1)
    packet = server.send_to(client)
    world.run(seconds=1)
    assert client.got(packet)


def test_an_endpoint_that_becomes_known_brings_the_keepalive_that_waited() -> None:
    world = World(seed=19)
    alice, bob = world.add_device(), world.add_device()
    bob.add_peer(alice)
    alice.add_peer(bob, endpoint=False, keepalive=25)
    world.run(seconds=10)
    assert not world.log
    host, port = bob.address[:2]
    alice.control.set_endpoint(alice.moment(), alice.peer(bob), Endpoint(host, port))
    alice.settle()
    world.run(seconds=1)
    assert bob.peer(alice).last_handshake


def test_persistent_keepalive_opens_the_tunnel_and_keeps_it_open() -> None:
    world = World(seed=20)
    server, client = world.add_device(), world.add_device()
    server.add_peer(client, endpoint=False)
    client.add_peer(server, keepalive=25)
    world.run(seconds=1000)
    assert server.peer(client).last_handshake
    sent = [entry.time for entry in world.log if entry.sender is client]
    assert all(b - a <= 25 * SECOND for a, b in pairwise(sent))
    assert 35 <= len(sent) <= 60


@pytest.mark.mistake("persistent keepalives sent although there was traffic")
def test_persistent_keepalive_is_not_sent_into_traffic() -> None:
    world = World(seed=21)
    alice, bob = world.add_device(), world.add_device()
    bob.add_peer(alice)
    alice.add_peer(bob, keepalive=10)
    world.run(seconds=1)
    world.log.clear()
    talk(world, alice, bob, every=3, seconds=90)
    assert not [entry for entry in world.sent_by(alice, 4) if entry.is_keepalive]


def test_persistent_keepalive_can_be_switched_off() -> None:
    world = World(seed=22)
    alice, bob = world.add_device(), world.add_device()
    bob.add_peer(alice)
    peer = alice.add_peer(bob, keepalive=10)
    world.run(seconds=100)
    peer.set_persistent_keepalive(alice.moment(), 0)
    world.log.clear()
    world.run(seconds=1000)
    assert not world.log


@pytest.mark.mistake("a PSK change not applied at the next handshake, or one that resets a live session")
def test_a_new_preshared_key_counts_from_the_next_handshake_and_keeps_the_session() -> None:
    world = World(seed=23)
    alice, bob = world.pair()
    alice.send_to(bob)
    world.run(seconds=1)
    psk = bytes(range(32))
    bob.peer(alice).preshared_key = psk
    talk(world, alice, bob, every=1, seconds=100)
    assert len(bob.received) == 101
    talk(world, alice, bob, every=1, seconds=30)
    assert len(world.sent_by(alice, 1)) >= 2
    assert "Received handshake response" in alice.logged
    assert alice.logged.count("Received handshake response") == 1  # with the wrong key none is accepted
    alice.peer(bob).preshared_key = psk
    world.run_until(lambda: alice.logged.count("Received handshake response") == 2, limit=6)


def test_a_new_private_key_ends_sending_under_the_old_one() -> None:
    world = World(seed=24)
    alice, bob = world.pair()
    alice.send_to(bob)
    world.run(seconds=1)
    new = PrivateKey(bytes(range(1, 33)))
    alice.control.set_private_key(alice.moment(), bytes(new))
    alice.settle()
    world.log.clear()
    alice.send_to(bob)
    world.run(seconds=1)
    assert {sent.kind for sent in world.log} == {1}
    assert len(bob.received) == 1
    bob.control.remove_peer(bob.peer(alice))
    alice.public_key = bytes(new.public_key())
    bob.add_peer(alice)
    world.run_until(lambda: len(bob.received) == 2, limit=6)


@pytest.mark.defect(23)
def test_without_a_private_key_nothing_is_sent_until_there_is_one() -> None:
    world = World(seed=25)
    alice, bob = world.pair()
    alice.control.set_private_key(alice.moment(), None)
    packet = alice.send_to(bob)
    world.run(seconds=100)
    assert not world.log
    alice.control.set_private_key(alice.moment(), bytes(alice.private_key))
    alice.settle()
    world.run(seconds=1)
    assert bob.got(packet)


@pytest.mark.defect(28)
def test_after_the_machine_slept_traffic_resumes_with_one_handshake() -> None:
    world = World(seed=26)
    alice, bob = world.pair()
    alice.send_to(bob)
    world.run(seconds=10)
    alice.sleep(seconds=3600)
    bob.sleep(seconds=3600)
    world.log.clear()
    packet = alice.send_to(bob)
    world.run(seconds=1)
    assert bob.got(packet)
    assert [sent.kind for sent in world.log] == [1, 2, 4]


@pytest.mark.mistake("panic or wrong timers when the clock steps")
@pytest.mark.parametrize("step", [3600, -30, -86400])
def test_a_wall_clock_that_steps_harms_no_session_and_no_timer(step: int) -> None:
    world = World(seed=27)
    alice, bob = world.pair()
    talk(world, alice, bob, every=1, seconds=60)
    alice.wall_offset += step * SECOND
    packets = talk(world, alice, bob, every=1, seconds=300)
    world.run(seconds=10)
    assert all(bob.got(packet) for packet in packets)


def test_an_initiator_whose_clock_went_far_back_while_it_was_off_is_refused_but_can_still_be_called() -> None:
    world = World(seed=28)
    alice, bob = world.pair()
    alice.send_to(bob)
    world.run(seconds=600)
    alice.wall_offset -= 86400 * SECOND
    alice.boot()
    alice.add_peer(bob)
    alice.send_to(bob)
    world.run(seconds=30)
    assert any("replayed" in line for line in bob.logged)
    packet = bob.send_to(alice)
    world.run(seconds=1)
    assert alice.got(packet)


@pytest.mark.mistake("endpoint moved by a cookie reply or before authentication")
def test_a_replayed_initiation_is_refused_and_moves_nothing() -> None:
    world = World(seed=29)
    alice, bob = world.pair()
    alice.send_to(bob)
    world.run(seconds=30)
    initiation = world.sent_by(alice, 1)[0].datagram
    world.log.clear()
    bob.receive(initiation, Path(("203.0.113.66", 6666)))
    world.run(seconds=1)
    assert not world.log
    assert bob.heart.peer_status(bob.peer(alice).id).path == Path(alice.address)
    assert bob.drops(DropReason.BAD_HANDSHAKE) == 1


def test_going_down_forgets_sessions_and_going_up_starts_again() -> None:
    world = World(seed=30)
    alice, bob = world.pair()
    alice.send_to(bob)
    world.run(seconds=1)
    alice.control.set_up(alice.moment(), False)
    alice.settle()
    assert not alice.heart.holdings().sessions
    assert not len(alice.control._context.indices)
    assert alice.control.next_timeout() is None
    alice.send_to(bob)
    assert alice.drops(DropReason.INTERFACE_DOWN) == 1
    alice.control.set_up(alice.moment(), True)
    packet = alice.send_to(bob)
    world.run(seconds=1)
    assert bob.got(packet)


def test_a_partition_heals_within_one_retry() -> None:
    world = World(seed=31)
    alice, bob = world.pair()
    alice.send_to(bob)
    world.run(seconds=1)
    world.link.up = False
    for _ in range(300):
        alice.send_to(bob)
        bob.send_to(alice)
        world.run(seconds=1)
    world.link.up = True
    before = len(bob.received)
    took = world.run_until(lambda: len(bob.received) > before, limit=12)
    assert took <= (DEFAULT_TIMING.rekey_timeout + DEFAULT_TIMING.jitter) / SECOND + 0.1
