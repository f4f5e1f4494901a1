"""What a device needs of the operating system, in one small interface; one package per system.

open_tun(name), adopt_tun(descriptor)   the tunnel side
open_sockets(port, mark)                the outer side
monitor_link(tun)                       up, down, MTU, removal
watch_directory(path)                   whether entries of a directory changed
clock()                                 nanoseconds, the time asleep included
"""

from __future__ import annotations

import sys

if sys.platform == "linux":
    from wgtun.platform.linux.clock import boottime as clock
    from wgtun.platform.linux.directory_watch import DirectoryWatch as watch_directory  # noqa: N813
    from wgtun.platform.linux.link_monitor import LinkMonitor as monitor_link  # noqa: N813
    from wgtun.platform.linux.tun import Tun
    from wgtun.platform.linux.udp import UdpSockets

    open_tun = Tun.create
    adopt_tun = Tun.adopt
    open_sockets = UdpSockets.open
else:
    from wgtun.errors import PlatformError

    raise PlatformError(f"wgtun does not run on {sys.platform} yet")

__all__ = ["Tun", "adopt_tun", "clock", "monitor_link", "open_sockets", "open_tun", "watch_directory"]
