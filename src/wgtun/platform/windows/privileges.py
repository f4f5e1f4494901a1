"""Privileges that a process has, but that are off until it switches them on. Source: AdjustTokenPrivileges."""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
from collections.abc import Iterator
from contextlib import contextmanager

from wgtun.platform.windows import abi
from wgtun.platform.windows.library import check, close_handle

_LIBRARY = "advapi32"
_THIS_PROCESS = -1  # what GetCurrentProcess returns
GIVE_AWAY = "SeRestorePrivilege"
"""Make somebody else the owner of an object."""


@contextmanager
def switched_on(name: str) -> Iterator[None]:
    """For as long as this lasts. Whoever does not have the privilege goes on without it. Raises OSError."""
    token = ctypes.c_void_p()
    access = abi.TOKEN_ADJUST_PRIVILEGES | abi.TOKEN_QUERY
    check(_LIBRARY, "OpenProcessToken", _THIS_PROCESS, access, ctypes.byref(token))
    assert token.value is not None
    try:
        luid = ctypes.c_ulonglong()
        check(_LIBRARY, "LookupPrivilegeValueW", None, ctypes.c_wchar_p(name), ctypes.byref(luid))
        wanted = abi.TOKEN_PRIVILEGES.pack(
            {
                "PrivilegeCount": 1,
                "Privileges[0].Luid.LowPart": luid.value & 0xFFFFFFFF,
                "Privileges[0].Luid.HighPart": luid.value >> 32,
                "Privileges[0].Attributes": abi.SE_PRIVILEGE_ENABLED,
            }
        )
        before = _adjust(token.value, wanted)
        try:
            yield
        finally:
            _adjust(token.value, before)
    finally:
        close_handle(token.value)


def _adjust(token: int, privileges: bytes) -> bytes:
    """Returns what undoes it: those that changed, as they were."""
    size = abi.TOKEN_PRIVILEGES.size
    memory, before = ctypes.create_string_buffer(privileges, size), ctypes.create_string_buffer(size)
    used = ctypes.c_ulong()
    check(_LIBRARY, "AdjustTokenPrivileges", token, 0, memory, size, before, ctypes.byref(used))
    return before.raw
