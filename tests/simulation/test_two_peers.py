"""Two peers, one link."""

from __future__ import annotations

from tests.simulation.world import World


def test_first_packet_makes_a_session_and_arrives() -> None:
    world = World(seed=1)
    alice, bob = world.pair()
    packet = alice.send_to(bob)
    world.run(seconds=1)
    assert bob.got(packet)
    assert [sent.kind for sent in world.log] == [1, 2, 4]
