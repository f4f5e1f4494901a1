"""The demo without root: two devices in this process, IP packets through in-memory tunnels, UDP over loopback."""

from __future__ import annotations

import sys

assert sys.platform != "win32"

import asyncio
import logging
import socket
import time

from wgtun import platform
from wgtun.allowed_ip import AllowedIP
from wgtun.cli.demo.report import step, summary
from wgtun.device import Device
from wgtun.endpoint import Endpoint
from wgtun.keys import PrivateKey
from wgtun.uapi.model import PeerChange, SetRequest

_ADDRESSES = ("10.0.0.1", "10.0.0.2")
_PACKET = 1420
_WINDOW = 64  # packets under way; more would overflow the in-memory tunnel


class _End:
    """A device, and the program's end of its in-memory tunnel."""

    def __init__(self, loop: asyncio.AbstractEventLoop, address: str) -> None:
        self.address = AllowedIP.parse(f"{address}/32")
        self.private_key = PrivateKey.generate()
        self.tunnel, self.program = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        for end in (self.tunnel, self.program):
            end.setblocking(False)
        logger = logging.Logger("wgtun.demo", logging.ERROR)
        underlay = platform.open_underlay()
        self.device = Device(loop, self.tunnel, underlay, clock=platform.clock, logger=logger)
        self.device.set_up(True)
        self.device.set(SetRequest(private_key=self.private_key))

    def meet(self, other: _End) -> None:
        endpoint = Endpoint("127.0.0.1", other.device.get().listen_port)
        change = PeerChange(other.private_key.public_key(), endpoint=endpoint, allowed_ips=[(True, other.address)])
        self.device.set(SetRequest(peers=[change]))

    def packet_to(self, other: _End, number: int) -> bytes:
        header = b"\x45\x00" + _PACKET.to_bytes(2, "big") + bytes(5) + b"\x11\x00\x00"
        return (header + self.address.address + other.address.address + number.to_bytes(8, "big")).ljust(_PACKET, b"w")

    def close(self) -> None:
        self.device.close()
        self.tunnel.close()
        self.program.close()


def run_in_one_process(seconds: float) -> int:
    return asyncio.run(_show(seconds))


async def _show(seconds: float) -> int:
    loop = asyncio.get_running_loop()
    print("wgtun demo: two devices in one process, no privileges")
    ends = [_End(loop, address) for address in _ADDRESSES]
    try:
        first, second = ends
        first.meet(second)
        second.meet(first)
        step(f"two devices with tunnel addresses {_ADDRESSES[0]} and {_ADDRESSES[1]} on loopback UDP")
        begin = time.perf_counter()
        await _exchange(loop, first, second, 0)
        step(f"handshake and first packet: {(time.perf_counter() - begin) * 1000:.1f} ms")
        round_trips = []
        for number in range(1, 11):
            begin = time.perf_counter()
            await _exchange(loop, first, second, number)
            await _exchange(loop, second, first, number)
            round_trips.append(time.perf_counter() - begin)
        step(f"10 packets there and back: {sorted(round_trips)[5] * 1000:.2f} ms round trip")
        step(f"sending packets of {_PACKET} bytes both ways for {seconds:g} s")
        begin = time.perf_counter()
        count = 0
        while time.perf_counter() - begin < seconds:
            await asyncio.gather(_burst(loop, first, second, count), _burst(loop, second, first, count))
            count += _WINDOW
        took = time.perf_counter() - begin
        total = 2 * count * _PACKET
        return summary(
            first.device.get(),
            second.device.get(),
            f"{2 * count:,} packets, {total / 1e6:.1f} MB in {took:.1f} s, {total * 8 / took / 1e6:.0f} Mbit/s",
        )
    finally:
        for end in ends:
            end.close()


async def _exchange(loop: asyncio.AbstractEventLoop, sender: _End, receiver: _End, number: int) -> None:
    packet = sender.packet_to(receiver, number)
    sender.program.send(packet)
    received = await asyncio.wait_for(loop.sock_recv(receiver.program, 65535), 5)
    if received != packet:
        raise RuntimeError("the packet came out of the tunnel changed")


async def _burst(loop: asyncio.AbstractEventLoop, sender: _End, receiver: _End, first: int) -> None:
    packets = [sender.packet_to(receiver, first + number) for number in range(_WINDOW)]
    for packet in packets:
        await loop.sock_sendall(sender.program, packet)
    for packet in packets:
        if await asyncio.wait_for(loop.sock_recv(receiver.program, 65535), 5) != packet:
            raise RuntimeError("a packet came out of the tunnel changed or out of order")
