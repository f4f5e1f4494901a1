"""What a device needs of the operating system, in one small interface; one package per system.

open_tun(name), adopt_tun(descriptor)   the tunnel side; with offloads where the engine has a use for them
open_underlay(tun)                      the outer side, for this tunnel
monitor_link(tun)                       up, down, MTU, removal
watch_directory(path)                   whether entries of a directory changed
restrict(socket_directory)              give up the powers that only set-up needs; says what is on
clock()                                 nanoseconds that count the time asleep and never step
"""

from __future__ import annotations

import sys

if sys.platform == "linux":
    from wgtun.platform.linux.system import (
        adopt_tun,
        clock,
        monitor_link,
        monitor_routes,
        open_tun,
        open_underlay,
        restrict,
        watch_directory,
    )
elif sys.platform == "win32":
    from wgtun.platform.windows.system import (
        adopt_tun,
        clock,
        monitor_link,
        monitor_routes,
        open_tun,
        open_underlay,
        restrict,
        watch_directory,
    )
elif sys.platform == "darwin":
    from wgtun.platform.macos.system import (
        adopt_tun,
        clock,
        monitor_link,
        monitor_routes,
        open_tun,
        open_underlay,
        restrict,
        watch_directory,
    )
elif sys.platform.startswith("freebsd"):
    from wgtun.platform.freebsd.system import (
        adopt_tun,
        clock,
        monitor_link,
        monitor_routes,
        open_tun,
        open_underlay,
        restrict,
        watch_directory,
    )
elif sys.platform.startswith("openbsd"):
    from wgtun.platform.openbsd.system import (
        adopt_tun,
        clock,
        monitor_link,
        monitor_routes,
        open_tun,
        open_underlay,
        restrict,
        watch_directory,
    )
else:
    from wgtun.platform.unsupported import (
        adopt_tun,
        clock,
        monitor_link,
        monitor_routes,
        open_tun,
        open_underlay,
        restrict,
        watch_directory,
    )

__all__ = [
    "adopt_tun",
    "clock",
    "monitor_link",
    "monitor_routes",
    "open_tun",
    "open_underlay",
    "restrict",
    "watch_directory",
]
