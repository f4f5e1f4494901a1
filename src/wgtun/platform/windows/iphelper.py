"""Routes and interfaces of Windows, and when they change. Source: netioapi.h."""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import socket
from collections.abc import Iterator
from typing import TYPE_CHECKING

from wgtun.platform.windows import abi
from wgtun.platform.windows.library import check_status, library
from wgtun.platform.windows.underlay import DefaultRoute

if TYPE_CHECKING:
    import asyncio
    from collections.abc import Callable

_LIBRARY = "iphlpapi"
_FAMILIES = {socket.AF_INET: abi.AF_INET, socket.AF_INET6: abi.AF_INET6}
_TABLE_START = 8  # the number of rows, aligned
_NOTIFICATION = ctypes.WINFUNCTYPE(None, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_int)


class SystemRoutes:
    """See `underlay.Routes`."""

    def defaults(self, family: socket.AddressFamily) -> Iterator[DefaultRoute]:
        table = ctypes.c_void_p()
        check_status(_LIBRARY, "GetIpForwardTable2", _FAMILIES[family], ctypes.byref(table))
        assert table.value is not None
        try:
            count = ctypes.c_ulong.from_address(table.value).value
            row = abi.MIB_IPFORWARD_ROW2
            rows = ctypes.string_at(table.value + _TABLE_START, count * row.size)
        finally:
            library(_LIBRARY).FreeMibTable(table)
        for start in range(0, len(rows), row.size):
            found = rows[start : start + row.size]
            length = row.read(found, "DestinationPrefix.PrefixLength")
            if length > 1:
                continue
            luid, index = row.read(found, "InterfaceLuid"), row.read(found, "InterfaceIndex")
            metric = _metric_if_up(luid, index, family)
            if metric is not None:
                yield DefaultRoute(luid, index, row.read(found, "Metric") + metric, is_half=length == 1)


def _metric_if_up(luid: int, index: int, family: socket.AddressFamily) -> int | None:
    """The metric of an interface; None when it is down or just going away."""
    layout = abi.MIB_IF_ROW2
    try:
        link = _fill(layout.pack({"InterfaceLuid": luid, "InterfaceIndex": index}), "GetIfEntry2")
        if layout.read(link, "OperStatus") != abi.IfOperStatusUp:
            return None
        return abi.MIB_IPINTERFACE_ROW.read(ip_interface(luid, family), "Metric")
    except OSError:
        return None


def ip_interface(luid: int, family: socket.AddressFamily) -> bytes:
    """A MIB_IPINTERFACE_ROW. Raises OSError."""
    row = abi.MIB_IPINTERFACE_ROW.pack({"Family": _FAMILIES[family], "InterfaceLuid": luid})
    return _fill(row, "GetIpInterfaceEntry")


def set_mtu(luid: int, mtu: int) -> None:
    """Of both families, as far as the interface has them."""
    layout = abi.MIB_IPINTERFACE_ROW
    for family in _FAMILIES:
        try:
            row = layout.change(ip_interface(luid, family), {"NlMtu": mtu})
            if family == socket.AF_INET:
                row = layout.change(row, {"SitePrefixLength": 0})  # as it was read, the system refuses to take it back
            check_status(_LIBRARY, "SetIpInterfaceEntry", ctypes.create_string_buffer(row, len(row)))
        except OSError:
            continue


def _fill(row: bytes, function: str) -> bytes:
    """Let a function fill in a row that says which one is wanted."""
    memory = ctypes.create_string_buffer(row, len(row))
    check_status(_LIBRARY, function, memory)
    return memory.raw


class Notifications:
    """Calls back on a loop when routes, addresses or interfaces change; see `platform.interface.ChangeSource`."""

    FUNCTIONS: tuple[str, ...] = ("NotifyRouteChange2", "NotifyUnicastIpAddressChange", "NotifyIpInterfaceChange")

    def __init__(self) -> None:
        self._registered: list[int] = []
        self._on_change = _NOTIFICATION(self._tell)  # kept as long as the system may call it
        self._loop: asyncio.AbstractEventLoop | None = None
        self._changed: Callable[[], None] | None = None

    def watch(self, loop: asyncio.AbstractEventLoop, changed: Callable[[], None]) -> None:
        """See `platform.interface.ChangeSource`. A Windows that can't tell of something does not."""
        self._loop, self._changed = loop, changed
        for function in self.FUNCTIONS:
            handle = ctypes.c_void_p()
            try:
                check_status(_LIBRARY, function, abi.AF_UNSPEC, self._on_change, None, 0, ctypes.byref(handle))
            except OSError:
                continue
            if handle.value is not None:
                self._registered.append(handle.value)

    def _tell(self, _context: int, _row: int, _kind: int) -> None:
        """In a thread of the system."""
        if self._loop is not None and self._changed is not None:
            try:
                self._loop.call_soon_threadsafe(self._changed)
            except RuntimeError:  # the loop is closed
                pass

    def close(self) -> None:
        """Returns when no callback runs any more."""
        while self._registered:
            library(_LIBRARY).CancelMibChangeNotify2(ctypes.c_void_p(self._registered.pop()))
        self._loop = None
