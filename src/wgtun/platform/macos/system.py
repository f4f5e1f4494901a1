"""The platform interface on macOS."""

from __future__ import annotations

import sys

assert sys.platform == "darwin"

from functools import partial
from typing import TYPE_CHECKING

from wgtun.platform.bsd.clock import monotonic
from wgtun.platform.bsd.directory_watch import DirectoryWatch
from wgtun.platform.bsd.link_monitor import LinkMonitor
from wgtun.platform.bsd.route_monitor import RouteMonitor
from wgtun.platform.bsd.sandbox import restrict as restrict
from wgtun.platform.bsd.system_calls import SystemCalls
from wgtun.platform.bsd.tun import Tun
from wgtun.platform.macos import abi, tun
from wgtun.platform.macos.underlay import Underlay

if TYPE_CHECKING:
    from wgtun.platform import interface

_CALLS = SystemCalls()
monitor_routes = partial(RouteMonitor, _CALLS, abi, alignment=4)
watch_directory = partial(DirectoryWatch, _CALLS, abi)
clock = monotonic


def open_tun(name: str, *, offload: bool = False, queues: int = 1) -> Tun:
    return tun.create(_CALLS, name)


def adopt_tun(descriptor: int, *, offload: bool = False) -> Tun:
    return tun.adopt(_CALLS, descriptor)


def open_underlay(tunnel: interface.Tun | None = None) -> Underlay:
    return Underlay(_CALLS, "" if tunnel is None else tunnel.name)


def monitor_link(tunnel: interface.Tun) -> LinkMonitor:
    """Follow a TUN that this package opened or adopted."""
    return LinkMonitor(_CALLS, abi, tunnel.name)
