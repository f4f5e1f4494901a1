"""UDP sockets of Windows."""

from __future__ import annotations

import ctypes
import socket
import sys
import time

import pytest

if sys.platform != "win32":
    pytest.skip("Windows only", allow_module_level=True)
assert sys.platform == "win32"  # mypy goes by this

from wgtun.path import Path, Source
from wgtun.platform.underlay import Uplink
from wgtun.platform.windows.udp import UdpSockets

IS_WINE = hasattr(ctypes.WinDLL("ntdll"), "wine_get_version")


def receive(sockets: UdpSockets) -> list[tuple[bytes, Path, int]]:
    give_up = time.monotonic() + 5
    while time.monotonic() < give_up:
        for fileno in sockets.filenos():
            if batch := sockets.receive(fileno):
                return [(bytes(data), path, traffic_class) for data, path, traffic_class in batch]
        time.sleep(0.01)
    raise AssertionError("nothing came")


@pytest.mark.parametrize("address", [("127.0.0.1",), ("127.0.0.2",), ("::1", 0, 0)])
def test_datagrams_and_the_address_that_they_came_to(address: tuple[str, ...]) -> None:
    one, two = UdpSockets.open(0, 0), UdpSockets.open(0, 0)
    try:
        to = (address[0], two.port, *address[1:])
        family = socket.AF_INET6 if ":" in address[0] else socket.AF_INET
        assert one.send([b"a" * 100, b"b" * 100, b"c"], Path(to), 1) == 0  # type: ignore[arg-type]
        got = [receive(two)[0] for _ in range(3)]
        assert [data for data, _, _ in got] == [b"a" * 100, b"b" * 100, b"c"]
        path = got[0][1]
        assert path.source is not None
        assert path.source.local == socket.inet_pton(family, address[0])
        assert two.send([b"answer"], path, 0) == 0
        data, back, _ = receive(one)[0]
        assert data == b"answer"
        assert back.address == to or (IS_WINE and ":" not in address[0])  # wine ignores the source of IPv4
    finally:
        one.close()
        two.close()


def test_sources_as_the_system_writes_them() -> None:
    """Byte for byte: an IN_PKTINFO has the address first. The interface is left open, but for a link-local address."""
    v4, v6 = Source(bytes([10, 0, 0, 1]), 5), Source(bytes.fromhex("20010db8") + bytes(12), 5)
    local = Source(bytes.fromhex("fe80") + bytes(14), 5)
    assert UdpSockets.source(v4.local + b"\x05\0\0\0", b"") == v4
    assert UdpSockets.source(v6.local + b"\x05\0\0\0", b"") == v6
    assert UdpSockets.pin(v4) == (0, 19, v4.local + bytes(4))
    assert UdpSockets.pin(v6) == (41, 19, v6.local + bytes(4))
    assert UdpSockets.pin(local) == (41, 19, local.local + b"\x05\0\0\0")
    assert UdpSockets.segment_size(1400) == (17, 2, b"\x78\x05\0\0")


def test_a_source_that_is_not_ours_is_given_up() -> None:
    one, two = UdpSockets.open(0, 0), UdpSockets.open(0, 0)
    try:
        gone = Path(("127.0.0.1", two.port), Source(bytes([192, 0, 2, 1]), 1))
        assert one.send([b"x"], gone, 0) == 0
        assert receive(two)[0][0] == b"x"
    finally:
        one.close()
        two.close()


def test_both_families_on_one_port_that_nobody_else_gets() -> None:
    one = UdpSockets.open(0, 0)
    try:
        assert len(one.filenos()) == 2
        with pytest.raises(OSError, match=r"\w"):
            UdpSockets.open(one.port, 0)
    finally:
        one.close()
    UdpSockets.open(one.port, 0).close()


def test_an_unreachable_peer_is_no_error() -> None:
    one = UdpSockets.open(0, 0)
    try:
        closed = UdpSockets.open(0, 0)
        closed.close()
        for _ in range(3):
            one.send([b"x"], Path(("127.0.0.1", closed.port)), 0)
            time.sleep(0.05)
            assert [one.receive(fileno) for fileno in one.filenos()] == [[], []]
    finally:
        one.close()


def test_uplinks_and_black_holes() -> None:
    one, two = UdpSockets.open(0, 0), UdpSockets.open(0, 0)
    try:
        one.set_uplink(socket.AF_INET, Uplink(1))  # the loopback interface
        assert one.send([b"x"], Path(("127.0.0.1", two.port)), 0) == 0
        assert receive(two)[0][0] == b"x"
        one.set_uplink(socket.AF_INET, Uplink(0, blackhole=True))
        assert one.send([b"y"], Path(("127.0.0.1", two.port)), 0) == 0
        one.set_uplink(socket.AF_INET, Uplink())
        assert one.send([b"z"], Path(("127.0.0.1", two.port)), 0) == 0
        assert receive(two)[0][0] == b"z"
    finally:
        one.close()
        two.close()


def test_the_biggest_datagram_and_an_empty_one() -> None:
    one, two = UdpSockets.open(0, 0), UdpSockets.open(0, 0)
    try:
        for size in (65507, 0, 1):
            assert one.send([b"x" * size], Path(("127.0.0.1", two.port)), 0) == 0
            assert len(receive(two)[0][0]) == size
        assert one.send([b"x" * 65508], Path(("127.0.0.1", two.port)), 0) == 1
    finally:
        one.close()
        two.close()
