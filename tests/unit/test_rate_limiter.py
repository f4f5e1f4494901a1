"""The token bucket: reference 11.10, and the bound on what it remembers."""

from __future__ import annotations

import socket

import pytest

from wgtun.constants import MILLISECOND, SECOND
from wgtun.protocol import rate_limiter
from wgtun.protocol.rate_limiter import RateLimiter

ADDRESSES = [
    "127.0.0.1",
    "192.168.1.1",
    "172.167.2.3",
    "97.231.252.215",
    "248.97.91.167",
    "188.208.233.47",
    "104.2.183.179",
    "72.129.46.120",
    "2001:0db8:0a0b:12f0::1",
    "f5c2:818f:c052:655a:9860:b136:6894:25f0",
    "b2d7:15ab:48a7:b07c:a541:f144:a9fe:54fc",
    "a47b:786e:1671:a22b:d6f9:4ab0:abc7:c918",
    "ea1e:d155:7f7a:98fb:2bf5:9483:80f6:5445",
    "3f0e:54a2:f5b4:cd19:a21d:58e1:3746:84c4",
]

ROWS = [(0, True)] * 5 + [(0, False), (50, True), (0, False), (100, True), (0, True), (0, False)]


def packed(address: str) -> bytes:
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def test_burst_of_five_then_twenty_a_second_for_each_address() -> None:
    limiter = RateLimiter()
    now = 0
    for number, (wait, allowed) in enumerate(ROWS, 1):
        now += wait * MILLISECOND + 1
        for address in ADDRESSES:
            assert limiter.allow(now, packed(address)) is allowed, f"row {number}, {address}"
        limiter.sweep(now)


@pytest.mark.defect(25)
def test_ipv6_counts_by_slash_64() -> None:
    limiter = RateLimiter()
    answers = [limiter.allow(1, packed(f"2001:db8::{number:x}")) for number in range(10)]
    assert answers == [True] * 5 + [False] * 5
    assert limiter.allow(1, packed("2001:db8:0:1::1"))


def test_silent_sources_are_forgotten() -> None:
    limiter = RateLimiter()
    for number in range(1000):
        limiter.allow(1, number.to_bytes(4, "big"))
    assert len(limiter) == 1000
    limiter.allow(3 * SECOND, packed("192.0.2.1"))
    assert len(limiter) == 1


@pytest.mark.defect(27)
def test_memory_is_bounded() -> None:
    limiter = RateLimiter()
    for number in range(rate_limiter.MAX_SOURCES + 100):
        limiter.allow(1, number.to_bytes(4, "big"))
    assert len(limiter) == rate_limiter.MAX_SOURCES
