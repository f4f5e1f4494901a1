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
    netlink.parse_route(data)


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**16 - 1), st.binary(max_size=100))
def test_hostile_lengths(length: int, attribute_length: int, tail: bytes) -> None:
    attribute = netlink._ATTRIBUTE.pack(attribute_length, 3) + tail
    body = netlink._IFINFO.pack(0, 0, 1, 0, 0) + attribute
    for claimed in (length, netlink._HEADER.size + len(body)):
        data = netlink._HEADER.pack(claimed, netlink.RTM_NEWLINK, 0, 0, 0) + body
        assert len(list(netlink.parse_links(data))) <= 1


def test_the_kernel_answers_about_lo() -> None:
    with netlink.open_socket(0) as query_socket:
        message = netlink.find_link(query_socket, "lo", None)
        assert netlink.find_link(query_socket, "no-such-link", None) is None
    assert message is not None
    assert message.kind == netlink.RTM_NEWLINK
    assert message.name == "lo"
    assert message.mtu
    assert message.link == 1


def test_the_kernel_finds_the_way_to_loopback() -> None:
    with netlink.open_socket(0) as route_socket:
        for local in (b"\x7f\0\0\1", bytes(15) + b"\1"):
            assert netlink.find_interface(route_socket, local, local, 0) == 1
        assert netlink.find_interface(route_socket, b"\x7f\0\0\1", b"\xcb\0\x71\7", 0) is None
