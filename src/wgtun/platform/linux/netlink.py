"""Just enough rtnetlink: ask for one link, and read link messages. Source: rtnetlink(7), netlink(7)."""

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
_NLM_F_REQUEST = 1
_RTMGRP_LINK = 1
_IFLA_IFNAME = 3
_IFLA_MTU = 4
IFF_UP = 1

_HEADER = Struct("=IHHII")  # length, type, flags, sequence, port
_IFINFO = Struct("=BxHiII")  # family, type, index, flags, change
_ATTRIBUTE = Struct("=HH")  # length, type
_RECEIVE_SIZE = 65536


class LinkMessage(NamedTuple):
    """What a RTM_NEWLINK or RTM_DELLINK says; `mtu` is None when it does not."""

    kind: int
    link: int  # interface index
    flags: int
    name: str
    mtu: int | None


def open_link_socket() -> socket.socket:
    """A non-blocking socket in the present namespace that hears of all links."""
    link_socket = socket.socket(
        socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_NONBLOCK | socket.SOCK_CLOEXEC, socket.NETLINK_ROUTE
    )
    link_socket.bind((0, _RTMGRP_LINK))
    return link_socket


def request_link(link_socket: socket.socket, name: str) -> None:
    """Ask for the state of one link; the answer comes as any other message."""
    encoded = name.encode() + b"\0"
    attribute = _ATTRIBUTE.pack(_ATTRIBUTE.size + len(encoded), _IFLA_IFNAME) + encoded
    body = _IFINFO.pack(socket.AF_UNSPEC, 0, 0, 0, 0) + attribute + bytes(-len(attribute) % 4)
    link_socket.send(_HEADER.pack(_HEADER.size + len(body), RTM_GETLINK, _NLM_F_REQUEST, 0, 0) + body)


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
