"""Floods of handshake messages, in virtual time."""

from __future__ import annotations

import pytest

from tests.simulation.world import Device, World
from wgtun.constants import SECOND, UNDER_LOAD_HANDSHAKES
from wgtun.dataplane import DropReason
from wgtun.noise.macs import MacGenerator
from wgtun.path import Path


def junk_initiation(victim: Device, number: int) -> bytes:
    """A message with a valid mac1 and nothing else right; anyone who knows the public key can make it."""
    body = b"\x01\x00\x00\x00" + number.to_bytes(4, "little") + bytes(108)
    return MacGenerator(victim.public_key).append_macs(0, body, 0)


def flood(victim: Device, count: int) -> None:
    """Leave messages in the victim's queue without giving its control plane a turn."""
    for number in range(count):
        path = Path((f"198.51.100.{number % 250}", 1000 + number))
        victim.heart.inbound(victim.moment().now, junk_initiation(victim, number), path)


@pytest.mark.mistake("one attacker puts every peer into cookie mode")
def test_under_load_strangers_get_cookies_and_a_peer_gets_through() -> None:
    world = World(seed=1)
    alice, bob = world.pair()
    flood(bob, UNDER_LOAD_HANDSHAKES + 50)
    bob.settle()
    assert len(world.sent_by(bob, 3)) == 50
    assert bob.drops(DropReason.UNDER_LOAD) == 50
    packet = alice.send_to(bob)
    world.run(seconds=0.5)
    assert not bob.got(packet)  # alice was told a cookie
    assert not world.sent_by(bob, 2)
    assert len(world.sent_by(bob, 3)) == 51

    def keep_busy() -> None:
        flood(bob, UNDER_LOAD_HANDSHAKES + 1)
        bob.settle()
        world.after(0.5, keep_busy)

    keep_busy()
    took = world.run_until(lambda: bob.got(packet), limit=6)
    assert took < 5.5  # the first retry carries the cookie


def test_load_ends_a_second_after_the_queue_was_last_long() -> None:
    world = World(seed=3)
    alice, bob = world.pair()
    flood(bob, UNDER_LOAD_HANDSHAKES + 1)
    bob.settle()
    world.run(seconds=1.1)
    packet = alice.send_to(bob)
    world.run(seconds=0.1)
    assert bob.got(packet)


@pytest.mark.mistake("endpoint moved by a cookie reply or before authentication")
def test_a_flood_of_initiations_and_cookie_replies_moves_no_endpoint_and_keeps_the_session() -> None:
    world = World(seed=4)
    alice, bob = world.pair()
    alice.send_to(bob)
    world.run(seconds=1)
    before = bob.heart.peer_status(bob.peer(alice).id).path
    flood(bob, 1000)
    for number in range(1000):
        bob.heart.inbound(
            bob.moment().now, b"\x03\x00\x00\x00" + number.to_bytes(4, "little") + bytes(56), Path(("198.51.100.9", 9))
        )
    bob.settle()
    assert bob.heart.peer_status(bob.peer(alice).id).path == before
    packet = alice.send_to(bob)
    world.run(seconds=1)
    assert bob.got(packet)
    assert len(world.sent_by(alice, 1)) == 1


def test_cookie_replies_for_nobody_take_no_room_in_the_queue() -> None:
    world = World(seed=6)
    alice, bob = world.pair()
    for number in range(2000):
        reply = b"\x03\x00\x00\x00" + number.to_bytes(4, "little") + bytes(56)
        bob.heart.inbound(bob.moment().now, reply, Path(("198.51.100.9", 9)))
    assert bob.drops(DropReason.UNKNOWN_INDEX) == 2000
    packet = alice.send_to(bob)
    world.run(seconds=1)
    assert bob.got(packet)
    assert not world.sent_by(bob, 3)


def test_a_rate_of_twenty_a_second_for_each_source_under_load() -> None:
    world = World(seed=5)
    _, bob = world.pair()
    source = ("198.51.100.1", 1)
    generator = MacGenerator(bob.public_key)
    flood(bob, UNDER_LOAD_HANDSHAKES)
    message = generator.append_macs(bob.moment().now, b"\x01\x00\x00\x00" + bytes(112), 120 * SECOND)
    bob.heart.inbound(bob.moment().now, message, Path(source))
    cookie, _, _ = bob.heart.datagrams.pop()
    generator.consume_cookie_reply(bob.moment().now, cookie)
    for _ in range(20):
        message = generator.append_macs(bob.moment().now, b"\x01\x00\x00\x00" + bytes(112), 120 * SECOND)
        bob.heart.inbound(bob.moment().now, message, Path(source))
    assert bob.drops(DropReason.RATE_LIMITED) == 15
