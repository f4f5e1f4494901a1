"""Functions of the C library that Python has no name for."""

from __future__ import annotations

import sys

assert sys.platform == "linux"

import os
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ctypes


def call(function: str, *arguments: int | bytes | ctypes.Array[ctypes.c_char] | None) -> int:
    """Call one that returns a number and sets errno; buffers are passed by address. Raises OSError."""
    import ctypes  # here and below: only daemons need it

    # Whole registers: the kernel looks at all of one, where C would take an `int` from a list that varies.
    words = [ctypes.c_long(each) if isinstance(each, int) else each for each in arguments]
    result: int = getattr(_library(), function)(*words)
    if result < 0:
        raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
    return result


@cache
def _library() -> ctypes.CDLL:
    import ctypes

    return ctypes.CDLL(None, use_errno=True)


def buffer(content: bytes) -> ctypes.Array[ctypes.c_char]:
    """Memory with an address, which a function may read and write."""
    import ctypes

    return ctypes.create_string_buffer(content, len(content))


def address(of: ctypes.Array[ctypes.c_char]) -> int:
    import ctypes

    return ctypes.addressof(of)
