"""Just enough rtnetlink: links, of other network namespaces too, and the route to one address.

Another namespace has a number, its id, which means it to our own only. Source: rtnetlink(7), netlink(7),
linux/net_namespace.h.
"""

from __future__ import annotations

import sys

assert sys.platform == "linux"

import errno
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
_RTM_NEWNSID = 88
_RTM_GETNSID = 90
_NLM_F_REQUEST = 1
_NLM_F_ACK = 4
LINK_GROUP = 1
# Addresses, routes and rules, of IPv4 and of IPv6; and links, which take routes of IPv4 with them without a word.
ROUTE_GROUPS = (0x10 | 0x40 | 0x80) | (0x100 | 0x400 | 0x40000) | LINK_GROUP
_RTA_DST = 1
_RTA_SRC = 2
_RTA_OIF = 4
_RTA_MARK = 16
_IFLA_IFNAME = 3
_IFLA_MTU = 4
_IFLA_TARGET_NETNSID = 46
_NETNSA_NSID = 1
_NETNSA_FD = 3
_ANY_ID = -1
_SOL_NETLINK = 270
_LISTEN_ALL_NSID = 8
_NAMESPACE_ID = (_SOL_NETLINK, _LISTEN_ALL_NSID)
IFF_UP = 1

_HEADER = Struct("=IHHII")  # length, type, flags, sequence, port
_IFINFO = Struct("=BxHiII")  # family, type, index, flags, change
_RTMSG = Struct("=BBBBBBBBI")  # family, destination and source lengths, tos, table, ..., flags
_RTGEN = Struct("=B3x")  # family
_ATTRIBUTE = Struct("=HH")  # length, type
_INT = Struct("=i")
_RECEIVE_SIZE = 65536


class LinkMessage(NamedTuple):
    """What a RTM_NEWLINK or RTM_DELLINK says; `mtu` is None when it does not."""

    kind: int
    link: int  # interface index
    flags: int
    name: str
    mtu: int | None
    namespace: int | None = None  # its id; None for our own


def open_socket(groups: int) -> socket.socket:
    """A non-blocking socket in the present namespace that hears of these groups."""
    opened = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
    )
    opened.bind((0, groups))
    return opened


def hear_all_namespaces(link_socket: socket.socket) -> None:
    """Receive the messages of every namespace that has an id. Needs CAP_NET_BROADCAST, once. Raises OSError."""
    link_socket.setsockopt(_SOL_NETLINK, _LISTEN_ALL_NSID, 1)


def identify_namespace(query_socket: socket.socket, namespace: int) -> int:
    """The id of the namespace that this descriptor is of; it is given one if it has none. Raises OSError.

    `query_socket` is in no group, here and below: the kernel answers before `send` returns.
    """
    which = _RTGEN.pack(socket.AF_UNSPEC) + _attribute(_NETNSA_FD, _INT.pack(namespace))
    _request(query_socket, _RTM_NEWNSID, which + _attribute(_NETNSA_NSID, _INT.pack(_ANY_ID)), _NLM_F_ACK)
    query_socket.recv(_RECEIVE_SIZE)  # an error: that it has one
    _request(query_socket, _RTM_GETNSID, which)
    for kind, body in _messages(query_socket.recv(_RECEIVE_SIZE)):
        if kind == _RTM_NEWNSID:
            return int(_INT.unpack(dict(_attributes(body[_RTGEN.size :]))[_NETNSA_NSID])[0])
    raise OSError(errno.ENOENT, "the namespace has no id")


def find_link(query_socket: socket.socket, name: str, namespace: int | None) -> LinkMessage | None:
    """The present state of one link; None when there is none of this name. Raises OSError."""
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + _attribute(_IFLA_IFNAME, os.fsencode(name) + b"\0")
    if namespace is not None:
        body += _attribute(_IFLA_TARGET_NETNSID, _INT.pack(namespace))
    _request(query_socket, RTM_GETLINK, body)
    return next(parse_links(query_socket.recv(_RECEIVE_SIZE), namespace), None)


def find_interface(query_socket: socket.socket, destination: bytes, source: bytes, mark: int) -> int | None:
    """The interface by which the kernel would send now; None when it can't from this source. Raises OSError.

    The addresses have 4 or 16 bytes.
    """
    family = socket.AF_INET if len(destination) == 4 else socket.AF_INET6
    bits = len(destination) * 8
    body = _RTMSG.pack(family, bits, bits, 0, 0, 0, 0, 0, 0)
    body += _attribute(_RTA_DST, destination) + _attribute(_RTA_SRC, source)
    body += _attribute(_RTA_MARK, mark.to_bytes(4, sys.byteorder))
    _request(query_socket, RTM_GETROUTE, body)
    return parse_route(query_socket.recv(_RECEIVE_SIZE))


def _request(query_socket: socket.socket, kind: int, body: bytes, flags: int = 0) -> None:
    query_socket.send(_HEADER.pack(_HEADER.size + len(body), kind, _NLM_F_REQUEST | flags, 0, 0) + body)


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
            data, ancillary, _, _ = link_socket.recvmsg(_RECEIVE_SIZE, socket.CMSG_SPACE(_INT.size))
        except BlockingIOError:
            return
        ids = [_INT.unpack(value)[0] for level, kind, value in ancillary if (level, kind) == _NAMESPACE_ID]
        yield from parse_links(data, ids[0] if ids else None)


def parse_links(data: bytes, namespace: int | None = None) -> Iterator[LinkMessage]:
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
                namespace,
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
