"""Follows an interface's link state on a routing socket: up or down, MTU, removal."""

from __future__ import annotations

import errno
from typing import NamedTuple

from wgtun.errors import PlatformError, TunnelGone
from wgtun.platform.bsd import links, routing
from wgtun.platform.bsd.calls import Calls
from wgtun.platform.bsd.interface import Abi
from wgtun.platform.interface import LinkState
from wgtun.platform.layout import Layout
from wgtun.platform.readable import Readable

_GONE = {errno.ENXIO, errno.ENODEV}


class Announcement(NamedTuple):
    """The message that an interface came or went, where there is one."""

    kind: int
    layout: Layout


class LinkMonitor(Readable):
    """See `platform.interface.LinkMonitor`.

    The messages bring flags and MTU with them: after set-up no further call is needed, which a sandbox might refuse.
    """

    def __init__(
        self,
        calls: Calls,
        abi: Abi,
        name: str,
        *,
        announcement: Announcement | None = None,
        desync: int | None = None,
    ) -> None:
        """`desync` is the kind of message that says that others were lost. Raises TunnelGone, PlatformError."""
        self._announcement = announcement
        self._desync = desync
        self._calls = calls
        self._abi = abi
        self._name = name
        self._socket = -1
        try:
            self._index = calls.interface_index(name)
            self._socket = routing.open_socket(calls, abi)
            self._state = self._look()  # what is so already, nobody tells
        except OSError as error:
            self.close()
            if error.errno in _GONE:
                raise TunnelGone("the TUN interface was removed") from error
            raise PlatformError(f"can't follow the interface {name}: {error.strerror}") from error

    def fileno(self) -> int:
        """For the event loop."""
        return self._socket

    def read(self) -> LinkState:
        """Take in what has happened; returns the present state."""
        for message in routing.receive(self._calls, self._abi, self._socket):
            if message is None or message.kind == self._desync:
                self._look_anew()
            elif message.kind == self._abi.RTM_IFINFO:
                self._take_information(message.data)
            elif self._announcement is not None and message.kind == self._announcement.kind:
                self._take_announcement(message.data, self._announcement)
        return self._state

    def close(self) -> None:
        self.unwatch()
        if self._socket >= 0:
            self._calls.close(self._socket)
            self._socket = -1

    def _take_information(self, data: bytes) -> None:
        layout = self._abi.IF_MSGHDR
        if len(data) >= layout.size and layout.read(data, "ifm_index") == self._index:
            up = bool(layout.read(data, "ifm_flags") & self._abi.IFF_UP)
            self._state = LinkState(layout.read(data, "ifm_data.ifi_mtu"), up, self._state.gone)

    def _take_announcement(self, data: bytes, announcement: Announcement) -> None:
        """One that gets another name (FreeBSD) goes and comes, and keeps its index."""
        layout = announcement.layout
        if len(data) < layout.size or layout.read(data, "ifan_index") != self._index:
            return
        try:
            self._name = self._calls.interface_name(self._index)
        except OSError:
            self._state = self._state._replace(gone=True)

    def _look(self) -> LinkState:
        mtu = links.get_mtu(self._calls, self._abi, self._name)
        return LinkState(mtu, links.is_up(self._calls, self._abi, self._name))

    def _look_anew(self) -> None:
        """Flags first: for the MTU OpenBSD's sandbox lets nobody ask."""
        try:
            self._state = self._state._replace(up=links.is_up(self._calls, self._abi, self._name))
            self._state = self._state._replace(mtu=links.get_mtu(self._calls, self._abi, self._name))
        except OSError as error:
            if error.errno in _GONE:
                self._state = self._state._replace(gone=True)
