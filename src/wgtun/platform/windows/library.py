"""Functions of Windows' libraries that Python has no name for."""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import errno
from functools import cache
from typing import Any


@cache
def library(name: str) -> ctypes.WinDLL:
    """A library of the system."""
    return ctypes.WinDLL(name, use_last_error=True)


def call(where: str, function: str, *arguments: Any, returns: Any = ctypes.c_int) -> Any:
    """Call one; whole numbers are passed as they fit a pointer. Raises OSError when this Windows does not have it."""
    found = getattr(library(where), function, None)
    if found is None:
        raise OSError(errno.ENOSYS, f"this Windows has no {function}")
    found.restype = returns
    return found(*[ctypes.c_void_p(each) if isinstance(each, int) else each for each in arguments])


def check(where: str, function: str, *arguments: Any, returns: Any = ctypes.c_int) -> Any:
    """The same for one that returns 0 or NULL when it fails. Raises OSError."""
    result = call(where, function, *arguments, returns=returns)
    if not result:
        raise last_error()
    return result


def check_status(where: str, function: str, *arguments: Any) -> None:
    """The same for one that returns the number of the error. Raises OSError."""
    status = call(where, function, *arguments, returns=ctypes.c_ulong)
    if status:
        raise ctypes.WinError(status)


def last_error() -> OSError:
    """What the last call of this thread failed with."""
    return ctypes.WinError(ctypes.get_last_error())


def close_handle(handle: int) -> None:
    check("kernel32", "CloseHandle", handle)
