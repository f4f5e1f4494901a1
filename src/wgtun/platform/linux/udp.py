"""The outer side on Linux: one UDP socket per family on the same port.

Offloads: datagrams of one size leave as one train (UDP_SEGMENT), and arrive as one (UDP_GRO).
Sources: udp(7), ip(7), ipv6(7).
"""

from __future__ import annotations

import sys

assert sys.platform == "linux"

import socket
from struct import Struct
from typing import TYPE_CHECKING

from wgtun.endpoint import SocketAddress
from wgtun.path import Source
from wgtun.platform import udp
from wgtun.platform.linux.offload import allowed, missing
from wgtun.platform.trains import TrainSockets
from wgtun.platform.udp import ControlMessage

if TYPE_CHECKING:
    from wgtun.platform.linux.mac1_filter import Mac1Filter

# Not in Python's socket module.
_SO_SNDBUFFORCE = 32
_SO_RCVBUFFORCE = 33
_SOL_UDP = 17
_UDP_SEGMENT = 103
_UDP_GRO = 104
_IP_PKTINFO = 8
_IP_RECVTOS = 13
_IP_MTU = 14
_IPV6_MTU = 24

_SEGMENT_SIZE = Struct("=H")
_PKTINFO4 = Struct("=I4s4s")  # interface index, local address, destination address


class UdpSockets(TrainSockets):
    """The sockets of one device; see `dataplane.OuterSide`."""

    MARK = socket.SO_MARK
    ROLES = {  # noqa: RUF012  # never changed
        (socket.IPPROTO_IP, _IP_PKTINFO): "local",
        (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO): "local",
        (socket.IPPROTO_IP, socket.IP_TOS): "class",
        (socket.IPPROTO_IPV6, socket.IPV6_TCLASS): "class",
        (_SOL_UDP, _UDP_GRO): "size",
    }

    def __init__(self, sockets: list[socket.socket]) -> None:
        super().__init__(sockets)
        self.offloads = _offloads(sockets)
        self.missing = missing({"gso", "gro"}, self.offloads, "the kernel does not have it")

    @classmethod
    def configure(cls, opened: socket.socket) -> None:
        if opened.family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVTCLASS, 1)
        else:
            opened.setsockopt(socket.IPPROTO_IP, _IP_PKTINFO, 1)
            opened.setsockopt(socket.IPPROTO_IP, _IP_RECVTOS, 1)
        for force, plain in ((_SO_RCVBUFFORCE, socket.SO_RCVBUF), (_SO_SNDBUFFORCE, socket.SO_SNDBUF)):
            try:
                opened.setsockopt(socket.SOL_SOCKET, force, udp.BUFFER_SIZE)
            except OSError:  # not permitted: as much as the system allows
                opened.setsockopt(socket.SOL_SOCKET, plain, udp.BUFFER_SIZE)
        if "gro" in allowed():
            try:
                opened.setsockopt(_SOL_UDP, _UDP_GRO, 1)
            except OSError:  # Linux before 5.0
                pass

    def attach(self, mac1_filter: Mac1Filter) -> None:
        """Refuse other people's handshake messages in the kernel."""
        for each in self._by_fileno.values():
            mac1_filter.attach(each)
        self.offloads |= {"mac1"}

    # --- source addresses ------------------------------------------------------------------------

    @staticmethod
    def source(local: bytes, interface: bytes) -> Source | None:
        if len(local) == _PKTINFO4.size:
            index, address, _ = _PKTINFO4.unpack(local)
            return Source(address, index)
        return udp.source_of_pktinfo6(local)

    @staticmethod
    def pin(source: Source) -> ControlMessage:
        if len(source.local) == 4:
            return socket.IPPROTO_IP, _IP_PKTINFO, _PKTINFO4.pack(0, source.local, bytes(4))
        return socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, udp.pktinfo6(source)

    # --- trains ----------------------------------------------------------------------------------

    @staticmethod
    def segment_size(size: int) -> ControlMessage:
        return _SOL_UDP, _UDP_SEGMENT, _SEGMENT_SIZE.pack(size)

    def path_mtu(self, address: SocketAddress) -> int:
        """See `TrainSockets`."""
        option = (socket.IPPROTO_IPV6, _IPV6_MTU) if len(address) == 4 else (socket.IPPROTO_IP, _IP_MTU)
        sender = self.for_address(address)
        assert sender is not None  # it has just sent
        try:
            mark = sender.getsockopt(socket.SOL_SOCKET, socket.SO_MARK) & 0xFFFFFFFF  # Python sees a sign
            with self.connected(address, mark) as probe:
                return probe.getsockopt(*option)
        except OSError:
            return 0


def _offloads(sockets: list[socket.socket]) -> frozenset[str]:
    """What the system has, and what was switched on."""
    try:
        for each in sockets:
            each.getsockopt(_SOL_UDP, _UDP_SEGMENT)
        gro = all(each.getsockopt(_SOL_UDP, _UDP_GRO) for each in sockets)
    except OSError:  # Linux before 4.18, before 5.0
        return frozenset()
    return allowed() & ({"gso", "gro"} if gro else {"gso"})
