"""The standard streams, which a caller may have closed, or connected to what takes nothing any more."""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Callable


def printing(program: str, action: Callable[[], int]) -> int:
    """Do what prints to standard output; returns its exit status, or 1 when that could not take it.

    Why is said on standard error, unless it is that nobody reads any more.
    """
    closed = sys.stdout is None
    open_missing()
    if closed:
        print(f"{program}: standard output is closed", file=sys.stderr)
        return 1
    try:
        try:
            return action()
        finally:
            sys.stdout.flush()  # a closed pipe or a full disk shows here, not while Python exits
    except OSError as error:
        if not _reader_left(error):
            print(f"{program}: {error}", file=sys.stderr)
        _drop_output()
        return 1


def open_missing() -> None:
    """Put the null device where the caller closed a standard stream.

    The next files to be opened would get the numbers 0 to 2: what is printed would be written into the TUN.
    """
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        if getattr(sys, name) is None:
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115  # stays open


def _reader_left(error: OSError) -> bool:
    """Whether it tells of a pipe that nobody reads; the C library of Windows has no better number for that."""
    return isinstance(error, BrokenPipeError) or (sys.platform == "win32" and error.errno == errno.EINVAL)


def _drop_output() -> None:
    """Keep Python from trying again to write the rest when it exits."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
