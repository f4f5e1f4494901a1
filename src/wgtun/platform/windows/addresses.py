"""Socket addresses and control messages as WSARecvMsg and WSASendMsg have them: bytes in memory."""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator

from wgtun.endpoint import SocketAddress
from wgtun.platform.udp import ControlMessage
from wgtun.platform.windows import abi

_ALIGNMENT = 8


def pack_address(address: SocketAddress) -> bytes:
    port = address[1].to_bytes(2, "big")
    if len(address) == 2:
        fields = {"sin_port": port, "sin_addr": socket.inet_pton(socket.AF_INET, address[0])}
        return abi.SOCKADDR_IN.pack({"sin_family": abi.AF_INET, **fields})
    numeric = socket.inet_pton(socket.AF_INET6, address[0].partition("%")[0])
    return abi.SOCKADDR_IN6.pack(
        {"sin6_family": abi.AF_INET6, "sin6_port": port, "sin6_addr": numeric, "sin6_scope_id": address[3]}
    )


def unpack_address(data: bytes) -> SocketAddress:
    if int.from_bytes(data[:2], "little") == abi.AF_INET:
        layout = abi.SOCKADDR_IN
        host = socket.inet_ntop(socket.AF_INET, layout.read_bytes(data, "sin_addr"))
        return host, int.from_bytes(layout.read_bytes(data, "sin_port"), "big")
    layout = abi.SOCKADDR_IN6
    host = socket.inet_ntop(socket.AF_INET6, layout.read_bytes(data, "sin6_addr"))
    scope = layout.read(data, "sin6_scope_id")
    return host, int.from_bytes(layout.read_bytes(data, "sin6_port"), "big"), 0, scope


def pack_control(messages: Iterable[ControlMessage]) -> bytes:
    packed = b""
    for level, kind, value in messages:
        header = {"cmsg_len": abi.WSACMSGHDR.size + len(value), "cmsg_level": level, "cmsg_type": kind}
        packed += abi.WSACMSGHDR.pack(header) + value + bytes(-len(value) % _ALIGNMENT)
    return packed


def unpack_control(data: bytes) -> Iterator[ControlMessage]:
    layout = abi.WSACMSGHDR
    while len(data) >= layout.size:
        length = layout.read(data, "cmsg_len")
        if not layout.size <= length <= len(data):
            return
        yield layout.read(data, "cmsg_level"), layout.read(data, "cmsg_type"), data[layout.size : length]
        data = data[length + -length % _ALIGNMENT :]
