"""Ctrl-C, and the other ways in which a console ends its programs."""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import threading
from collections.abc import Callable

from wgtun.platform.windows import abi
from wgtun.platform.windows.library import check

_HANDLER = ctypes.WINFUNCTYPE(ctypes.c_int, ctypes.c_ulong)
_handlers: list[object] = []  # kept as long as the system may call them


def stopped_by_console(stop: Callable[[], None]) -> None:
    """Call this, in a thread of the system, at Ctrl-C, Ctrl-Break, closing of the window, logoff and shutdown."""

    def handle(event: int) -> int:
        stop()
        if event not in (abi.CTRL_C_EVENT, abi.CTRL_BREAK_EVENT):
            # The system ends the process when we return, and after a few seconds in any case. It ends by itself before.
            threading.Event().wait()
        return 1  # it is dealt with

    handler = _HANDLER(handle)
    _handlers.append(handler)
    check("kernel32", "SetConsoleCtrlHandler", handler, 1)
