"""Socket addresses and control messages of Windows, byte for byte. Source: ws2def.h, ws2ipdef.h."""

from __future__ import annotations

import socket

import pytest

from wgtun.endpoint import SocketAddress
from wgtun.platform.windows.addresses import pack_address, pack_control, unpack_address, unpack_control

HOST6 = socket.inet_pton(socket.AF_INET6, "fe80::1")


@pytest.mark.parametrize(
    ("address", "packed"),
    [
        (("192.0.2.9", 0x1234), b"\x02\0\x12\x34" + bytes([192, 0, 2, 9]) + bytes(8)),
        (("fe80::1", 0x1234, 0, 5), b"\x17\0\x12\x34\0\0\0\0" + HOST6 + b"\x05\0\0\0"),
    ],
)
def test_addresses(address: SocketAddress, packed: bytes) -> None:
    assert pack_address(address) == packed
    assert unpack_address(packed.ljust(128, b"x")) == address


def test_a_zone_is_said_by_its_number() -> None:
    assert pack_address(("fe80::1%5", 1, 0, 5)) == pack_address(("fe80::1", 1, 0, 5))


def test_control_messages() -> None:
    """Length in eight bytes, level and type in four each; each message begins at a multiple of eight."""
    messages = [(17, 2, b"\x78\x05\0\0"), (41, 19, HOST6 + b"\x05\0\0\0"), (0, 50, b"\x01\0\0\0")]
    packed = (
        b"\x14\0\0\0\0\0\0\0\x11\0\0\0\x02\0\0\0\x78\x05\0\0\0\0\0\0"
        + b"\x24\0\0\0\0\0\0\0\x29\0\0\0\x13\0\0\0"
        + HOST6
        + b"\x05\0\0\0\0\0\0\0"
        + b"\x14\0\0\0\0\0\0\0\0\0\0\0\x32\0\0\0\x01\0\0\0\0\0\0\0"
    )
    assert pack_control(messages) == packed
    assert list(unpack_control(packed)) == messages
    assert pack_control([]) == b""


@pytest.mark.parametrize("length", [0, 15, 21, 1 << 40])
def test_a_length_that_can_not_be_ends_it(length: int) -> None:
    assert list(unpack_control(length.to_bytes(8, "little") + bytes(12))) == []
