"""wintun.dll: where it is found, and its functions. Source: wintun.h of Wintun 0.14.

The DLL is not part of wgtun: its licence lets others distribute it unchanged, and its driver is signed.
"""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import os

import wgtun
from wgtun.errors import PlatformError
from wgtun.platform.windows import abi
from wgtun.platform.windows.library import last_error

NAME = "wintun.dll"
_MISSING = (
    "wintun.dll is missing: download it from https://www.wintun.net and put the one for this machine's processor "
    "beside {} or into C:\\Windows\\System32"
)
_HANDLE, _WORD, _TEXT = ctypes.c_void_p, ctypes.c_ulong, ctypes.c_wchar_p
_SIGNATURES = {
    "WintunCreateAdapter": (_HANDLE, [_TEXT, _TEXT, ctypes.c_char_p]),
    "WintunCloseAdapter": (None, [_HANDLE]),
    "WintunGetAdapterLUID": (None, [_HANDLE, _HANDLE]),
    "WintunGetRunningDriverVersion": (_WORD, []),
    "WintunStartSession": (_HANDLE, [_HANDLE, _WORD]),
    "WintunEndSession": (None, [_HANDLE]),
    "WintunGetReadWaitEvent": (_HANDLE, [_HANDLE]),
    "WintunReceivePacket": (_HANDLE, [_HANDLE, ctypes.POINTER(_WORD)]),
    "WintunReleaseReceivePacket": (None, [_HANDLE, _HANDLE]),
    "WintunAllocateSendPacket": (_HANDLE, [_HANDLE, _WORD]),
    "WintunSendPacket": (None, [_HANDLE, _HANDLE]),
}
# What the native engine takes, in its order.
RING_FUNCTIONS = (
    "WintunGetReadWaitEvent",
    "WintunReceivePacket",
    "WintunReleaseReceivePacket",
    "WintunAllocateSendPacket",
    "WintunSendPacket",
)


class Wintun:
    """See `tun.Library`."""

    def __init__(self) -> None:
        """Raises PlatformError when the DLL is not there, or is not one."""
        self._library = _load()
        for name, (returns, arguments) in _SIGNATURES.items():
            try:
                function = getattr(self._library, name)
            except AttributeError as error:
                raise PlatformError(f"{self._library._name} is no wintun.dll: it lacks {name}") from error
            function.restype, function.argtypes = returns, arguments

    def create_adapter(self, name: str, tunnel_type: str, guid: bytes | None) -> int:
        return self._check(self._library.WintunCreateAdapter(name, tunnel_type, guid))

    def close_adapter(self, adapter: int) -> None:
        self._library.WintunCloseAdapter(adapter)

    def luid(self, adapter: int) -> int:
        found = ctypes.c_ulonglong()
        self._library.WintunGetAdapterLUID(adapter, ctypes.addressof(found))
        return found.value

    def driver_version(self) -> int:
        version: int = self._library.WintunGetRunningDriverVersion()
        return version

    def start_session(self, adapter: int, capacity: int) -> int:
        return self._check(self._library.WintunStartSession(adapter, capacity))

    def end_session(self, session: int) -> None:
        self._library.WintunEndSession(session)

    def read_wait_event(self, session: int) -> int:
        return self._check(self._library.WintunGetReadWaitEvent(session))

    def receive(self, session: int) -> bytes:
        size = _WORD()
        packet = self._check(self._library.WintunReceivePacket(session, ctypes.byref(size)))
        try:
            return ctypes.string_at(packet, size.value)
        finally:
            self._library.WintunReleaseReceivePacket(session, packet)

    def send(self, session: int, packet: bytes) -> None:
        place = self._check(self._library.WintunAllocateSendPacket(session, len(packet)))
        ctypes.memmove(place, packet, len(packet))
        self._library.WintunSendPacket(session, place)

    def ring_functions(self) -> tuple[int, int, int, int, int]:
        first, second, third, fourth, fifth = (
            ctypes.cast(getattr(self._library, name), ctypes.c_void_p).value or 0 for name in RING_FUNCTIONS
        )
        return first, second, third, fourth, fifth

    def _check(self, result: int | None) -> int:
        """Raises OSError."""
        if not result:
            raise last_error()
        return result


def _load() -> ctypes.WinDLL:
    beside = os.path.dirname(os.path.abspath(wgtun.__file__))
    for directory in (beside, os.path.dirname(beside)):
        path = os.path.join(directory, NAME)
        if os.path.exists(path):
            return _open(path, 0)
    try:
        return _open(NAME, abi.LOAD_LIBRARY_SEARCH_APPLICATION_DIR | abi.LOAD_LIBRARY_SEARCH_SYSTEM32)
    except FileNotFoundError as error:
        raise PlatformError(_MISSING.format(beside)) from error


def _open(path: str, mode: int) -> ctypes.WinDLL:
    try:
        return ctypes.WinDLL(path, mode, use_last_error=True, winmode=mode)
    except FileNotFoundError:
        raise
    except OSError as error:
        raise PlatformError(f"can't load {path}: {error.strerror or error}") from error
