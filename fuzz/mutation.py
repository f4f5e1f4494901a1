"""A fuzzer for machines without atheris: changes what is known at random, and knows no coverage."""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Sequence

_INTERESTING = (0, 1, 0x7F, 0x80, 0xFF)


def fuzz(
    test: Callable[[bytes], None], corpus: Sequence[bytes], seconds: float, rng: random.Random
) -> tuple[int, bytes]:
    """Returns how many inputs were tried, and the one that failed; empty when none did."""
    end = time.monotonic() + seconds
    count = 0
    while time.monotonic() < end:
        data = mutated(rng, bytearray(rng.choice(corpus)), corpus)
        count += 1
        try:
            test(data)
        except Exception:  # noqa: BLE001 - that is what we look for
            return count, data
    return count, b""


def mutated(rng: random.Random, data: bytearray, corpus: Sequence[bytes]) -> bytes:
    for _ in range(rng.randint(1, 8)):
        place = rng.randrange(len(data) + 1)
        kind = rng.randrange(5)
        if kind == 0:
            data[place:place] = rng.randbytes(rng.randint(1, 8))
        elif kind == 1:
            del data[place : place + rng.randint(1, 16)]
        elif kind == 2 and place < len(data):
            data[place] ^= 1 << rng.randrange(8)
        elif kind == 3 and place < len(data):
            data[place] = rng.choice(_INTERESTING)
        else:
            other = rng.choice(corpus)
            begin = rng.randrange(len(other) + 1)
            data[place:place] = other[begin : begin + rng.randint(1, 64)]
    return bytes(data)
