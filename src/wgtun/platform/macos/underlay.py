"""The network under the tunnel on macOS: when the default route leads into the tunnel, our own datagrams go around it.

The sockets are bound to the interface of the default route that the tunnel went beside, or took over (IP_BOUND_IF).
"""

from __future__ import annotations

import socket

from wgtun.platform.bsd.calls import Calls
from wgtun.platform.bsd.routing import Routes
from wgtun.platform.macos import abi
from wgtun.platform.macos.udp import UdpSockets
from wgtun.platform.underlay import Uplink, UplinkUnderlay

# Addresses far away, of each half: what is split in two is a default route too (0.0.0.0/1 and 128.0.0.0/1).
_FAR_AWAY = {
    socket.AF_INET: ("1.0.0.1", "203.0.113.1"),
    socket.AF_INET6: ("2000::1", "a000::1"),
}


class Underlay(UplinkUnderlay):
    """See `dataplane.Underlay`."""

    def __init__(self, calls: Calls, tunnel: str) -> None:
        """`tunnel` is the interface's name; empty when there is none. Raises OSError."""
        super().__init__(UdpSockets, no_marks="macOS has no fwmark; our own datagrams avoid the tunnel by themselves")
        self._tunnel = calls.interface_index(tunnel) if tunnel else 0
        self._routes = Routes(calls, abi, alignment=4)
        self._last_default = dict.fromkeys(_FAR_AWAY, 0)

    def choose(self, family: socket.AddressFamily) -> Uplink:
        if not self._tunnel:
            return Uplink()
        default = self._routes.find_default(4 if family == socket.AF_INET else 16)
        if default not in (0, self._tunnel):
            self._last_default[family] = default
        far_away = [socket.inet_pton(family, text) for text in _FAR_AWAY[family]]
        if self._tunnel not in [self._routes.find_interface(address) for address in far_away]:
            return Uplink()
        uplink = self._last_default[family]
        return Uplink(uplink, blackhole=not uplink)

    def close(self) -> None:
        self._routes.close()
