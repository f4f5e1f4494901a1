"""Replay window: the steps of reference 11.9."""

from __future__ import annotations

import random

import pytest

from wgtun.constants import REJECT_AFTER_MESSAGES as R
from wgtun.constants import REPLAY_WINDOW as W
from wgtun.engine.python.replay import ReplayWindow

L = W + 1

STEPS = [
    (0, True), (1, True), (1, False), (9, True), (8, True), (7, True), (7, False), (L, True), (L - 1, True),
    (L - 1, False), (L - 2, True), (2, True), (2, False), (L + 16, True), (3, False), (L + 16, False), (4 * L, True),
    (4 * L - (L - 1), True), (10, False), (4 * L - L, False), (4 * L - (L + 1), False), (4 * L - (L - 2), True),
    (4 * L + 1 - L, False), (0, False), (R, False), (R - 1, True), (R, False), (R - 1, False), (R - 2, True),
    (R + 1, False), (R + 2, False), (R - 2, False), (R - 3, True), (0, False),
]  # fmt: skip

BULK = [
    [(range(1, W + 1), True), ([0], True), ([0], False)],
    [(range(2, W + 2), True), ([1], True), ([0], False)],
    [(range(W + 1, 0, -1), True)],
    [(range(W + 2, 1, -1), True), ([0], False)],
    [(range(W, 0, -1), True), ([W + 1], True), ([0], False)],
    [(range(W, 0, -1), True), ([0], True), ([W + 1], True)],
]


def test_numbered_steps() -> None:
    window = ReplayWindow()
    for number, (counter, accepted) in enumerate(STEPS, 1):
        assert window.accept(counter) is accepted, f"step {number}: counter {counter}"


@pytest.mark.parametrize("runs", BULK)
def test_bulk_runs(runs: list[tuple[range, bool]]) -> None:
    window = ReplayWindow()
    for counters, accepted in runs:
        for counter in counters:
            assert window.accept(counter) is accepted, counter


@pytest.mark.parametrize("seed", range(5))
def test_agrees_with_a_set_of_seen_counters(seed: int) -> None:
    rng = random.Random(seed)
    window = ReplayWindow()
    seen: set[int] = set()
    highest = 0
    for _ in range(20_000):
        counter = max(0, highest + rng.choice((1, 1, 2, -1, -50, -W, -W - 1, 64, 200, rng.randrange(-9000, 9000))))
        expected = counter not in seen and highest - counter <= W
        assert window.accept(counter) is expected, f"seed {seed}: {counter}"
        if expected:
            seen.add(counter)
            highest = max(highest, counter)
