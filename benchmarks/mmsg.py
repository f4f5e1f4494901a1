"""Many datagrams in one system call: sendmmsg(2) and recvmmsg(2), which Python's socket module does not have.

Without UDP_SEGMENT: each datagram goes through the sender's stack by itself, as those of many small programs do.
"""

from __future__ import annotations

import ctypes
import os
import socket
import struct
from collections.abc import Sequence

_libc = ctypes.CDLL(None, use_errno=True)
_IP_PKTINFO = 8  # not in Python's socket module before 3.14
_PKTINFO_LENGTH = 28  # struct cmsghdr and struct in_pktinfo
_MSG_WAITFORONE = 0x10000


class _Buffer(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


class _Header(ctypes.Structure):
    """struct msghdr."""

    _fields_ = (
        ("name", ctypes.c_void_p),
        ("name_length", ctypes.c_uint32),
        ("buffers", ctypes.POINTER(_Buffer)),
        ("buffer_count", ctypes.c_size_t),
        ("control", ctypes.c_void_p),
        ("control_length", ctypes.c_size_t),
        ("flags", ctypes.c_int),
    )


class _Message(ctypes.Structure):
    """struct mmsghdr."""

    _fields_ = (("header", _Header), ("length", ctypes.c_uint))


class Outgoing:
    """Datagrams laid out in memory once, to be sent many at a time.

    A connected socket needs no `target`. `sources` gives each datagram a local address of its own to come from (IPv4).
    """

    def __init__(
        self,
        sock: socket.socket,
        datagrams: Sequence[bytes],
        target: tuple[str, int] | None = None,
        sources: Sequence[str] = (),
    ) -> None:
        self._sock = sock
        count = len(datagrams)
        self._messages = (_Message * count)()
        self._buffers = (_Buffer * count)()
        address = b"" if target is None else _address(*target)
        name = ctypes.create_string_buffer(address, len(address))
        # What the messages point to must live as long as they do.
        self._kept: list[object] = [name]
        for number, datagram in enumerate(datagrams):
            content = ctypes.create_string_buffer(datagram, len(datagram))
            self._kept.append(content)
            self._buffers[number] = _Buffer(ctypes.addressof(content), len(datagram))
            header = self._messages[number].header
            if target is not None:
                header.name, header.name_length = ctypes.addressof(name), len(address)
            header.buffers, header.buffer_count = ctypes.pointer(self._buffers[number]), 1
            if sources:
                control = ctypes.create_string_buffer(_packet_info(sources[number]))
                self._kept.append(control)
                header.control, header.control_length = ctypes.addressof(control), _PKTINFO_LENGTH

    def send(self, first: int, count: int) -> int:
        """Send up to `count` of them; returns how many went."""
        start = ctypes.byref(self._messages, first * ctypes.sizeof(_Message))
        return _checked(_libc.sendmmsg(self._sock.fileno(), start, count, 0))


def _address(host: str, port: int) -> bytes:
    """A struct sockaddr_in."""
    return struct.pack("=H", socket.AF_INET) + struct.pack("!H4s8x", port, socket.inet_aton(host))


def _packet_info(source: str) -> bytes:
    """A control message that sets the source address."""
    header = struct.pack("@Nii", _PKTINFO_LENGTH, socket.IPPROTO_IP, _IP_PKTINFO)
    return header + struct.pack("=i4s4x4x", 0, socket.inet_aton(source))


class Incoming:
    """Room for `count` datagrams of at most `size` bytes."""

    def __init__(self, sock: socket.socket, count: int, size: int) -> None:
        self._sock = sock
        self._count = count
        self._messages = (_Message * count)()
        self._buffers = (_Buffer * count)()
        self._contents = [ctypes.create_string_buffer(size) for _ in range(count)]
        for number, content in enumerate(self._contents):
            self._buffers[number] = _Buffer(ctypes.addressof(content), size)
            header = self._messages[number].header
            header.buffers, header.buffer_count = ctypes.pointer(self._buffers[number]), 1

    def receive(self) -> int:
        """Wait for one datagram and take what else is there; returns how many.

        Returns 0 when the socket's SO_RCVTIMEO passed without one.
        """
        try:
            return _checked(_libc.recvmmsg(self._sock.fileno(), self._messages, self._count, _MSG_WAITFORONE, None))
        except BlockingIOError:
            return 0

    def datagram(self, number: int) -> bytes:
        """One of the datagrams that came with the last `receive`."""
        return self._contents[number].raw[: self._messages[number].length]


def receive_timeout(sock: socket.socket, seconds: float) -> None:
    """Let receiving calls return after this time; unlike `settimeout` this keeps the descriptor blocking."""
    whole = int(seconds)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", whole, int((seconds - whole) * 1e6)))


def _checked(result: int) -> int:
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, os.strerror(number))
    return result
