"""The platform interface on Linux."""

from __future__ import annotations

import sys

assert sys.platform == "linux"

from typing import TYPE_CHECKING

from wgtun.platform.linux import sandbox
from wgtun.platform.linux.boot_clock import boottime
from wgtun.platform.linux.directory_watch import DirectoryWatch
from wgtun.platform.linux.link_monitor import LinkMonitor
from wgtun.platform.linux.route_monitor import RouteMonitor
from wgtun.platform.linux.tun import Tun
from wgtun.platform.linux.underlay import Underlay

if TYPE_CHECKING:
    from wgtun.platform import interface

open_tun = Tun.create
adopt_tun = Tun.adopt
open_underlay = Underlay
monitor_routes = RouteMonitor
watch_directory = DirectoryWatch
restrict = sandbox.restrict
clock = boottime


def monitor_link(tun: interface.Tun) -> LinkMonitor:
    """Follow a TUN that this package opened or adopted."""
    assert isinstance(tun, Tun)
    return LinkMonitor(tun)
