"""The clock that drives timers and ages keys."""

from __future__ import annotations

import sys

assert sys.platform != "win32"

import time


def monotonic() -> int:
    """Nanoseconds since some moment; never steps. Counts the time asleep on macOS and OpenBSD."""
    return time.clock_gettime_ns(time.CLOCK_MONOTONIC)
