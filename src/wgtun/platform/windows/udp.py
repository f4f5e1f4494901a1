"""The outer side on Windows. Source: winsock2.h, mswsock.h, ws2ipdef.h.

Offloads: datagrams of one size leave as one train (UDP_SEND_MSG_SIZE, Windows 10 2004) and arrive as one
(UDP_RECV_MAX_COALESCED_SIZE). Of the traffic class only the congestion marks are carried (IP_ECN).
"""

from __future__ import annotations

import sys

assert sys.platform == "win32"

import ctypes
import errno
import os
import socket
from collections.abc import Sequence
from functools import cache
from typing import Any

from wgtun.endpoint import SocketAddress
from wgtun.path import Source
from wgtun.platform import udp
from wgtun.platform.switches import left_on
from wgtun.platform.trains import TrainSockets
from wgtun.platform.udp import ControlMessage
from wgtun.platform.underlay import UplinkSockets
from wgtun.platform.windows import abi
from wgtun.platform.windows.addresses import pack_address, pack_control, unpack_address, unpack_control

_TOS_ECN = 3
_ADDRESS_SIZE = 128
_CONTROL_SIZE = 256
_WSAIDS = {
    "WSARecvMsg": (0xF689D7C8, 0x6F1F, 0x436B, bytes.fromhex("8a53e54fe351c322")),
    "WSASendMsg": (0xA441E712, 0x754F, 0x43CA, bytes.fromhex("84a70dee44cf606d")),
}
_WORD = ctypes.c_ulong


class UdpSockets(TrainSockets, UplinkSockets):
    """The sockets of one device; see `dataplane.OuterSide`."""

    ROLES = {  # noqa: RUF012  # never changed
        (abi.IPPROTO_IP, abi.IP_PKTINFO): "local",
        (abi.IPPROTO_IPV6, abi.IPV6_PKTINFO): "local",
        (abi.IPPROTO_IP, abi.IP_ECN): "class",
        (abi.IPPROTO_IPV6, abi.IPV6_ECN): "class",
        (abi.IPPROTO_UDP, abi.UDP_COALESCED_INFO): "size",
    }

    def __init__(self, sockets: list[socket.socket]) -> None:
        super().__init__(sockets)
        self._receiving = {each.fileno(): _Message() for each in sockets}
        wanted = left_on({"gso", "gro"}, "WGTUN_OFFLOAD", os.environ.get("WGTUN_OFFLOAD", ""))
        for name, option in (("gso", abi.UDP_SEND_MSG_SIZE), ("gro", abi.UDP_RECV_MAX_COALESCED_SIZE)):
            if name not in wanted:
                self.missing[name] = "switched off by WGTUN_OFFLOAD"
            elif all(_has(each, option, 0 if name == "gso" else udp.DATAGRAM_SIZE) for each in sockets):
                self.offloads |= {name}
            else:
                self.missing[name] = "this Windows does not have it"

    @classmethod
    def configure(cls, opened: socket.socket) -> None:
        opened.setsockopt(socket.SOL_SOCKET, abi.SO_EXCLUSIVEADDRUSE, 1)  # else another program could take the port
        for option in (socket.SO_RCVBUF, socket.SO_SNDBUF):
            opened.setsockopt(socket.SOL_SOCKET, option, udp.BUFFER_SIZE)
        is_v6 = opened.family == socket.AF_INET6
        level = abi.IPPROTO_IPV6 if is_v6 else abi.IPPROTO_IP
        opened.setsockopt(level, abi.IPV6_PKTINFO if is_v6 else abi.IP_PKTINFO, 1)
        _has(opened, abi.IPV6_RECVECN if is_v6 else abi.IP_RECVECN, 1, level)  # from Windows 10 2004
        for request in (abi.SIO_UDP_CONNRESET, abi.SIO_UDP_NETRESET):
            try:
                _ioctl(opened, request, bytes(4), 0)  # an unreachable peer is no error of the socket
            except OSError:  # not every Windows knows both; `_socket_error` deals with what comes then
                continue

    # --- source addresses ------------------------------------------------------------------------

    @staticmethod
    def source(local: bytes, interface: bytes) -> Source | None:
        layout = abi.IN_PKTINFO
        if len(local) == layout.size:
            return Source(layout.read_bytes(local, "ipi_addr"), layout.read(local, "ipi_ifindex"))
        return udp.source_of_pktinfo6(local)

    @staticmethod
    def pin(source: Source) -> ControlMessage:
        if len(source.local) == 4:
            return abi.IPPROTO_IP, abi.IP_PKTINFO, abi.IN_PKTINFO.pack({"ipi_addr": source.local})
        return abi.IPPROTO_IPV6, abi.IPV6_PKTINFO, udp.pktinfo6(source)

    # --- messages --------------------------------------------------------------------------------

    def receive_message(self, receiver: socket.socket) -> tuple[bytes, list[ControlMessage], SocketAddress]:
        message = self._receiving[receiver.fileno()]
        size = _WORD()
        function = _function("WSARecvMsg")
        if function(ctypes.c_void_p(receiver.fileno()), message.prepare(), ctypes.byref(size), None, None):
            raise _socket_error()
        control = list(unpack_control(message.control_received()))
        return message.data.raw[: size.value], control, unpack_address(message.name.raw)

    def send_message(
        self, sender: socket.socket, parts: Sequence[bytes], control: list[ControlMessage], address: SocketAddress
    ) -> None:
        memory = [_memory(part) for part in parts]
        buffers = _memory(b"".join(_buffer(each) for each in memory))
        name, packed = _memory(pack_address(address)), pack_control(control)
        room = _memory(packed) if packed else None
        message = _pack_message(name, len(name), buffers, len(parts), room, len(packed))
        size = _WORD()
        function = _function("WSASendMsg")
        if function(ctypes.c_void_p(sender.fileno()), message, 0, ctypes.byref(size), None, None):
            raise _socket_error()

    @staticmethod
    def segment_size(size: int) -> ControlMessage:
        return abi.IPPROTO_UDP, abi.UDP_SEND_MSG_SIZE, size.to_bytes(4, "little")

    def class_of(self, sender: socket.socket, traffic_class: int) -> list[ControlMessage]:
        marks = traffic_class & _TOS_ECN
        if not marks or not self._takes_classes:
            return []
        is_v6 = sender.family == socket.AF_INET6
        level, kind = (abi.IPPROTO_IPV6, abi.IPV6_ECN) if is_v6 else (abi.IPPROTO_IP, abi.IP_ECN)
        return [(level, kind, marks.to_bytes(4, "little"))]

    @staticmethod
    def bind_to_interface(used: socket.socket, interface: int) -> None:
        if used.family == socket.AF_INET6:
            used.setsockopt(abi.IPPROTO_IPV6, abi.IPV6_UNICAST_IF, interface)
        else:  # in network byte order, and this one only
            used.setsockopt(abi.IPPROTO_IP, abi.IP_UNICAST_IF, interface.to_bytes(4, "big"))


