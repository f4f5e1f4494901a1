"""What may change under a device on Windows: its interface's MTU, and the routes of the host."""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import socket

from wgtun.path import Path, SourceState
from wgtun.platform.interface import LinkState
from wgtun.platform.udp import is_link_local
from wgtun.platform.windows import abi
from wgtun.platform.windows.iphelper import Notifications, ip_interface
from wgtun.platform.windows.tun import Tun
from wgtun.platform.windows.udp import UdpSockets


class LinkMonitor(Notifications):
    """See `platform.interface.LinkMonitor`. An adapter is up as long as it has a session; its MTU is the system's."""

    FUNCTIONS: tuple[str, ...] = ("NotifyIpInterfaceChange",)

    def __init__(self, tun: Tun) -> None:
        super().__init__()
        self._tun = tun

    def read(self) -> LinkState:
        mtus = []
        for family in (socket.AF_INET, socket.AF_INET6):
            try:
                mtus.append(abi.MIB_IPINTERFACE_ROW.read(ip_interface(self._tun.luid, family), "NlMtu"))
            except OSError:  # the family is not on this interface
                continue
        return LinkState(max(mtus, default=self._tun.mtu), up=True)


class RouteMonitor(Notifications):
    """See `platform.interface.RouteMonitor`."""

    def drain(self) -> None:
        """Nothing queues up."""

    def source_state(self, path: Path, mark: int) -> SourceState:
        address, source = path
        if source is None or is_link_local(source.local):  # pinned to its interface anyway
            return SourceState.CURRENT
        family = socket.AF_INET if len(source.local) == 4 else socket.AF_INET6
        try:
            with UdpSockets.connected(address, mark) as probe:
                usual = socket.inet_pton(family, probe.getsockname()[0].partition("%")[0])
        except OSError:
            return SourceState.GONE
        return SourceState.CURRENT if usual == source.local else SourceState.ELSEWHERE
