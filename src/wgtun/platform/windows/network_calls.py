"""Carries out the calls of a plan for Windows, and looks at what one needs to know."""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import errno
import socket
from collections.abc import Callable
from functools import partial

from wgtun.platform.windows import abi, network
from wgtun.platform.windows import network_abi as more
from wgtun.platform.windows.iphelper import ip_interface
from wgtun.platform.windows.library import check_status

_LIBRARY = "iphlpapi"
_ROW_FUNCTIONS = (
    "SetIpInterfaceEntry",
    "CreateUnicastIpAddressEntry",
    "DeleteUnicastIpAddressEntry",
    "CreateIpForwardEntry2",
    "DeleteIpForwardEntry2",
)


class _Guid(ctypes.Structure):
    _fields_ = (("data", ctypes.c_ubyte * abi.GUID.size),)


def network_calls() -> dict[str, Callable[..., None]]:
    """See `platform.network.perform`."""
    calls: dict[str, Callable[..., None]] = {name: partial(_with_row, name) for name in _ROW_FUNCTIONS}
    return calls | {network.SET_DNS: _set_dns}


def look(luid: int) -> network.Present:
    """What a plan for this interface needs to know, once it exists. Raises OSError."""
    guid = ctypes.create_string_buffer(abi.GUID.size)
    check_status(_LIBRARY, "ConvertInterfaceLuidToGuid", ctypes.byref(ctypes.c_ulonglong(luid)), guid)
    present = network.Present(luid, guid.raw, ip_interface(luid, socket.AF_INET))
    try:
        return present._replace(ipv6=ip_interface(luid, socket.AF_INET6))
    except OSError:  # IPv6 is switched off: only who wishes for it must fail
        return present


def _with_row(function: str, row: bytes) -> None:
    _check(function, ctypes.create_string_buffer(row, len(row)))


def _set_dns(guid: bytes, flags: int, servers: str, search: str) -> None:
    texts = [ctypes.create_unicode_buffer(text) for text in (servers, search)]
    settings = more.DNS_INTERFACE_SETTINGS.pack(
        {
            "Version": more.DNS_INTERFACE_SETTINGS_VERSION1,
            "Flags": flags,
            "NameServer": ctypes.addressof(texts[0]),
            "SearchList": ctypes.addressof(texts[1]),
        }
    )
    _check(network.SET_DNS, _Guid.from_buffer_copy(guid), ctypes.create_string_buffer(settings, len(settings)))


def _check(function: str, *arguments: object) -> None:
    """Raises OSError; FileExistsError for what is there."""
    try:
        check_status(_LIBRARY, function, *arguments)
    except AttributeError:
        raise OSError(f"this Windows has no {function}") from None
    except OSError as error:
        if error.winerror == more.ERROR_OBJECT_ALREADY_EXISTS:
            raise FileExistsError(errno.EEXIST, error.strerror) from error
        raise
