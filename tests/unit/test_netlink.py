"""Parsing rtnetlink: bounds, hostile lengths, and what the kernel really says."""

from __future__ import annotations

import sys

import pytest
from hypothesis import given
from hypothesis import strategies as st

if sys.platform != "linux":
    pytest.skip("Linux only", allow_module_level=True)

from wgtun.platform.linux import netlink


@given(st.binary(max_size=300))
def test_random_bytes(data: bytes) -> None:
    list(netlink.parse_links(data))


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1), st.binary(max_size=100))
def test_hostile_lengths(length: int, attribute_length: int, tail: bytes) -> None:
    attribute = netlink._ATTRIBUTE.pack(attribute_length, 3) + tail
    body = netlink._IFINFO.pack(0, 0, 1, 0, 0) + attribute
    for claimed in (length, netlink._HEADER.size + len(body)):
        data = netlink._HEADER.pack(claimed, netlink.RTM_NEWLINK, 0, 0, 0) + body
        assert len(list(netlink.parse_links(data))) <= 1


def test_the_kernel_answers_about_lo() -> None:
    with netlink.open_link_socket() as link_socket:
        netlink.request_link(link_socket, "lo")
        link_socket.settimeout(2)
        (message,) = netlink.parse_links(link_socket.recv(65536))
    assert message.kind == netlink.RTM_NEWLINK
    assert message.name == "lo"
    assert message.mtu
    assert message.link == 1
