"""Handles on an event loop: the system's thread pool waits for them, as many as there are."""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import asyncio
import ctypes
from collections.abc import Callable

from wgtun.platform.windows import abi
from wgtun.platform.windows.library import check

_CALLBACK = ctypes.WINFUNCTYPE(None, ctypes.c_void_p, ctypes.c_ubyte)
_UNTIL_DONE = -1  # INVALID_HANDLE_VALUE: wait until no callback runs any more


class Wait:
    """Calls back once, on the loop, when the handle is signalled."""

    def __init__(self, loop: asyncio.AbstractEventLoop, handle: int, callback: Callable[[], None]) -> None:
        """Raises OSError."""
        self._loop = loop
        self._callback = callback
        self._over = False
        self._on_signal = _CALLBACK(self._signalled)  # kept as long as the system may call it
        registration = ctypes.c_void_p()
        check(
            "kernel32",
            "RegisterWaitForSingleObject",
            ctypes.byref(registration),
            handle,
            self._on_signal,
            None,
            abi.INFINITE,
            abi.WT_EXECUTEONLYONCE,
        )
        self._registration = registration.value

    def _signalled(self, _context: int, _timed_out: int) -> None:
        """In a thread of the pool."""
        try:
            self._loop.call_soon_threadsafe(self._finish)
        except RuntimeError:  # the loop is closed
            pass

    def _finish(self) -> None:
        if not self._over:
            self.cancel()
            self._callback()

    def cancel(self) -> None:
        """Don't call back any more. The handle may be closed then."""
        if not self._over:
            self._over = True
            check("kernel32", "UnregisterWaitEx", self._registration, _UNTIL_DONE)


async def signalled(handle: int) -> None:
    """Wait until the handle is signalled."""
    loop = asyncio.get_running_loop()
    done = loop.create_future()

    def finish() -> None:
        if not done.done():
            done.set_result(None)

    wait = Wait(loop, handle, finish)
    try:
        await done
    finally:
        wait.cancel()
