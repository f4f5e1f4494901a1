"""The outer side on macOS. Sources: ip(4), ip6(4), netinet/in.h."""

from __future__ import annotations

import socket

from wgtun.path import Source
from wgtun.platform import udp
from wgtun.platform.bsd.udp import BsdSockets
from wgtun.platform.macos import abi
from wgtun.platform.udp import ControlMessage


class UdpSockets(BsdSockets):
    """See `dataplane.OuterSide`."""

    OPTIONS4 = (abi.IP_RECVPKTINFO, abi.IP_RECVTOS)
    OPTIONS6 = (abi.IPV6_RECVPKTINFO, abi.IPV6_RECVTCLASS)
    ROLES = {  # noqa: RUF012  # never changed
        (socket.IPPROTO_IP, abi.IP_PKTINFO): "local",
        (socket.IPPROTO_IPV6, abi.IPV6_PKTINFO): "local",
        (socket.IPPROTO_IP, abi.IP_RECVTOS): "class",
        (socket.IPPROTO_IPV6, abi.IPV6_TCLASS): "class",
    }

    @classmethod
    def source(cls, local: bytes, interface: bytes) -> Source | None:
        layout = abi.IN_PKTINFO
        if len(local) == layout.size:
            return Source(layout.read_bytes(local, "ipi_spec_dst"), layout.read(local, "ipi_ifindex"))
        return udp.source_of_pktinfo6(local)

    @classmethod
    def pin(cls, source: Source) -> ControlMessage:
        if len(source.local) == 4:
            return socket.IPPROTO_IP, abi.IP_PKTINFO, abi.IN_PKTINFO.pack({"ipi_spec_dst": source.local})
        return socket.IPPROTO_IPV6, abi.IPV6_PKTINFO, udp.pktinfo6(source)

    def bind_to_interface(self, family: socket.AddressFamily, index: int) -> None:
        """Leave by this interface alone; 0 leaves it to the routes again. Raises OSError."""
        bound = self._by_family.get(family)
        if bound is not None:
            is_v6 = family == socket.AF_INET6
            level, option = (socket.IPPROTO_IPV6, abi.IPV6_BOUND_IF) if is_v6 else (socket.IPPROTO_IP, abi.IP_BOUND_IF)
            bound.setsockopt(level, option, index)
