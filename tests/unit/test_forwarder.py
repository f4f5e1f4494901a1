"""The forwarder of the tests does what its settings and its seed say."""

from __future__ import annotations

import random

from tests.support.forwarder import Network


def fates(network: Network, seed: int, count: int = 2000) -> list[list[float]]:
    rng = random.Random(seed)
    return [network.fate(rng) for _ in range(count)]


def test_a_seed_fixes_what_happens_to_each_datagram() -> None:
    network = Network(drop=0.1, duplicate=0.1, reorder=0.1, delay=0.005)
    assert fates(network, 1) == fates(network, 1)
    assert fates(network, 1) != fates(network, 2)


def test_settings_do_not_change_the_luck_of_later_datagrams() -> None:
    rng, other = random.Random(1), random.Random(1)
    Network().fate(rng)
    Network(drop=1.0).fate(other)
    assert Network(drop=0.5).fate(rng) == Network(drop=0.5).fate(other)
    assert rng.random() == other.random()


def test_chances_are_kept() -> None:
    lost = sum(not fate for fate in fates(Network(drop=0.1), 1))
    twice = sum(len(fate) == 2 for fate in fates(Network(duplicate=0.25), 1))
    held = sum(fate == [1.5] for fate in fates(Network(reorder=0.25, hold=1, delay=0.5), 1))
    assert 150 < lost < 250
    assert 420 < twice < 580
    assert 420 < held < 580
    assert fates(Network(), 1) == [[0.0]] * 2000
    assert fates(Network(drop=1.0, duplicate=1.0), 1) == [[]] * 2000
