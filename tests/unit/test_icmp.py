"""ICMP errors for packets that nobody can have."""

from __future__ import annotations

import socket

import pytest

from wgtun.constants import SECOND
from wgtun.engine.python.checksum import checksum
from wgtun.engine.python.icmp import IcmpErrors

NOW = 1000 * SECOND


def ipv4(protocol: int = 17, source: str = "10.0.0.1", destination: str = "10.9.9.9", fragment: int = 0) -> bytes:
    addresses = socket.inet_aton(source) + socket.inet_aton(destination)
    return b"\x45\x00\x02\xbc\x00\x01" + fragment.to_bytes(2, "big") + bytes((64, protocol, 0, 0)) + addresses


def ipv6(protocol: int = 17, source: str = "fd00::1", destination: str = "fd00::9") -> bytes:
    addresses = b"".join(socket.inet_pton(socket.AF_INET6, each) for each in (source, destination))
    return b"\x60\x00\x00\x00\x02\xbc" + bytes((protocol, 64)) + addresses


def naive_checksum(data: bytes) -> int:
    data += bytes(len(data) % 2)
    total = sum(int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2))
    while total >> 16:
        total = (total & 0xFFFF) + (total >> 16)
    return total ^ 0xFFFF


@pytest.mark.parametrize("size", [20, 21, 700, 1501])
def test_ipv4_error_goes_back_and_quotes_the_packet(size: int) -> None:
    packet = ipv4().ljust(size, b"\x5a")
    error = IcmpErrors().answer(NOW, packet)
    assert error is not None
    assert len(error) <= 576
    assert int.from_bytes(error[2:4], "big") == len(error)
    assert naive_checksum(error[:20]) == 0
    assert naive_checksum(error[20:]) == 0
    assert socket.inet_ntoa(error[16:20]) == "10.0.0.1"
    assert (error[9], error[20], error[21]) == (1, 3, 1)
    assert packet.startswith(error[28:])


@pytest.mark.parametrize("size", [40, 41, 1500, 9000])
def test_ipv6_error_goes_back_and_quotes_the_packet(size: int) -> None:
    packet = ipv6().ljust(size, b"\x5a")
    error = IcmpErrors().answer(NOW, packet)
    assert error is not None
    assert len(error) <= 1280
    assert int.from_bytes(error[4:6], "big") == len(error) - 40
    pseudo = error[8:40] + (len(error) - 40).to_bytes(4, "big") + b"\0\0\0\x3a"
    assert naive_checksum(pseudo + error[40:]) == 0
    assert (error[6], error[40], error[41]) == (58, 1, 3)
    assert packet.startswith(error[48:])


def test_too_big_names_the_limit() -> None:
    error = IcmpErrors().answer(NOW, ipv4().ljust(1400, b"x"), 1216)
    assert error is not None
    assert naive_checksum(error[20:]) == 0
    assert error[20:22] + error[24:28] == bytes((3, 4, 0, 0, 4, 0xC0))
    error = IcmpErrors().answer(NOW, ipv6().ljust(1400, b"x"), 1296)
    assert error is not None
    assert naive_checksum(error[8:40] + (len(error) - 40).to_bytes(4, "big") + b"\0\0\0\x3a" + error[40:]) == 0
    assert error[40:42] + error[44:48] == bytes((2, 0, 0, 0, 5, 0x10))


@pytest.mark.parametrize(
    "packet",
    [
        ipv4(fragment=1),
        ipv4(destination="224.0.0.1"),
        ipv4(destination="255.255.255.255"),
        ipv4(source="0.0.0.0"),
        ipv4(protocol=1) + b"\x03\x01",
        ipv4(protocol=1),
        ipv6(destination="ff02::1"),
        ipv6(source="::"),
        ipv6(protocol=58) + b"\x01\x03",
        ipv6(protocol=58),
    ],
)
def test_no_error_about_errors_fragments_and_groups(packet: bytes) -> None:
    assert IcmpErrors().answer(NOW, packet) is None


@pytest.mark.parametrize("packet", [ipv4(protocol=1) + b"\x08\x00", ipv6(protocol=58) + b"\x80\x00"])
def test_pings_are_answered(packet: bytes) -> None:
    assert IcmpErrors().answer(NOW, packet) is not None


def test_the_rate_is_bounded() -> None:
    errors = IcmpErrors()
    answered = sum(errors.answer(NOW + number, ipv4()) is not None for number in range(1000))
    assert answered == 21
    later = sum(errors.answer(NOW + 10 * SECOND + number, ipv4()) is not None for number in range(1000))
    assert later == 21


def test_checksum_agrees_with_the_definition() -> None:
    for data in (b"", b"\x00", b"\xff\xff", b"\xff\xff\xff\xff", bytes(range(256)), b"\x12\x34\x56"):
        assert checksum(data) % 0xFFFF == naive_checksum(data) % 0xFFFF
