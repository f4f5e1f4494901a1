"""The outer side on OpenBSD. Sources: ip(4), ip6(4)."""

from __future__ import annotations

import socket

from wgtun.platform.bsd.udp import DestinationSockets
from wgtun.platform.openbsd import abi


class UdpSockets(DestinationSockets):
    """See `dataplane.OuterSide`. The fwmark is the socket's routing table. IPv4 tells no traffic class."""

    MARK = abi.SO_RTABLE
    SEND_SOURCE = abi.IP_SENDSRCADDR
    IPV6_PKTINFO = abi.IPV6_PKTINFO
    INTERFACE = abi.SOCKADDR_DL
    OPTIONS4 = (abi.IP_RECVDSTADDR, abi.IP_RECVIF)
    OPTIONS6 = (abi.IPV6_RECVPKTINFO, abi.IPV6_RECVTCLASS)
    DISPENSABLE = frozenset({abi.IP_RECVIF, abi.IPV6_RECVTCLASS})  # no promise of pledge(2) covers them everywhere
    ROLES = {  # noqa: RUF012  # never changed
        (socket.IPPROTO_IP, abi.IP_RECVDSTADDR): "local",
        (socket.IPPROTO_IP, abi.IP_RECVIF): "interface",
        (socket.IPPROTO_IPV6, abi.IPV6_PKTINFO): "local",
        (socket.IPPROTO_IPV6, abi.IPV6_TCLASS): "class",
    }
