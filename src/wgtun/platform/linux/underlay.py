"""The network under the tunnel: where a device's sockets come from."""

from __future__ import annotations

import sys

assert sys.platform == "linux"

from typing import TYPE_CHECKING

from wgtun.platform.linux.mac1_filter import Mac1Filter
from wgtun.platform.linux.offload import allowed, missing
from wgtun.platform.linux.udp import UdpSockets

if TYPE_CHECKING:
    from wgtun.endpoint import SocketAddress
    from wgtun.platform.interface import Tun


class Underlay:
    """See `dataplane.Underlay`. Whoever may not set up a filter does without."""

    def __init__(self, tun: Tun | None = None) -> None:
        self._filter: Mac1Filter | None = None
        self._why = ""
        if "mac1" in allowed():
            try:
                self._filter = Mac1Filter()
            except OSError as error:
                self._why = f"the system does not let us: {error.strerror}"

    def open(self, port: int, mark: int) -> UdpSockets:
        opened = UdpSockets.open(port, mark)
        if self._filter is not None:
            opened.attach(self._filter)
        opened.missing |= missing({"mac1"}, opened.offloads, self._why)
        return opened

    def refuses_mark(self, mark: int) -> str:
        return ""

    def routes_changed(self) -> None:
        """Nothing to do: routing by fwmark keeps our own datagrams out of the tunnel."""

    def set_public_key(self, public_key: bytes | None) -> None:
        if self._filter is not None:
            self._filter.set_public_key(public_key)

    def unreachable(self, address: SocketAddress, mark: int) -> str:
        try:
            UdpSockets.connected(address, mark).close()
        except OSError as error:
            return error.strerror or str(error)
        return ""

    def refused(self) -> int:
        return 0 if self._filter is None else self._filter.refused()

    def close(self) -> None:
        if self._filter is not None:
            self._filter.close()
