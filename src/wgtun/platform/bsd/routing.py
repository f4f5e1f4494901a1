"""The routing socket: what it tells of links and routes, and how to ask it for one. Source: route(4).

A message is a header, whose first fields are the same everywhere, and socket addresses.
"""

from __future__ import annotations

import errno
import struct
from collections.abc import Iterator
from typing import NamedTuple

from wgtun.platform.bsd.calls import Calls
from wgtun.platform.bsd.interface import Abi
from wgtun.platform.layout import Value

_START = struct.Struct("=HBB")  # length, version, type
_MESSAGE_SIZE = 4096
_MAX_OTHERS = 1024  # other messages until the answer to a request
_PATIENCE = 0.1  # seconds until the answer; it takes microseconds, unless it was lost


class Message(NamedTuple):
    """One message."""

    kind: int
    data: bytes


def parse(abi: Abi, data: bytes) -> Iterator[Message]:
    """The messages of what was read. Those of another version, which have another form, are passed over."""
    while len(data) >= _START.size:
        length, version, kind = _START.unpack_from(data)
        if not _START.size <= length <= len(data):
            return
        if version == abi.RTM_VERSION:
            yield Message(kind, data[:length])
        data = data[length:]


def open_socket(calls: Calls, abi: Abi) -> int:
    """A routing socket in non-blocking mode. Raises OSError."""
    opened = calls.socket(abi.AF_ROUTE, abi.SOCK_RAW, abi.AF_UNSPEC)
    try:
        calls.set_nonblocking(opened)
    except BaseException:
        calls.close(opened)
        raise
    return opened


def receive(calls: Calls, abi: Abi, descriptor: int) -> Iterator[Message | None]:
    """The messages that wait; None where some were lost. Raises OSError."""
    while True:
        try:
            data = calls.read(descriptor, _MESSAGE_SIZE)
        except BlockingIOError:
            return
        except OSError as error:
            if error.errno != errno.ENOBUFS:
                raise
            yield None
        else:
            yield from parse(abi, data)


def socket_address(abi: Abi, address: bytes, scope: int = 0) -> bytes:
    """A struct sockaddr_in or sockaddr_in6 without a port."""
    if len(address) == 4:
        fields: dict[str, Value] = {"sin_len": abi.SOCKADDR_IN.size, "sin_family": abi.AF_INET, "sin_addr": address}
        return abi.SOCKADDR_IN.pack(fields)
    fields = {
        "sin6_len": abi.SOCKADDR_IN6.size,
        "sin6_family": abi.AF_INET6,
        "sin6_addr": address,
        "sin6_scope_id": scope,
    }
    return abi.SOCKADDR_IN6.pack(fields)


class Routes:
    """Asks which way datagrams leave."""

    def __init__(self, calls: Calls, abi: Abi, alignment: int = 8) -> None:
        """`alignment` is that of the addresses in a message. Raises OSError."""
        self._alignment = alignment
        self._calls = calls
        self._abi = abi
        self._sequence = 0
        self._socket = open_socket(calls, abi)

    def close(self) -> None:
        self._calls.close(self._socket)

    def find_interface(self, destination: bytes, table: int = 0) -> int:
        """The index of the interface for this address (4 or 16 bytes); 0 when there is no way. Raises OSError."""
        return self._ask(self._abi.RTA_DST, self._address(destination), table)

    def find_default(self, size: int) -> int:
        """The index of the interface of the default route, for addresses of this size; 0 when there is none."""
        anywhere = self._address(bytes(size))
        return self._ask(self._abi.RTA_DST | self._abi.RTA_NETMASK, anywhere + anywhere, 0)

    def _address(self, address: bytes) -> bytes:
        """A socket address, as it stands in a message."""
        packed = socket_address(self._abi, address)
        return packed + bytes(-len(packed) % self._alignment)

    def _ask(self, which: int, addresses: bytes, table: int) -> int:
        layout = self._abi.RT_MSGHDR
        self._sequence += 1
        header = {
            "rtm_msglen": layout.size + len(addresses),
            "rtm_version": self._abi.RTM_VERSION,
            "rtm_type": self._abi.RTM_GET,
            "rtm_addrs": which,
            "rtm_seq": self._sequence,
        }
        if "rtm_hdrlen" in layout.fields:  # OpenBSD, where a fwmark is a routing table
            header |= {"rtm_hdrlen": layout.size, "rtm_tableid": table}
        for _ in receive(self._calls, self._abi, self._socket):
            pass  # what others did meanwhile
        try:
            self._calls.write(self._socket, layout.pack(header) + addresses)
        except OSError as error:
            if error.errno == errno.ESRCH:
                return 0
            raise
        return self._answer()

    def _answer(self) -> int:
        others = 0
        # FreeBSD passes it on by a queue: it comes a moment later.
        while others < _MAX_OTHERS and self._calls.wait_readable(self._socket, _PATIENCE):
            for message in receive(self._calls, self._abi, self._socket):
                if message is not None and self._is_answer(message):
                    return self._abi.RT_MSGHDR.read(message.data, "rtm_index")
                others += 1
        return 0

    def _is_answer(self, message: Message) -> bool:
        layout = self._abi.RT_MSGHDR
        return (
            message.kind == self._abi.RTM_GET
            and len(message.data) >= layout.size
            and layout.read(message.data, "rtm_seq") == self._sequence
            and layout.read(message.data, "rtm_pid") == self._calls.process()
        )
