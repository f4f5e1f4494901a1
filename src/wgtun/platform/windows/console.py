"""Ctrl-C, and the other ways in which a console ends its programs."""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
from collections.abc import Callable

from wgtun.platform.windows.library import check

_HANDLER = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_ulong)
_handlers: list[object] = []  # kept as long as the system may call them


def stopped_by_console(stop: Callable[[], None]) -> None:
    """Call this, in a thread of the system, at Ctrl-C, Ctrl-Break, closing of the window, logoff and shutdown."""

    def handle(_event: int) -> int:
        stop()
        return 1  # it is dealt with

    handler = _HANDLER(handle)
    _handlers.append(handler)
    check("kernel32", "SetConsoleCtrlHandler", handler, 1)
