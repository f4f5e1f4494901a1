"""Whole devices in this process: real sockets on 127.0.0.1, and a socket pair for each tunnel.

async with nodes(2) as (one, two):
    one.knows(two)
    two.knows(one)
    one.program.send(one.packet_to(two))
    assert await two.delivered()
"""

from __future__ import annotations

import asyncio
import itertools
import logging
import socket
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import ExitStack, asynccontextmanager
from functools import wraps
from typing import ClassVar

from wgtun import AllowedIP, Device, Endpoint, PrivateKey, PublicKey, platform
from wgtun.dataplane import DropReason
from wgtun.engine.python.checksum import checksum
from wgtun.uapi.model import PeerChange, SetRequest

_packet_numbers = itertools.count(1)


class VirtioTunnel:
    """One end of a socket pair as a TUN with offloads (`dataplane.TunDevice`)."""

    virtio = frozenset({"tso", "uso"})
    family = None
    missing: ClassVar[dict[str, str]] = {}

    def __init__(self, end: socket.socket) -> None:
        self.fileno, self.close = end.fileno, end.close

    def filenos(self) -> list[int]:
        return [self.fileno()]


class Node:
    """A device with the tunnel address 10.0.0.N; what the system would send and receive goes by `program`."""

    def __init__(self, number: int, *, virtio: bool) -> None:
        self.number = number
        self.tunnel, self.program = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.tunnel.setblocking(False)
        self.program.setblocking(False)
        self.logger = logging.Logger("test", logging.CRITICAL)
        self.device = Device(
            asyncio.get_running_loop(),
            VirtioTunnel(self.tunnel) if virtio else self.tunnel,
            platform.open_underlay(),
            clock=platform.clock,
            logger=self.logger,
        )
        private_key = PrivateKey.generate()
        self.public_key = private_key.public_key()
        self.device.set(SetRequest(private_key=private_key))
        self.device.set_up(True)

    @property
    def address(self) -> bytes:
        return bytes((10, 0, 0, self.number))

    @property
    def port(self) -> int:
        return self.device.get().listen_port

    def knows(self, other: Node) -> None:
        """Make the other one a peer, with its endpoint."""
        self.device.set(
            SetRequest(
                peers=[
                    PeerChange(
                        other.public_key,
                        endpoint=Endpoint("127.0.0.1", other.port),
                        allowed_ips=[(True, AllowedIP(other.address, 32))],
                    )
                ]
            )
        )

    def packet_to(self, other: Node, payload: bytes = b"", protocol: int = 253) -> bytes:
        """An IPv4 packet; no two have the same identification."""
        fields = (20 + len(payload)).to_bytes(2, "big") + next(_packet_numbers).to_bytes(2, "big")
        addresses = self.address + other.address
        start = b"\x45\x00" + fields + b"\x40\x00\x40" + bytes((protocol,))
        return start + checksum(start + bytes(2) + addresses).to_bytes(2, "big") + addresses + payload

    async def delivered(self) -> bytes:
        """What is written to the tunnel next."""
        async with asyncio.timeout(10):
            return await asyncio.get_running_loop().sock_recv(self.program, 1 << 17)

    def drops(self, reason: DropReason) -> int:
        return self.device.drops()[reason]

    def close(self) -> None:
        self.device.close()
        self.tunnel.close()
        self.program.close()


@asynccontextmanager
async def nodes(count: int, *, virtio: bool = False) -> AsyncIterator[list[Node]]:
    with ExitStack() as cleanup:
        made = []
        for number in range(1, count + 1):
            made.append(Node(number, virtio=virtio))
            cleanup.callback(made[-1].close)
        yield made


async def until(condition: Callable[[], object], seconds: float = 10) -> None:
    """Let the devices work until the condition holds."""
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.01)


def udp() -> socket.socket:
    """A socket on 127.0.0.1, to stand for a peer."""
    made = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    made.bind(("127.0.0.1", 0))
    made.setblocking(False)
    return made


def stranger(number: int) -> PublicKey:
    """The public key of somebody whose private key is not needed."""
    return PrivateKey(number.to_bytes(16, "big") + bytes(16)).public_key()


def in_loop(test: Callable[..., Coroutine[object, object, None]]) -> Callable[..., None]:
    """Run an async test."""

    @wraps(test)
    def run(*arguments: object, **fixtures: object) -> None:
        asyncio.run(test(*arguments, **fixtures))

    return run
