"""The clock that drives timers and ages keys."""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes

_UNIT = 100  # nanoseconds


def interrupt_time() -> int:
    """Nanoseconds since the start, the time asleep included; never steps."""
    now = ctypes.c_ulonglong()
    _query(ctypes.byref(now))
    return now.value * _UNIT


_query = ctypes.WinDLL("kernelbase").QueryInterruptTime
_query.restype = None
