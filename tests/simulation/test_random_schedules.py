"""Many peers, a bad network and random events, over and over with another seed.

WGTUN_SEED=123 pytest tests/simulation/test_random_schedules.py   # repeat one run
WGTUN_RUNS=1000 pytest ...                                        # try more
"""

from __future__ import annotations

import os
import random

import pytest

from tests.simulation.mesh import Mesh

FIRST = int(os.environ.get("WGTUN_SEED", "0")) or random.SystemRandom().randrange(1, 10**9)
RUNS = 1 if "WGTUN_SEED" in os.environ else int(os.environ.get("WGTUN_RUNS", "12"))


@pytest.mark.parametrize("seed", range(FIRST, FIRST + RUNS))
def test_random_schedule(seed: int) -> None:
    print(f"WGTUN_SEED={seed}")
    mesh = Mesh(random.Random(seed))
    for _ in range(60):
        mesh.step()
        mesh.check_invariants()
    mesh.check_recovery()
    mesh.check_invariants()
