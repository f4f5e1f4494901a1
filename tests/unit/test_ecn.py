"""Congestion marks in and out: RFC 6040 as the kernel's WireGuard applies it."""

from __future__ import annotations

import pytest

from wgtun.engine.python.checksum import checksum
from wgtun.engine.python.ecn import mark_inner, outer_class

NOT_ECT, ECT1, ECT0, CE = range(4)


def ipv4(traffic_class: int) -> bytes:
    header = bytearray(
        b"\x46\x00\x00\x20\x12\x34\x00\x00\x40\x11\x00\x00\x0a\x00\x00\x01\x0a\x00\x00\x02\x01\x01\x01\x00"
    )
    header[1] = traffic_class
    header[10:12] = checksum(header).to_bytes(2, "big")
    return bytes(header) + b"payload!"


def ipv6(traffic_class: int) -> bytes:
    return (6 << 28 | traffic_class << 20 | 0xABCDE).to_bytes(4, "big") + bytes(36) + b"payload!"


@pytest.mark.parametrize("make", [ipv4, ipv6])
@pytest.mark.parametrize("dscp", [0, 46])
@pytest.mark.parametrize(("inner", "outer"), [(NOT_ECT, NOT_ECT), (ECT0, ECT0), (ECT1, ECT1), (CE, ECT0)])
def test_the_outer_header_takes_the_ecn_field_and_nothing_else(make: object, dscp: int, inner: int, outer: int) -> None:
    assert callable(make)
    assert outer_class(make(dscp << 2 | inner)) == outer


@pytest.mark.parametrize("make", [ipv4, ipv6])
@pytest.mark.parametrize(
    ("outer", "inner", "result"),
    [
        (CE, ECT0, CE),
        (CE, ECT1, CE),
        (CE, NOT_ECT, NOT_ECT),
        (CE, CE, CE),
        (ECT0, NOT_ECT, NOT_ECT),
        (ECT0, ECT1, ECT1),
        (NOT_ECT, CE, CE),
        (0x88 | CE, ECT0, CE),
    ],
)
def test_congestion_experienced_is_carried_inside(make: object, outer: int, inner: int, result: int) -> None:
    assert callable(make)
    assert mark_inner(outer, make(46 << 2 | inner)) == make(46 << 2 | result)
