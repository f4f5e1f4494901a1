"""The outer side on FreeBSD. Sources: ip(4), ip6(4)."""

from __future__ import annotations

import socket

from wgtun.platform.bsd.udp import DestinationSockets
from wgtun.platform.freebsd import abi


class UdpSockets(DestinationSockets):
    """See `dataplane.OuterSide`. The fwmark is the socket's user cookie, for ipfw(8)."""

    MARK = abi.SO_USER_COOKIE
    SEND_SOURCE = abi.IP_SENDSRCADDR
    IPV6_PKTINFO = abi.IPV6_PKTINFO
    INTERFACE = abi.SOCKADDR_DL
    OPTIONS4 = (abi.IP_RECVDSTADDR, abi.IP_RECVIF, abi.IP_RECVTOS)
    OPTIONS6 = (abi.IPV6_RECVPKTINFO, abi.IPV6_RECVTCLASS)
    ROLES = {  # noqa: RUF012  # never changed
        (socket.IPPROTO_IP, abi.IP_RECVDSTADDR): "local",
        (socket.IPPROTO_IP, abi.IP_RECVIF): "interface",
        (socket.IPPROTO_IPV6, abi.IPV6_PKTINFO): "local",
        (socket.IPPROTO_IP, abi.IP_RECVTOS): "class",
        (socket.IPPROTO_IPV6, abi.IPV6_TCLASS): "class",
    }

    @staticmethod
    def tos(traffic_class: int) -> bytes:
        return bytes([traffic_class])
