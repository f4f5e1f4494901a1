"""Timestamps of initiations: TAI64N, whitened so that they don't reveal a precise clock.

12 bytes, compared as bytes. Sources: https://cr.yp.to/libtai/tai64.html; WireGuard paper, 5.1.
"""

from __future__ import annotations

from wgtun.constants import SECOND

_EPOCH = 0x400000000000000A  # TAI64 of 1970-01-01 with the ten seconds of that day, no leap table
_WHITENED = (1 << 24) - 1  # nanoseconds that are not told: a granularity of 16.8 ms


def stamp(wall: int) -> bytes:
    """The timestamp of a Unix time in nanoseconds."""
    seconds, nanoseconds = divmod(wall, SECOND)
    return (_EPOCH + seconds).to_bytes(8, "big") + (nanoseconds & ~_WHITENED).to_bytes(4, "big")
