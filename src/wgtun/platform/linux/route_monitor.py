"""Tells when routes or addresses changed, and whether a source address still belongs to its path.

Without it, a peer would be answered from the address of an uplink that its packets no longer
leave by.
"""

from __future__ import annotations

import sys

assert sys.platform == "linux"

import errno
import socket

from wgtun.path import Path, SourceState
from wgtun.platform.linux import netlink
from wgtun.platform.readable import Readable
from wgtun.platform.udp import is_link_local


class RouteMonitor(Readable):
    """See `platform.interface.RouteMonitor`. It watches the namespace that it is made in."""

    def __init__(self) -> None:
        self._events = netlink.open_socket(netlink.ROUTE_GROUPS)
        self._queries = netlink.open_socket(0)

    def fileno(self) -> int:
        return self._events.fileno()

    def drain(self) -> None:
        while True:
            try:
                self._events.recv(65536)
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno != errno.ENOBUFS:  # some were lost; there were changes, that is all we tell
                    raise

    def source_state(self, path: Path, mark: int) -> SourceState:
        address, source = path
        if source is None or is_link_local(source.local):  # pinned to its interface anyway
            return SourceState.CURRENT
        family = socket.AF_INET if len(source.local) == 4 else socket.AF_INET6
        destination = socket.inet_pton(family, address[0].partition("%")[0])
        try:
            interface = netlink.find_interface(self._queries, destination, source.local, mark)
        except OSError:
            return SourceState.GONE
        return SourceState.of(source, interface)

    def close(self) -> None:
        self.unwatch()
        self._events.close()
        self._queries.close()
