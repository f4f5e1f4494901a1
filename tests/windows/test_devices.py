"""Whole devices on Windows: adapters of the stand-in wintun.dll, UDP over loopback, the real engines."""

from __future__ import annotations

import asyncio
import logging
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest

if sys.platform != "win32":
    pytest.skip("Windows only", allow_module_level=True)
assert sys.platform == "win32"  # mypy goes by this

from tests.windows import stand_in
from wgtun import AllowedIP, Device, Endpoint, PrivateKey, platform
from wgtun.dataplane import RingDevice
from wgtun.uapi.model import PeerChange, SetRequest

COUNT = 2000
WINDOW = 32


class Node:
    """A device with 10.0.0.N whose adapter Windows has addresses on, as it were."""

    def __init__(self, name: str, number: int) -> None:
        self.name = name
        self.number = number
        self.removed = asyncio.Event()
        self.tun = platform.open_tun(name)
        assert isinstance(self.tun, RingDevice)
        self.device = Device(
            asyncio.get_running_loop(),
            self.tun,
            platform.open_underlay(self.tun),
            clock=platform.clock,
            logger=logging.getLogger(name),
            on_removed=self.removed.set,
        )
        self.private_key = PrivateKey.generate()
        self.device.set_mtu(1420)
        self.device.set_up(True)
        self.device.set(SetRequest(private_key=self.private_key))

    def knows(self, other: Node, address: str) -> None:
        endpoint = Endpoint(address, other.device.get().listen_port)
        allowed = [(True, AllowedIP.parse(f"10.0.0.{other.number}/32"))]
        peer = PeerChange(other.private_key.public_key(), endpoint=endpoint, allowed_ips=allowed)
        self.device.set(SetRequest(peers=[peer]))

    def packet_to(self, other: Node, number: int, size: int) -> bytes:
        header = b"\x45\0" + size.to_bytes(2, "big") + bytes(5) + b"\x11\0\0"
        addresses = bytes([10, 0, 0, self.number, 10, 0, 0, other.number])
        return (header + addresses + number.to_bytes(8, "big")).ljust(size, b"w")

    async def sends(self, other: Node, count: int) -> None:
        """So many packets, a window at a time; they arrive whole and in order."""
        for start in range(0, count, WINDOW):
            packets = [self.packet_to(other, number, 28 + number % 1392) for number in range(start, start + WINDOW)]
            for packet in packets:
                stand_in.inject(self.name, packet)
            for packet in packets:
                assert await asyncio.to_thread(stand_in.take, other.name, 10_000) == packet

    def close(self) -> None:
        self.device.close()
        self.tun.close()


@asynccontextmanager
async def two_nodes(name: str) -> AsyncIterator[tuple[Node, Node]]:
    one = Node(f"{name} 1", 1)
    try:
        two = Node(f"{name} 2", 2)
        try:
            yield one, two
        finally:
            two.close()
    finally:
        one.close()


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_two_devices_exchange_traffic(address: str) -> None:
    async def scenario() -> None:
        async with two_nodes(f"traffic {len(address)}") as (one, two):
            one.knows(two, address)
            two.knows(one, address)
            await one.sends(two, WINDOW)  # if both began a handshake at once, they would have to try again
            await asyncio.gather(one.sends(two, COUNT), two.sends(one, COUNT))
            for node in (one, two):
                status = node.device.status()
                assert status["drops"] == {}
                assert status["holdings"]["sessions"] >= 1
            (peer,) = two.device.get().peers
            assert peer.rx_bytes > sum(28 + number % 1392 for number in range(COUNT))
            assert peer.endpoint == Endpoint(address, one.device.get().listen_port)

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(scenario())


def test_more_packets_than_are_read_at_once() -> None:
    """The adapter's event tells of the first packet in an empty ring only."""

    async def scenario() -> None:
        async with two_nodes("burst") as (one, two):
            one.knows(two, "127.0.0.1")
            two.knows(one, "127.0.0.1")
            await one.sends(two, WINDOW)
            one.device.engine.detach_tunnel()
            packets = [one.packet_to(two, number, 28) for number in range(1000)]
            for packet in packets:
                stand_in.inject(one.name, packet)
            one.device.engine.attach_tunnel(one.tun)
            for packet in packets:
                assert await asyncio.to_thread(stand_in.take, two.name, 10_000) == packet

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(scenario())


def test_an_idle_device_burns_no_processor() -> None:
    async def scenario() -> None:
        async with two_nodes("idle") as (one, two):
            one.knows(two, "127.0.0.1")
            two.knows(one, "127.0.0.1")
            await one.sends(two, WINDOW)
            import time

            before = time.process_time()
            await asyncio.sleep(1)
            assert time.process_time() - before < 0.2

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(scenario())


def test_an_adapter_that_is_removed_ends_the_device() -> None:
    async def scenario() -> None:
        async with two_nodes("gone") as (one, _):
            stand_in.remove(one.name)
            await asyncio.wait_for(one.removed.wait(), 5)

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(scenario())


def test_another_port_while_packets_flow() -> None:
    async def scenario() -> None:
        async with two_nodes("rebind") as (one, two):
            one.knows(two, "127.0.0.1")
            two.knows(one, "127.0.0.1")
            for _ in range(3):
                await one.sends(two, WINDOW)
                await two.sends(one, WINDOW)
                one.device.set(SetRequest(listen_port=0))

    with asyncio.Runner(loop_factory=asyncio.SelectorEventLoop) as runner:
        runner.run(scenario())
