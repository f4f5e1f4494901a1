"""Garbage from the network and from the tunnel: no crash, no growth, nothing delivered."""

from __future__ import annotations

import random

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.simulation.world import Device, World
from wgtun.path import Path

STRANGER = Path(("203.0.113.5", 5555))


def sizes(device: Device) -> tuple[int, ...]:
    """Everything that could grow."""
    return (
        *device.heart.holdings(),
        len(device.control._context.indices),
        len(device.received),
    )


def connected() -> tuple[World, Device, Device]:
    world = World(seed=1)
    alice, bob = world.pair()
    alice.send_to(bob)
    world.run(seconds=1)
    return world, alice, bob


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.binary(max_size=200), max_size=20))
def test_random_datagrams(datagrams: list[bytes]) -> None:
    world, _, bob = connected()
    before = sizes(bob)
    dropped = sum(bob.heart.drops().values())
    for datagram in datagrams:
        bob.receive(datagram, STRANGER)
    assert sizes(bob) == before
    assert sum(bob.heart.drops().values()) == dropped + len(datagrams)
    assert len([sent for sent in world.log if sent.path == STRANGER]) == 0


@pytest.mark.parametrize("seed", range(10))
def test_mutated_real_messages(seed: int) -> None:
    """Truncated, extended and flipped copies of every real message; then the peers still talk."""
    rng = random.Random(seed)
    world, alice, bob = connected()
    bob.send_to(alice)
    world.run(seconds=1)
    originals = [sent.datagram for sent in world.log]
    before = sizes(bob)
    sent_before = len(world.log)
    for _ in range(400):
        datagram = bytearray(rng.choice(originals))
        for _ in range(rng.randint(1, 4)):
            choice = rng.random()
            if choice < 0.5 and datagram:
                datagram[rng.randrange(len(datagram))] ^= 1 << rng.randrange(8)
            elif choice < 0.75:
                del datagram[rng.randrange(len(datagram) + 1) :]
            else:
                datagram += rng.randbytes(rng.randrange(64))
        if bytes(datagram) not in originals:
            bob.receive(bytes(datagram), STRANGER)
    assert sizes(bob) == before
    assert len(world.log) == sent_before, "an answer to garbage"
    packet = alice.send_to(bob)
    world.run(seconds=1)
    assert bob.got(packet)


@settings(max_examples=300, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(st.binary(max_size=100), max_size=20))
def test_random_packets_from_the_tunnel(packets: list[bytes]) -> None:
    world, alice, bob = connected()
    before = sizes(alice)
    for packet in packets:
        alice.heart.outbound(alice.moment().now, packet)
        alice.settle()
    assert sizes(alice)[:5] == before[:5]
    world.run(seconds=1)
    assert len(bob.received) == 1
