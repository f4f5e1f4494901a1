"""Timestamps of initiations: TAI64N, whitened so that they don't reveal a precise clock.

12 bytes, compared as bytes. Sources: https://cr.yp.to/libtai/tai64.html; WireGuard paper, 5.1.
"""

from __future__ import annotations

from wgtun.constants import SECOND

_EPOCH = 0x400000000000000A  # TAI64 of 1970-01-01 with the ten seconds of that day, no leap table
_WHITENED = (1 << 24) - 1  # nanoseconds that are not told: a granularity of 16.8 ms


def stamp(wall: int, after: bytes = bytes(12)) -> bytes:
    """The timestamp of a Unix time in nanoseconds; the next one after `after` where that is not earlier."""
    seconds, nanoseconds = divmod(wall, SECOND)
    stamped = (_EPOCH + seconds).to_bytes(8, "big") + (nanoseconds & ~_WHITENED).to_bytes(4, "big")
    if stamped > after:
        return stamped
    seconds, nanoseconds = int.from_bytes(after[:8], "big") - _EPOCH, int.from_bytes(after[8:], "big")
    return stamp(seconds * SECOND + nanoseconds + _WHITENED + 1)
