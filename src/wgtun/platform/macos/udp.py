"""The outer side on macOS. Sources: ip(4), ip6(4), netinet/in.h."""

from __future__ import annotations

import socket

from wgtun.path import Source
from wgtun.platform import udp
from wgtun.platform.bsd.udp import BsdSockets
from wgtun.platform.macos import abi
from wgtun.platform.udp import ControlMessage
from wgtun.platform.underlay import UplinkSockets


class UdpSockets(BsdSockets, UplinkSockets):
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
        if len(local) == layout.size:  # ipi_spec_dst, which names the source when sending, is zero in what comes
            return Source(layout.read_bytes(local, "ipi_addr"), layout.read(local, "ipi_ifindex"))
        return udp.source_of_pktinfo6(local)

    @classmethod
    def pin(cls, source: Source) -> ControlMessage:
        if len(source.local) == 4:
            return socket.IPPROTO_IP, abi.IP_PKTINFO, abi.IN_PKTINFO.pack({"ipi_spec_dst": source.local})
        return socket.IPPROTO_IPV6, abi.IPV6_PKTINFO, udp.pktinfo6(source)

    @staticmethod
    def bind_to_interface(used: socket.socket, interface: int) -> None:
        if used.family == socket.AF_INET6:
            used.setsockopt(socket.IPPROTO_IPV6, abi.IPV6_BOUND_IF, interface)
        else:
            used.setsockopt(socket.IPPROTO_IP, abi.IP_BOUND_IF, interface)
