"""The network under the tunnel on Windows: when the tunnel has the default route, our own datagrams go around it.

There is no fwmark to route by. As long as the tunnel has a default route, whole or in halves, the sockets are bound to
the interface of the best other one (IP_UNICAST_IF). When there is none but the tunnel's, datagrams go nowhere: they
would enter the tunnel again.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import NamedTuple, Protocol

from wgtun.platform.underlay import Uplink, UplinkSockets, UplinkUnderlay


class DefaultRoute(NamedTuple):
    """A default route by an interface that is up. Of several the one of the smallest metric is used."""

    luid: int
    interface: int  # its index
    metric: int  # of the route and of the interface together
    is_half: bool = False  # 0.0.0.0/1, 8000::/1, ...


class Routes(Protocol):
    """What is to be known of the system."""

    def defaults(self, family: socket.AddressFamily) -> Iterable[DefaultRoute]:
        """Halves too. Raises OSError."""


class Underlay(UplinkUnderlay):
    """See `dataplane.Underlay`."""

    def __init__(self, sockets: type[UplinkSockets], routes: Routes, tunnel: int) -> None:
        """`tunnel` is our own interface's LUID; 0 for none."""
        super().__init__(sockets, no_marks="Windows has no fwmark; our own datagrams avoid the tunnel by themselves")
        self._routes = routes
        self._tunnel = tunnel

    def choose(self, family: socket.AddressFamily) -> Uplink:
        if not self._tunnel:
            return Uplink()
        by_metric = sorted(self._routes.defaults(family), key=lambda route: route.metric)
        if all(route.luid != self._tunnel for route in by_metric):
            return Uplink()
        others = [route.interface for route in by_metric if route.luid != self._tunnel and not route.is_half]
        return Uplink(others[0] if others else 0, blackhole=not others)
