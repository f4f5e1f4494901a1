"""Just enough rtnetlink: links, and the route to one address. Source: rtnetlink(7), netlink(7)."""

from __future__ import annotations

import sys

assert sys.platform == "linux"

import os
import socket
from collections.abc import Iterator
from struct import Struct
from typing import NamedTuple

# linux/rtnetlink.h, linux/if_link.h
RTM_NEWLINK = 16
RTM_DELLINK = 17
RTM_GETLINK = 18
RTM_NEWROUTE = 24
RTM_GETROUTE = 26
_NLM_F_REQUEST = 1
LINK_GROUP = 1
ROUTE_GROUPS = 0x10 | 0x40 | 0x100 | 0x400  # addresses and routes of IPv4, of IPv6
_RTA_DST = 1
_RTA_SRC = 2
_RTA_OIF = 4
_RTA_MARK = 16
_IFLA_IFNAME = 3
_IFLA_MTU = 4
IFF_UP = 1

_HEADER = Struct("=IHHII")  # length, type, flags, sequence, port
_IFINFO = Struct("=BxHiII")  # family, type, index, flags, change
_RTMSG = Struct("=BBBBBBBBI")  # family, destination and source lengths, tos, table, ..., flags
_ATTRIBUTE = Struct("=HH")  # length, type
_RECEIVE_SIZE = 65536


class LinkMessage(NamedTuple):
    """What a RTM_NEWLINK or RTM_DELLINK says; `mtu` is None when it does not."""

    kind: int
    link: int  # interface index
    flags: int
    name: str
    mtu: int | None


def open_socket(groups: int) -> socket.socket:
    """A non-blocking socket in the present namespace that hears of these groups."""
    opened = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
    )
    opened.bind((0, groups))
    return opened


def request_link(link_socket: socket.socket, name: str) -> None:
    """Ask for the state of one link; the answer comes as any other message."""
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + _attribute(_IFLA_IFNAME, name.encode() + b"\0")
    _request(link_socket, RTM_GETLINK, body)


def find_interface(route_socket: socket.socket, destination: bytes, source: bytes, mark: int) -> int | None:
    """The interface by which the kernel would send now; None when it can't from this source. Raises OSError.

    `route_socket` is in no group. The addresses have 4 or 16 bytes.
    """
    family = socket.AF_INET if len(destination) == 4 else socket.AF_INET6
    bits = len(destination) * 8
    body = _RTMSG.pack(family, bits, bits, 0, 0, 0, 0, 0, 0)
    body += _attribute(_RTA_DST, destination) + _attribute(_RTA_SRC, source)
    body += _attribute(_RTA_MARK, mark.to_bytes(4, sys.byteorder))
    _request(route_socket, RTM_GETROUTE, body)
    return parse_route(route_socket.recv(_RECEIVE_SIZE))  # the kernel answers before `send` returns


def _request(netlink_socket: socket.socket, kind: int, body: bytes) -> None:
    netlink_socket.send(_HEADER.pack(_HEADER.size + len(body), kind, _NLM_F_REQUEST, 0, 0) + body)


def _attribute(kind: int, value: bytes) -> bytes:
    return _ATTRIBUTE.pack(_ATTRIBUTE.size + len(value), kind) + value + bytes(-len(value) % 4)


def parse_route(data: bytes) -> int | None:
    """The interface index of a route answer; None for an error."""
    for kind, body in _messages(data):
        if kind == RTM_NEWROUTE and len(body) >= _RTMSG.size:
            index = dict(_attributes(body[_RTMSG.size :])).get(_RTA_OIF, b"")
            return int.from_bytes(index, sys.byteorder) if len(index) == 4 else None
    return None


def receive_links(link_socket: socket.socket) -> Iterator[LinkMessage]:
    """The link messages that wait. Raises OSError with ENOBUFS when some were lost."""
    while True:
        try:
            data = link_socket.recv(_RECEIVE_SIZE)
        except BlockingIOError:
            return
        yield from parse_links(data)


def parse_links(data: bytes) -> Iterator[LinkMessage]:
    """The link messages of one datagram; whatever else it holds is passed over."""
    for kind, body in _messages(data):
        if kind in (RTM_NEWLINK, RTM_DELLINK) and len(body) >= _IFINFO.size:
            _, _, index, flags, _ = _IFINFO.unpack_from(body)
            attributes = dict(_attributes(body[_IFINFO.size :]))
            mtu = attributes.get(_IFLA_MTU, b"")
            yield LinkMessage(
                kind,
                index,
                flags,
                os.fsdecode(attributes.get(_IFLA_IFNAME, b"").rstrip(b"\0")),
                int.from_bytes(mtu, sys.byteorder) if len(mtu) == 4 else None,
            )


def _messages(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _HEADER.size:
        length, kind, _, _, _ = _HEADER.unpack_from(data)
        if not _HEADER.size <= length <= len(data):
            return
        yield kind, data[_HEADER.size : length]
        data = data[length + -length % 4 :]


def _attributes(data: bytes) -> Iterator[tuple[int, bytes]]:
    while len(data) >= _ATTRIBUTE.size:
        length, kind = _ATTRIBUTE.unpack_from(data)
        if not _ATTRIBUTE.size <= length <= len(data):
            return
        yield kind, data[_ATTRIBUTE.size : length]
        data = data[length + -length % 4 :]
