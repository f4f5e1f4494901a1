"""The network under the tunnel, on a system where that is no more than sockets."""

from __future__ import annotations

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
