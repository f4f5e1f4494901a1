"""The platform interface on OpenBSD."""

from __future__ import annotations

import sys

assert sys.platform != "win32"
assert sys.platform != "linux"

from functools import partial
from typing import TYPE_CHECKING

from wgtun.platform.bsd.clock import monotonic
from wgtun.platform.bsd.directory_watch import DirectoryWatch
from wgtun.platform.bsd.link_monitor import Announcement, LinkMonitor
from wgtun.platform.bsd.route_monitor import RouteMonitor
from wgtun.platform.bsd.system_calls import SystemCalls
from wgtun.platform.bsd.tun import Tun
from wgtun.platform.openbsd import abi, sandbox, tun
from wgtun.platform.openbsd.udp import UdpSockets
from wgtun.platform.underlay import PlainUnderlay

if TYPE_CHECKING:
    from wgtun.platform import interface

_CALLS = SystemCalls()
_ANNOUNCEMENT = Announcement(abi.RTM_IFANNOUNCE, abi.IF_ANNOUNCEMSGHDR)
monitor_routes = partial(RouteMonitor, _CALLS, abi)
watch_directory = partial(DirectoryWatch, _CALLS, abi)
restrict = partial(sandbox.restrict, sandbox.SystemLibrary())
clock = monotonic


def open_tun(name: str, *, offload: bool = False, queues: int = 1) -> Tun:
    return tun.create(_CALLS, name)


def adopt_tun(descriptor: int, *, offload: bool = False) -> Tun:
    return tun.adopt(_CALLS, descriptor)


def open_underlay(tunnel: interface.Tun | None = None) -> PlainUnderlay:
    return PlainUnderlay(UdpSockets)


def monitor_link(tunnel: interface.Tun) -> LinkMonitor:
    """Follow a TUN that this package opened or adopted."""
    return LinkMonitor(_CALLS, abi, tunnel.name, announcement=_ANNOUNCEMENT, desync=abi.RTM_DESYNC)
