"""Tells when routes or addresses changed, and whether a source address still belongs to its path."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

from wgtun.path import Path, SourceState
from wgtun.platform.bsd import routing
from wgtun.platform.bsd.calls import Calls
from wgtun.platform.bsd.interface import Abi
from wgtun.platform.readable import Readable
from wgtun.platform.udp import is_link_local

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable


class RouteMonitor(Readable):
    """See `platform.interface.RouteMonitor`.

    Every routing socket hears of every question, our own too, and of every datagram that had no way to go. These are
    no changes: whoever asks for routes at each of them would never come to rest.
    """

    def __init__(self, calls: Calls, abi: Abi, alignment: int = 8) -> None:
        """Raises OSError."""
        self._calls = calls
        self._abi = abi
        self._no_changes = {abi.RTM_GET, abi.RTM_MISS}
        self._events = routing.open_socket(calls, abi)
        try:
            self._routes = routing.Routes(calls, abi, alignment)
        except BaseException:
            calls.close(self._events)
            raise

    def fileno(self) -> int:
        return self._events

    def watch(self, loop: AbstractEventLoop, changed: Callable[[], None]) -> None:
        """See `platform.interface.ChangeSource`."""

        def look() -> None:
            if self._take_in():
                changed()

        super().watch(loop, look)

    def drain(self) -> None:
        self._take_in()

    def _take_in(self) -> bool:
        """Whether what waits tells of a change; what was lost may have."""
        messages = list(routing.receive(self._calls, self._abi, self._events))
        return any(message is None or message.kind not in self._no_changes for message in messages)

    def source_state(self, path: Path, mark: int) -> SourceState:
        address, source = path
        if source is None or is_link_local(source.local):  # pinned to its interface anyway
            return SourceState.CURRENT
        family = socket.AF_INET if len(source.local) == 4 else socket.AF_INET6
        destination = socket.inet_pton(family, address[0].partition("%")[0])
        try:
            # Where a datagram does not tell its interface, it is that of the address.
            own = source.interface or self._routes.find_interface(source.local, mark)
            interface = self._routes.find_interface(destination, mark)
        except OSError:
            return SourceState.GONE
        return SourceState.of(source._replace(interface=own), interface)

    def close(self) -> None:
        self.unwatch()
        self._calls.close(self._events)
        self._routes.close()
