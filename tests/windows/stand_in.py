"""The other end of the stand-in wintun.dll (`wintun/wintun.c`): what Windows itself does with an adapter."""

from __future__ import annotations

import ctypes
import sys
from pathlib import Path

assert sys.platform == "win32"

DLL = str(Path(sys.executable).with_name("wintun.dll"))

_library = ctypes.WinDLL(DLL, use_last_error=True)


def _check(succeeded: int) -> None:
    if not succeeded:
        raise ctypes.WinError(ctypes.get_last_error())


def _name(adapter: str) -> ctypes.c_wchar_p:
    return ctypes.c_wchar_p(adapter)


def inject(adapter: str, packet: bytes) -> None:
    """Windows sends a packet into the adapter."""
    _check(_library.StandInInject(_name(adapter), packet, len(packet)))


def take(adapter: str, milliseconds: int = 0) -> bytes:
    """What came out of the adapter next."""
    buffer = ctypes.create_string_buffer(0xFFFF)
    size = ctypes.c_ulong(len(buffer))
    _check(_library.StandInTake(_name(adapter), buffer, ctypes.byref(size), milliseconds))
    return ctypes.string_at(buffer, size.value)


def remove(adapter: str) -> None:
    """Somebody deletes the adapter."""
    _check(_library.StandInRemove(_name(adapter)))


def corrupt(adapter: str) -> None:
    """The next packet in the ring has an impossible size."""
    _check(_library.StandInCorrupt(_name(adapter)))
