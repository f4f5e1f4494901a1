"""The outer side on macOS and the BSDs. Sources: ip(4), ip6(4), RFC 3542.

IPv6 is the same on all. An IPv4 datagram tells the address that it came to in one of two ways: IP_PKTINFO on macOS,
IP_RECVDSTADDR with IP_RECVIF on the BSDs.
"""

from __future__ import annotations

import errno
import socket
from typing import ClassVar

from wgtun.path import Source
from wgtun.platform import udp
from wgtun.platform.layout import Layout
from wgtun.platform.udp import ControlMessage

_SMALLEST_BUFFER = 64 << 10


class BsdSockets(udp.UdpSockets):
    """See `dataplane.OuterSide`."""

    OPTIONS4: ClassVar[tuple[int, ...]]
    OPTIONS6: ClassVar[tuple[int, ...]]
    """What to switch on, so that datagrams bring control messages."""

    DISPENSABLE: ClassVar[frozenset[int]] = frozenset()
    """Those of them that the system may refuse."""

    @classmethod
    def configure(cls, opened: socket.socket) -> None:
        is_v6 = opened.family == socket.AF_INET6
        for option in cls.OPTIONS6 if is_v6 else cls.OPTIONS4:
            try:
                opened.setsockopt(socket.IPPROTO_IPV6 if is_v6 else socket.IPPROTO_IP, option, 1)
            except OSError:
                if option not in cls.DISPENSABLE:
                    raise
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            _enlarge(opened, option)


class DestinationSockets(BsdSockets):
    """FreeBSD's and OpenBSD's way for IPv4: the bare address, and the interface in a message of its own."""

    SEND_SOURCE: ClassVar[int]
    IPV6_PKTINFO: ClassVar[int]
    INTERFACE: ClassVar[Layout]

    @classmethod
    def source(cls, local: bytes, interface: bytes) -> Source | None:
        if len(local) == 4:
            index = cls.INTERFACE.read(interface, "sdl_index") if interface else 0
            return Source(local, index)
        return udp.source_of_pktinfo6(local)

    @classmethod
    def pin(cls, source: Source) -> ControlMessage:
        if len(source.local) == 4:
            return socket.IPPROTO_IP, cls.SEND_SOURCE, source.local
        return socket.IPPROTO_IPV6, cls.IPV6_PKTINFO, udp.pktinfo6(source)


def _enlarge(opened: socket.socket, option: int) -> None:
    """As much as the system allows, which does not say how much that is."""
    size = udp.BUFFER_SIZE
    while size >= _SMALLEST_BUFFER:
        try:
            opened.setsockopt(socket.SOL_SOCKET, option, size)
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            size //= 2
        else:
            return