class _Message:
    """Memory for one receive call, used again and again."""

    def __init__(self) -> None:
        self.data = ctypes.create_string_buffer(udp.DATAGRAM_SIZE)
        self.name = ctypes.create_string_buffer(_ADDRESS_SIZE)
        self._control = ctypes.create_string_buffer(_CONTROL_SIZE)
        self._buffer = _memory(_buffer(self.data))
        self._template = _pack_message(self.name, _ADDRESS_SIZE, self._buffer, 1, self._control, _CONTROL_SIZE).raw
        self._message = ctypes.create_string_buffer(self._template, len(self._template))

    def prepare(self) -> ctypes.Array[ctypes.c_char]:
        """Undo what the last call wrote."""
        self._message.raw = self._template
        return self._message

    def control_received(self) -> bytes:
        return self._control.raw[: abi.WSAMSG.read(self._message.raw, "Control.len")]


def _memory(data: bytes) -> ctypes.Array[ctypes.c_char]:
    return ctypes.create_string_buffer(data, len(data))


def _buffer(memory: ctypes.Array[ctypes.c_char]) -> bytes:
    return abi.WSABUF.pack({"len": len(memory), "buf": ctypes.addressof(memory)})


def _pack_message(
    name: ctypes.Array[ctypes.c_char],
    name_size: int,
    buffers: ctypes.Array[ctypes.c_char],
    count: int,
    control: ctypes.Array[ctypes.c_char] | None,
    control_size: int,
) -> ctypes.Array[ctypes.c_char]:
    """A WSAMSG that names this memory, which has to outlive its use."""
    fields = {
        "name": ctypes.addressof(name),
        "namelen": name_size,
        "lpBuffers": ctypes.addressof(buffers),
        "dwBufferCount": count,
        "Control.len": control_size,
        "Control.buf": 0 if control is None else ctypes.addressof(control),
    }
    return _memory(abi.WSAMSG.pack(fields))


def _socket_error() -> OSError:
    """What the last call failed with. What is not about the socket itself counts as nothing received."""
    error = ctypes.WinError(ctypes.get_last_error())
    if error.errno in (errno.ECONNRESET, errno.ENETRESET):
        return BlockingIOError(errno.EWOULDBLOCK, "an earlier datagram was not delivered")
    return error


def _has(opened: socket.socket, option: int, value: int, level: int = abi.IPPROTO_UDP) -> bool:
    """Set an option that not every Windows has."""
    try:
        opened.setsockopt(level, option, value)
    except OSError:
        return False
    return True


@cache
def _winsock() -> ctypes.WinDLL:
    return ctypes.WinDLL("ws2_32", use_last_error=True)


def _ioctl(opened: socket.socket, request: int, argument: bytes, room: int) -> bytes:
    """Raises OSError."""
    answer, size = ctypes.create_string_buffer(max(room, 1)), _WORD()
    failed = _winsock().WSAIoctl(
        ctypes.c_void_p(opened.fileno()),
        _WORD(request),
        argument,
        len(argument),
        answer if room else None,
        room,
        ctypes.byref(size),
        None,
        None,
    )
    if failed:
        raise ctypes.WinError(ctypes.get_last_error())
    return answer.raw[: size.value]


@cache
def _function(name: str) -> Any:
    """One of the functions that have to be asked for; the same for all UDP sockets."""
    first, second, third, rest = _WSAIDS[name]
    wanted = abi.GUID.pack({"Data1": first, "Data2": second, "Data3": third, "Data4": rest})
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as probe:
        pointer = _ioctl(probe, abi.SIO_GET_EXTENSION_FUNCTION_POINTER, wanted, 8)
    words: list[Any] = [ctypes.c_void_p, ctypes.c_void_p]
    words += [] if name == "WSARecvMsg" else [ctypes.c_ulong]
    words += [ctypes.c_void_p, ctypes.c_void_p, ctypes.c_void_p]
    prototype = ctypes.WINFUNCTYPE(ctypes.c_int, *words, use_last_error=True)
    return prototype(int.from_bytes(pointer, "little"))
