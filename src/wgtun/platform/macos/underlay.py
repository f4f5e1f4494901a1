"""The network under the tunnel on macOS: when the default route leads into the tunnel, our own datagrams go around it.

There is no fwmark to route by. The sockets are bound to the interface of the default route that the tunnel took over,
or went beside (IP_BOUND_IF).
"""

from __future__ import annotations

import socket

from wgtun.platform.bsd.calls import Calls
from wgtun.platform.bsd.routing import Routes
from wgtun.platform.macos import abi
from wgtun.platform.macos.udp import UdpSockets
from wgtun.platform.underlay import PlainUnderlay

# Addresses far away, of each half: what is split in two is a default route too (0.0.0.0/1 and 128.0.0.0/1).
_FAR_AWAY = {
    socket.AF_INET: (bytes([1, 0, 0, 1]), bytes([203, 0, 113, 1])),
    socket.AF_INET6: (bytes.fromhex("2000") + bytes(13) + b"\x01", bytes.fromhex("a000") + bytes(13) + b"\x01"),
}


class Underlay(PlainUnderlay):
    """See `dataplane.Underlay`."""

    def __init__(self, calls: Calls, tunnel: str) -> None:
        """`tunnel` is the interface's name; empty when there is none. Raises OSError."""
        super().__init__(UdpSockets, no_marks="macOS has no fwmark; our own datagrams avoid the tunnel by themselves")
        self._tunnel = calls.interface_index(tunnel) if tunnel else 0
        self._routes = Routes(calls, abi, alignment=4)
        self._opened: UdpSockets | None = None
        self._uplinks = dict.fromkeys(_FAR_AWAY, 0)
        self._bound = dict.fromkeys(_FAR_AWAY, 0)

    def open(self, port: int, mark: int) -> UdpSockets:
        self._opened = UdpSockets.open(port, mark)
        self._bound = dict.fromkeys(_FAR_AWAY, 0)
        self.routes_changed()
        return self._opened

    def routes_changed(self) -> None:
        if self._opened is None or not self._tunnel:
            return
        for family in _FAR_AWAY:
            try:
                uplink = self._choose(family)
                if uplink != self._bound[family]:
                    self._opened.bind_to_interface(family, uplink)
                    self._bound[family] = uplink
            except OSError:  # the routes are in change, and will tell again
                continue

    def _choose(self, family: socket.AddressFamily) -> int:
        """The interface to bind to; 0 for none."""
        default = self._routes.find_default(4 if family == socket.AF_INET else 16)
        if default not in (0, self._tunnel):
            self._uplinks[family] = default
        if self._tunnel in [self._routes.find_interface(address) for address in _FAR_AWAY[family]]:
            return self._uplinks[family]
        return 0

    def close(self) -> None:
        self._routes.close()
