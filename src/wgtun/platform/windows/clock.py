"""The clock that drives timers and ages keys."""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes

_UNIT = 100  # nanoseconds
_MILLISECOND = 1_000_000
_library = ctypes.WinDLL("kernelbase")


def _interrupt_time() -> int:
    """Nanoseconds since the start, the time asleep included; never steps."""
    now = ctypes.c_ulonglong()
    _library.QueryInterruptTime(ctypes.byref(now))
    return now.value * _UNIT


def _tick_count() -> int:
    """The same, coarser, where the other is missing (wine 8)."""
    count: int = _library.GetTickCount64()
    return count * _MILLISECOND


_library.GetTickCount64.restype = ctypes.c_ulonglong
interrupt_time = _interrupt_time if hasattr(_library, "QueryInterruptTime") else _tick_count
