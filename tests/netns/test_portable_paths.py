"""What macOS and the BSDs do with packets, done on Linux: a family before each packet, one datagram per call."""

from __future__ import annotations

import asyncio
import fcntl
import itertools
import logging
import os
import socket
import struct
import sys
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager

import pytest

assert sys.platform == "linux"

from tests.defects.loopback import until
from tests.support.namespaces import Host, Lab, needs_namespaces, run
from wgtun import AllowedIP, Device, Endpoint, PrivateKey, platform
from wgtun.path import Source
from wgtun.platform import udp
from wgtun.platform.linux.udp import UdpSockets as LinuxSockets
from wgtun.platform.underlay import PlainUnderlay
from wgtun.uapi.model import PeerChange, SetRequest

pytestmark = [pytest.mark.netns, needs_namespaces]

TUNSETIFF = 0x400454CA
IFF_TUN = 1
ROUNDS = 20
_numbers = itertools.count(1)


class PrefixedTun:
    """A TUN with packet information: flags and the Ethernet type of IPv4 or IPv6, four bytes before each packet."""

    virtio = None
    family = (b"\0\0\x08\0", b"\0\0\x86\xdd")

    def __init__(self, host: Host, number: int) -> None:
        self.missing: dict[str, str] = {}
        name = f"wgpi{os.getpid() % 10000}{next(_numbers)}"
        self._descriptor = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK | os.O_CLOEXEC)
        fcntl.ioctl(self._descriptor, TUNSETIFF, struct.pack("16sH22x", name.encode(), IFF_TUN))
        run("ip", "link", "set", name, "netns", host.namespace)
        host.ip("link", "set", name, "mtu", "1420", "up")
        host.ip("address", "add", f"10.0.0.{number}/24", "dev", name)
        host.ip("address", "add", f"fd00::{number}/64", "dev", name, "nodad")

    def fileno(self) -> int:
        return self._descriptor

    def filenos(self) -> list[int]:
        return [self._descriptor]

    def close(self) -> None:
        os.close(self._descriptor)


class PortableSockets(udp.UdpSockets):
    """Linux's control messages, without its offloads."""

    ROLES = LinuxSockets.ROLES
    source = staticmethod(LinuxSockets.source)
    pin = staticmethod(LinuxSockets.pin)

    @classmethod
    def configure(cls, opened: socket.socket) -> None:
        if opened.family == socket.AF_INET6:
            opened.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        else:
            opened.setsockopt(socket.IPPROTO_IP, 8, 1)  # IP_PKTINFO


class Node:
    """A device with 10.0.0.N and fd00::N, whose sockets are on our own loopback."""

    def __init__(self, lab: Lab, number: int) -> None:
        self.number = number
        self.host = lab.host()
        self.tun = PrefixedTun(self.host, number)
        self.device = Device(
            asyncio.get_running_loop(),
            self.tun,
            PlainUnderlay(PortableSockets),
            clock=platform.clock,
            logger=logging.Logger("test", logging.CRITICAL),
        )
        self.private_key = PrivateKey.generate()
        self.device.set_mtu(1420)
        self.device.set_up(True)
        self.device.set(SetRequest(private_key=self.private_key))

    def knows(self, other: Node, address: str) -> None:
        endpoint = Endpoint(address, other.device.get().listen_port)
        allowed = [(True, AllowedIP.parse(text)) for text in (f"10.0.0.{other.number}/32", f"fd00::{other.number}/128")]
        peer = PeerChange(other.private_key.public_key(), endpoint=endpoint, allowed_ips=allowed)
        self.device.set(SetRequest(peers=[peer]))

    def close(self) -> None:
        self.device.close()
        self.tun.close()


@asynccontextmanager
async def two_nodes() -> AsyncIterator[tuple[Node, Node]]:
    with Lab() as lab, ExitStack() as cleanup:
        made = []
        for number in (1, 2):
            made.append(Node(lab, number))
            cleanup.callback(made[-1].close)
        yield made[0], made[1]


@pytest.mark.parametrize("address", ["127.0.0.2", "::1"])
def test_pings_through_prefixed_tuns_and_plain_sockets(address: str) -> None:
    async def scenario() -> None:
        async with two_nodes() as (one, two):
            one.knows(two, address)
            two.knows(one, "127.0.0.1")
            for target in ("10.0.0.2", "fd00::2"):
                done = await asyncio.to_thread(
                    one.host.run, "ping", "-n", "-c", str(ROUNDS), "-i", "0.01", "-s", "1372", "-W", "5", target
                )
                assert f"{ROUNDS} received" in done
            # The other answers from the address that it was asked at.
            path = two.device.engine.peer_status(next(iter(two.device._control.peers.values())).id).path
            assert path is not None
            assert path.source == Source(
                socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address), 1
            )
            assert next(iter(one.device.get().peers)).endpoint == Endpoint(address, two.device.get().listen_port)
            for device in (one.device, two.device):
                assert device.status()["drops"].keys() <= {"no_route", "interface_down"}  # IPv6 looks for routers

    asyncio.run(scenario())


def test_an_unknown_packet_on_a_prefixed_tun_is_counted() -> None:
    async def scenario() -> None:
        async with two_nodes() as (one, two):
            one.knows(two, "127.0.0.1")
            program = (
                "import socket; raw = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM);"
                "raw.sendto(b'\\x70' * 40, (NAME, 0x0806))"
            )
            name = one.host.ip("-o", "link").splitlines()[-1].split(": ")[1]
            await asyncio.to_thread(one.host.run, sys.executable, "-c", program.replace("NAME", repr(name)))
            await until(lambda: one.device.status()["drops"].get("tun_malformed"))

    asyncio.run(scenario())
