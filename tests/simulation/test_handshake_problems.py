"""When there is no handshake, the user can read why."""

from __future__ import annotations

from tests.simulation.world import Device, World
from wgtun.dataplane import DropReason
from wgtun.keys import PrivateKey


def problem(device: Device, other: Device) -> str:
    return device.peer(other).handshake_problem(device.moment().now)


def test_all_is_well() -> None:
    world = World(seed=1)
    alice, bob = world.pair()
    assert problem(alice, bob) == "no reason for a handshake yet: nothing was sent"
    alice.send_to(bob)
    world.run(seconds=1)
    assert problem(alice, bob) == problem(bob, alice) == ""
    world.run(seconds=600)  # the session is gone, and nobody misses it
    assert problem(alice, bob) == ""


def test_no_answer() -> None:
    world = World(seed=2)
    alice, bob = world.pair()
    world.link.up = False
    alice.send_to(bob)
    assert problem(alice, bob) == "no reason for a handshake yet: nothing was sent"  # it may still succeed
    world.run(seconds=12)
    assert problem(alice, bob).startswith("no answer to our initiation (sent 2 of them): wrong key or endpoint")
    world.run(seconds=120)
    assert "sent 20 of them" in problem(alice, bob)
    world.link.up = True
    alice.send_to(bob)
    world.run(seconds=1)
    assert problem(alice, bob) == ""


def test_a_wrong_key_is_no_answer_to_one_and_a_refusal_to_the_other() -> None:
    world = World(seed=3)
    alice, bob = world.pair()
    other = PrivateKey(b"o" * 32)
    alice.control.set_private_key(alice.moment(), bytes(other))
    alice.send_to(bob)
    world.run(seconds=6)
    assert problem(alice, bob).startswith("no answer")
    assert bob.control.last_refusal is not None
    _, text = bob.control.last_refusal
    assert text.endswith(f"192.0.2.1:51820: {other.public_key().base64()} is not one of our peers")


def test_preshared_keys_that_differ() -> None:
    world = World(seed=4)
    alice, bob = world.pair()
    alice.peer(bob).preshared_key = b"k" * 32
    alice.send_to(bob)
    world.run(seconds=7)
    assert problem(alice, bob) == "an answer came that does not fit: the preshared keys may differ"
    assert problem(bob, alice).startswith("2 initiations of the peer were answered in vain")
    assert alice.heart.drops(alice.peer(bob).id)[DropReason.BAD_HANDSHAKE] == 2
    bob.peer(alice).preshared_key = b"k" * 32
    world.run(seconds=12)
    assert problem(alice, bob) == problem(bob, alice) == ""


def test_a_clock_that_went_back() -> None:
    world = World(seed=5)
    alice, bob = world.pair()
    alice.send_to(bob)
    world.run(seconds=1)
    alice.wall_offset -= 10**18
    alice.boot()
    alice.add_peer(bob)
    alice.send_to(bob)
    world.run(seconds=1)
    assert problem(bob, alice) == "the peer's timestamp is not newer than its last one: its clock may have gone back"


def test_what_is_missing_is_named() -> None:
    world = World(seed=6)
    alice, bob = world.add_device(), world.add_device()
    alice.add_peer(bob, endpoint=False)
    assert problem(alice, bob) == "no endpoint, and the peer has not been heard of"
    alice.control.set_private_key(alice.moment(), None)
    assert problem(alice, bob) == "the device has no private key"
    alice.control.set_up(alice.moment(), False)
    assert problem(alice, bob) == "the interface is down"


def test_a_public_key_that_is_none() -> None:
    world = World(seed=7)
    alice, bob = world.add_device(), world.add_device()
    bob.public_key = bytes(32)
    alice.add_peer(bob)
    alice.send_to(bob)
    assert problem(alice, bob) == "the peer's public key is invalid"
