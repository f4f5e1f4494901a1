"""The clock that drives timers and ages keys."""

from __future__ import annotations

import sys

assert sys.platform == "linux"

import time


def boottime() -> int:
    """Nanoseconds since boot, the time asleep included; never steps."""
    return time.clock_gettime_ns(time.CLOCK_BOOTTIME)
