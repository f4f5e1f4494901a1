"""The network under the tunnel, on systems where that is no more than sockets."""

from __future__ import annotations

import socket
from typing import NamedTuple

from wgtun.endpoint import SocketAddress
from wgtun.platform.udp import UdpSockets


class PlainUnderlay:
    """See `dataplane.Underlay`."""

    def __init__(self, sockets: type[UdpSockets], *, no_marks: str = "") -> None:
        """`no_marks` says why this system has no fwmarks; empty when it has."""
        self._sockets = sockets
        self._no_marks = no_marks

    def open(self, port: int, mark: int) -> UdpSockets:
        return self._sockets.open(port, mark)

    def refuses_mark(self, mark: int) -> str:
        return self._no_marks if mark else ""

    def routes_changed(self) -> None:
        """Nothing to do: the sockets leave the choice of the uplink to the system."""

    def set_public_key(self, public_key: bytes | None) -> None:
        """Nothing to do: the engine alone refuses other people's messages."""

    def unreachable(self, address: SocketAddress, mark: int) -> str:
        try:
            self._sockets.connected(address, mark).close()
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def refused(self) -> int:
        return 0

    def close(self) -> None:
        """Nothing to do."""


class Uplink(NamedTuple):
    """What the sockets of one family are bound to."""

    interface: int = 0  # index; 0 leaves it to the routes
    blackhole: bool = False  # datagrams go nowhere: there is no way but through our own tunnel


class UplinkSockets(UdpSockets):
    """Sockets that can be bound to an interface."""

    def set_uplink(self, family: socket.AddressFamily, uplink: Uplink) -> None:
        """Leave by this one alone from now on. Raises OSError."""
        used = self._by_family.get(family)
        if used is not None:
            self.bind_to_interface(used, uplink.interface)
            self.blackholes = self.blackholes - {family} | ({family} if uplink.blackhole else frozenset())

    @staticmethod
    def bind_to_interface(used: socket.socket, interface: int) -> None:
        """0 leaves it to the routes. Raises OSError."""
        raise NotImplementedError


class UplinkUnderlay(PlainUnderlay):
    """Where there is no fwmark to route by: the sockets are bound to an interface that is not the tunnel."""

    def __init__(self, sockets: type[UplinkSockets], *, no_marks: str) -> None:
        super().__init__(sockets, no_marks=no_marks)
        self._opened: UplinkSockets | None = None
        self._uplinks: dict[socket.AddressFamily, Uplink] = {}

    def choose(self, family: socket.AddressFamily) -> Uplink:
        """The uplink, as the routes are now. Raises OSError."""
        raise NotImplementedError

    def open(self, port: int, mark: int) -> UdpSockets:
        opened = super().open(port, mark)
        assert isinstance(opened, UplinkSockets)
        self._opened = opened
        self._uplinks = dict.fromkeys((socket.AF_INET, socket.AF_INET6), Uplink())
        self.routes_changed()
        return opened

    def routes_changed(self) -> None:
        if self._opened is None:
            return
        for family, present in self._uplinks.items():
            try:
                uplink = self.choose(family)
                if uplink != present:
                    self._opened.set_uplink(family, uplink)
                    self._uplinks[family] = uplink
            except OSError:  # the routes are in change, and will tell again
                continue
