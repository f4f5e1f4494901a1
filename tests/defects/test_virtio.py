"""Defects of merged packets on the TUN (reference 10.2, 14 to 17), on a tunnel that we can look into."""

from __future__ import annotations

import sys

import pytest

if sys.platform != "linux":
    pytest.skip("Linux only", allow_module_level=True)

from struct import Struct

from tests.defects.loopback import Node, in_loop, nodes
from wgtun.backend import backend
from wgtun.dataplane import DropReason
from wgtun.engine.python.checksum import checksum

needs_offloads = pytest.mark.skipif(backend() != "native", reason="the Python engine has no offloads")

HEADER = Struct("=BBHHHH")  # flags, GSO type, length of headers, GSO size, checksum's start and place
NO_HEADER = bytes(HEADER.size)
NEEDS_CHECKSUM = 1
GSO_TCP4, GSO_UDP = 1, 5
TCP, UDP = 6, 17


def transport_checksum(packet: bytes, protocol: int) -> int:
    pseudo_header = packet[12:20] + bytes((0, protocol)) + (len(packet) - 20).to_bytes(2, "big")
    return checksum(pseudo_header + packet[20:])


def with_checksum(packet: bytes, protocol: int, place: int) -> bytes:
    """The packet with the checksum that it should have; its field must be zero so far."""
    return packet[:place] + transport_checksum(packet, protocol).to_bytes(2, "big") + packet[place + 2 :]


def unfinished(packet: bytes) -> bytes:
    """A UDP packet as a system leaves it whose TUN completes checksums: the field has the pseudo-header's sum."""
    pseudo_header = packet[12:20] + bytes((0, UDP)) + packet[24:26]
    partial = 0xFFFF - checksum(pseudo_header)
    return packet[:26] + partial.to_bytes(2, "big") + packet[28:]


def udp_packet(sender: Node, receiver: Node, payload: bytes) -> bytes:
    length = (8 + len(payload)).to_bytes(2, "big")
    return sender.packet_to(receiver, b"\x10\x00\x20\x00" + length + bytes(2) + payload, UDP)


def tcp_packet(sender: Node, receiver: Node, sequence: int, payload: bytes) -> bytes:
    segment = b"\x10\x00\x20\x00" + sequence.to_bytes(4, "big") + bytes(4) + b"\x50\x10\xff\xff" + bytes(4) + payload
    return with_checksum(sender.packet_to(receiver, segment, TCP), TCP, 20 + 16)


async def connect(one: Node, two: Node) -> None:
    one.knows(two)
    two.knows(one)
    packet = one.packet_to(two)
    one.program.send(NO_HEADER + packet)
    assert await two.delivered() == NO_HEADER + packet


@pytest.mark.defect(14, 15, 16, 17)
def test_the_python_engine_uses_no_offloads() -> None:
    """What it reads and writes is one packet each, without a virtio header, so none of these can occur."""
    from wgtun.engine.python.pump import PythonEngine
    from wgtun.platform.linux.tun import Tun

    tun = Tun.create("wgtdef%d")
    try:
        assert tun.virtio is None
        assert not hasattr(PythonEngine, "attach_virtio")
    finally:
        tun.close()


@needs_offloads
@pytest.mark.defect(14)
@in_loop
async def test_14_virtio_parse_errors() -> None:
    """A header that could not be understood ended the reader, and with it the device."""
    async with nodes(2, virtio=True) as (one, two):
        await connect(one, two)
        packet = udp_packet(one, two, bytes(100))
        malformed = [
            b"",
            NO_HEADER[:5],
            NO_HEADER,
            HEADER.pack(0, 99, 28, 10, 20, 6) + packet,
            HEADER.pack(NEEDS_CHECKSUM, GSO_UDP, 28, 0, 20, 6) + packet,
            HEADER.pack(NEEDS_CHECKSUM, GSO_UDP, 28, 10, 60000, 6) + packet,
            HEADER.pack(NEEDS_CHECKSUM, 0, 0, 0, 20, 60000) + packet,
            HEADER.pack(NEEDS_CHECKSUM, GSO_TCP4, 40, 10, 20, 16) + packet,
            HEADER.pack(NEEDS_CHECKSUM, GSO_UDP, 28, 10, 20, 6) + packet[:25],
        ][1:]  # an empty read would be the end of the socket pair
        for each in malformed:
            one.program.send(each)
        one.program.send(NO_HEADER + packet)
        assert await two.delivered() == NO_HEADER + packet
        assert one.drops(DropReason.TUN_MALFORMED) == len(malformed)


@needs_offloads
@pytest.mark.defect(15)
@in_loop
async def test_15_merged_groups_larger_than_64() -> None:
    """More than 64 datagrams were sent, and written to the TUN, as one; kernels refuse that, and all were lost."""
    count = 300
    async with nodes(2, virtio=True) as (one, two):
        await connect(one, two)
        payload = b"".join(number.to_bytes(10, "big") for number in range(count))
        header = HEADER.pack(NEEDS_CHECKSUM, GSO_UDP, 28, 10, 20, 6)
        one.program.send(header + unfinished(udp_packet(one, two, payload)))
        arrived = b""
        while len(arrived) < len(payload):
            written = await two.delivered()
            part = written[HEADER.size + 28 :]
            assert len(part) <= 64 * 10
            arrived += part
        assert arrived == payload
        assert one.drops(DropReason.SEND_FAILED) == 0


@needs_offloads
@pytest.mark.defect(16)
@in_loop
async def test_16_header_of_a_packet_with_a_bad_checksum() -> None:
    """A segment that was not merged because of its checksum got what stood in the buffer for a header."""
    async with nodes(2, virtio=True) as (one, two):
        await connect(one, two)
        merged = 0
        for start in range(0, 500_000, 5000):
            packets = [tcp_packet(one, two, start + 1000 * number, bytes([number]) * 1000) for number in range(5)]
            bad = packets[2] = packets[2][:-1] + b"!"
            for packet in packets:
                one.program.send(NO_HEADER + packet)
            size, seen = 0, []
            while size < 5000:
                written = await two.delivered()
                size += len(written) - HEADER.size - 40
                seen.append(written)
                merged += written[1] == GSO_TCP4
                assert written[1] == GSO_TCP4 or written[: HEADER.size] == NO_HEADER
            assert NO_HEADER + bad in seen
        assert merged, "no header was ever other than zero"


@needs_offloads
@pytest.mark.defect(17)
@pytest.mark.parametrize("gso", [False, True])
@in_loop
async def test_17_udp_checksum_of_zero(gso: bool) -> None:
    """A computed checksum of zero was written as such, which says that there is none."""
    async with nodes(2, virtio=True) as (one, two):
        await connect(one, two)
        packet = udp_packet(one, two, bytes(2))
        packet = packet[:-2] + transport_checksum(packet, UDP).to_bytes(2, "big")  # the word that makes the sum 0xffff
        assert transport_checksum(packet, UDP) == 0
        header = HEADER.pack(NEEDS_CHECKSUM, GSO_UDP if gso else 0, 28, 2 if gso else 0, 20, 6)
        one.program.send(header + unfinished(packet))
        arrived = await two.delivered()
        assert arrived[HEADER.size + 26 :][:2] == b"\xff\xff"
