"""Tells when routes or addresses changed, and whether a source address still belongs to its path."""

from __future__ import annotations

import socket

from wgtun.path import Path, SourceState
from wgtun.platform.bsd import routing
from wgtun.platform.bsd.calls import Calls
from wgtun.platform.bsd.interface import Abi
from wgtun.platform.readable import Readable
from wgtun.platform.udp import is_link_local


class RouteMonitor(Readable):
    """See `platform.interface.RouteMonitor`."""

    def __init__(self, calls: Calls, abi: Abi, alignment: int = 8) -> None:
        """Raises OSError."""
        self._calls = calls
        self._abi = abi
        self._events = routing.open_socket(calls, abi)
        self._routes = routing.Routes(calls, abi, alignment)

    def fileno(self) -> int:
        return self._events

    def drain(self) -> None:
        for _ in routing.receive(self._calls, self._abi, self._events):
            pass

    def source_state(self, path: Path, mark: int) -> SourceState:
        address, source = path
        if source is None or is_link_local(source.local):  # pinned to its interface anyway
            return SourceState.CURRENT
        family = socket.AF_INET if len(source.local) == 4 else socket.AF_INET6
        destination = socket.inet_pton(family, address[0].partition("%")[0])
        try:
            interface = self._routes.find_interface(destination, mark)
        except OSError:
            return SourceState.GONE
        return SourceState.of(source, interface)

    def close(self) -> None:
        self.unwatch()
        self._calls.close(self._events)
        self._routes.close()
