"""The platform interface on Windows."""

from __future__ import annotations

import sys

assert sys.platform == "win32"

from typing import TYPE_CHECKING

from wgtun.platform.windows.clock import interrupt_time
from wgtun.platform.windows.handles import Wait
from wgtun.platform.windows.iphelper import SystemRoutes, set_mtu
from wgtun.platform.windows.monitors import LinkMonitor, RouteMonitor
from wgtun.platform.windows.tun import Tun
from wgtun.platform.windows.udp import UdpSockets
from wgtun.platform.windows.underlay import Underlay
from wgtun.platform.windows.wintun import Wintun

if TYPE_CHECKING:
    from wgtun.platform import interface

clock = interrupt_time
monitor_routes = RouteMonitor


def open_tun(name: str, *, offload: bool = False, queues: int = 1) -> Tun:
    tun = Tun(Wintun(), name, Wait)
    set_mtu(tun.luid, tun.mtu)
    return tun


def adopt_tun(descriptor: int, *, offload: bool = False) -> interface.Tun:
    from wgtun.errors import PlatformError

    raise PlatformError("Windows has no descriptors of adapters to adopt")


def open_underlay(tunnel: interface.Tun | None = None) -> Underlay:
    return Underlay(UdpSockets, SystemRoutes(), tunnel.luid if isinstance(tunnel, Tun) else 0)


def monitor_link(tunnel: interface.Tun) -> LinkMonitor:
    """Follow an adapter that this package made."""
    assert isinstance(tunnel, Tun)
    return LinkMonitor(tunnel)


def watch_directory(path: str) -> interface.DirectoryWatch:
    from wgtun.errors import PlatformError

    raise PlatformError("on Windows there is no directory of configuration sockets to watch")


def restrict(socket_directory: str | None) -> str:
    return "none on Windows"
