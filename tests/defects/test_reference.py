"""Defects of the reference, 10.2, that no other test shows to be absent here; each by its number."""

from __future__ import annotations

import asyncio
import errno
import io
import logging
import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path as FilePath

import pytest

if sys.platform != "linux":
    pytest.skip("Linux only", allow_module_level=True)

from tests.defects.loopback import Node, in_loop, nodes, stranger, udp, until
from tests.interop.test_daemon import NAME, assert_nothing_left, background, path_of
from tests.interop.test_network_changes import ask, two_addresses
from tests.simulation.test_under_load import flood
from tests.simulation.world import World
from tests.support.namespaces import OURS, Lab, needs_namespaces, pair, wait_for
from tests.support.transfer import Transfer
from tests.support.uapi import SUCCESS, talk
from wgtun.allowed_ip import AllowedIP
from wgtun.constants import SECOND, TYPE_INITIATION
from wgtun.dataplane import DropReason
from wgtun.errors import UapiError
from wgtun.noise.macs import MacGenerator
from wgtun.observe.logs import make_logger
from wgtun.path import Path, Source, SourceState
from wgtun.platform.linux.udp import UdpSockets
from wgtun.uapi.model import PeerChange, SetRequest
from wgtun.uapi.server import UapiServer
from wgtun.uapi.unix_socket import listen


async def initiation_at(peer: socket.socket) -> None:
    """Wait until the device greets this peer."""
    async with asyncio.timeout(5):
        datagram = await asyncio.get_running_loop().sock_recv(peer, 2000)
    assert datagram[0] == TYPE_INITIATION


def assert_silence(peer: socket.socket) -> None:
    with pytest.raises(BlockingIOError):
        peer.recv(2000)


class Uapi:
    """A device's configuration socket."""

    def __init__(self, node: Node, directory: FilePath) -> None:
        listener = listen("wg0", str(directory))
        self.path = FilePath(listener.path)
        self.server = UapiServer(listener, node.device, node.logger)

    async def set(self, *lines: str) -> bytes:
        message = "\n".join(("set=1", *lines, "", "")).encode()
        return await asyncio.to_thread(talk, self.path, message)


def section(number: int, peer: socket.socket) -> list[str]:
    """The lines for a stranger who has this socket."""
    host, port = peer.getsockname()
    return [f"public_key={bytes(stranger(number)).hex()}", f"endpoint={host}:{port}"]


# --- sockets ---------------------------------------------------------------------------------------


@pytest.mark.netns
@needs_namespaces
@pytest.mark.defect(1)
@pytest.mark.parametrize("ipv6", [False, True])
def test_01_sticky_source_with_gro(ipv6: bool) -> None:
    """With UDP_GRO on, the address that a datagram came to was lost, and answers left from another."""
    with Lab() as lab:
        client, server, addresses = two_addresses(lab, ipv6=ipv6)
        for asked in addresses:
            ask(client, server, asked)
            Transfer(client, server, 2_000_000).finish()
            assert asked in client.show("endpoints"), "an answer from elsewhere would have moved it"


@pytest.mark.netns
@needs_namespaces
@pytest.mark.defect(2)
def test_02_ipv6_destination_after_an_ipv4_send() -> None:
    """One buffer was used for addresses of both families, and the IPv6 ones were cut off."""
    with Lab() as lab:
        hub_host, host4, host6 = lab.host(), lab.host(), lab.host()
        lab.join(hub_host, host4, net=2)
        lab.join(hub_host, host6, net=3)
        hub, four, six = (host.start(OURS) for host in (hub_host, host4, host6))
        for tunnel in (hub, four, six):
            tunnel.up()
        hub.add_peer(four, f"192.0.2.{host4.number}:51820")
        hub.add_peer(six, f"[2001:db8:3::{host6.number}]:51820")
        for other in (four, six):
            other.add_peer(hub)
        for _ in range(5):
            hub.ping(four)
            hub.ping(six)
        for transfer in [Transfer(hub, other, 2_000_000) for other in (four, six)]:
            transfer.finish()


@pytest.mark.defect(5)
@in_loop
async def test_05_odd_errors_of_a_socket() -> None:
    """After an error that was not expected nobody read from the socket any more."""
    async with nodes(1) as (node,):
        with udp() as gone:
            address = gone.getsockname()
        ours = udp()
        ours.connect(address)  # so that it is told of ICMP errors when it reads
        node.device._replace_sockets(UdpSockets([ours]))
        for number in range(1, 4):
            ours.send(b"is anybody there?")
            await until(lambda number=number: node.drops(DropReason.RECEIVE_ERROR) == number)  # type: ignore[misc]
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as other:
            other.bind(address)
            other.sendto(bytes([255]) * 40, ours.getsockname())
            await until(lambda: node.drops(DropReason.UNKNOWN_TYPE) == 1)


@pytest.mark.defect(30)
@in_loop
async def test_30_changed_routes_reach_every_peer() -> None:
    """Only IPv4 was looked at, and the first peer that needed nothing ended the search."""
    async with nodes(1) as (node,):
        device = node.device
        device.set(SetRequest(peers=[PeerChange(stranger(number)) for number in range(1, 401)]))
        peers = list(device._control.peers.values())
        ways = [
            Path((host, 51820), Source(socket.inet_pton(family, local), interface))
            for family, host, local in (
                (socket.AF_INET, "192.0.2.1", "192.0.2.9"),
                (socket.AF_INET6, "2001:db8::1", "2001:db8::9"),
            )
            for interface in (3, 4)
        ]
        for number, peer in enumerate(peers):
            device.engine.set_path(peer.id, ways[number % 4])

        def source_state(path: Path, _mark: int) -> SourceState:
            assert path.source is not None
            return SourceState.of(path.source, 3)

        device.routes_changed(source_state)

        def sources() -> list[Source | None]:
            paths = [device.engine.peer_status(peer.id).path for peer in peers]
            return [path.source for path in paths if path is not None]

        await until(lambda: sources() == [ways[0].source, None, ways[2].source, None] * 100)


@pytest.mark.netns
@needs_namespaces
@pytest.mark.defect(33)
def test_33_bytes_sent_after_a_refused_train_are_counted() -> None:
    """What was sent again without GSO was left out of the transfer count."""
    with Lab() as lab:
        one, two = pair(lab)
        for host in (one.host, two.host):
            host.ip("link", "set", host.device, "mtu", "1280")
        Transfer(one, two, 300_000).finish()

        def sent_and_received() -> tuple[str, str]:
            return one.show("transfer").split()[2], two.show("transfer").split()[1]

        wait_for(lambda: len(set(sent_and_received())) == 1, 5, "as much was sent as came")


def without_the_right_to_mark(program: str) -> None:
    """Run this in a process that may not set marks."""
    words = [
        "setpriv",
        "--bounding-set=-net_admin,-net_raw",
        "--inh-caps=-net_admin,-net_raw",
        sys.executable,
        "-c",
        program,
    ]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@in_loop
async def refuse_a_mark() -> None:
    async with nodes(2) as (one, two):
        one.knows(two)
        two.knows(one)
        port = one.port
        for request in (SetRequest(fwmark=7), SetRequest(fwmark=7, listen_port=0)):
            with pytest.raises(UapiError) as refused:
                one.device.set(request)
            assert refused.value.errno == errno.EADDRINUSE
            state = one.device.get()
            assert (state.fwmark, state.listen_port) == (0, port)
        for sender, receiver in ((one, two), (two, one)):
            packet = sender.packet_to(receiver)
            sender.program.send(packet)
            assert await receiver.delivered() == packet


@pytest.mark.netns
@needs_namespaces
@pytest.mark.defect(34)
def test_34_a_mark_that_is_refused() -> None:
    """When setting the mark failed, the sockets were open but nobody read them."""
    without_the_right_to_mark("from tests.defects.test_reference import refuse_a_mark; refuse_a_mark()")


# --- the configuration protocol --------------------------------------------------------------------


@pytest.mark.defect(9)
@in_loop
async def test_09_a_keepalive_is_for_its_own_peer(tmp_path: FilePath) -> None:
    """Switching keepalives on for one peer sent one to every later peer of the message."""
    async with nodes(1) as (node,):
        uapi = Uapi(node, tmp_path)
        with udp() as first, udp() as second:
            lines = [*section(1, first), "persistent_keepalive_interval=25", *section(2, second)]
            assert await uapi.set(*lines) == SUCCESS
            await initiation_at(first)
            await asyncio.sleep(0.3)
            assert_silence(second)
            assert [peer.persistent_keepalive for peer in node.device.get().peers] == [25, 0]
        await uapi.server.close()


@pytest.mark.defect(10)
@in_loop
async def test_10_a_peer_of_a_failed_message_starts_later(tmp_path: FilePath) -> None:
    """A peer before the bad line existed but was never started, and a repeated message didn't start it either."""
    async with nodes(1) as (node,):
        uapi = Uapi(node, tmp_path)
        with udp() as peer:
            lines = [*section(1, peer), "persistent_keepalive_interval=25"]
            assert (await uapi.set(*lines, "public_key=nonsense")).startswith(b"errno=-")
            assert not node.device.get().peers
            await asyncio.sleep(0.3)
            assert_silence(peer)
            assert await uapi.set(*lines) == SUCCESS
            await initiation_at(peer)
        await uapi.server.close()


@pytest.mark.defect(35)
@in_loop
async def test_35_update_only_after_the_allowed_ips(tmp_path: FilePath) -> None:
    """The prefix moved to a peer that, as a later line said, was not to be made."""
    async with nodes(1) as (node,):
        uapi = Uapi(node, tmp_path)
        owner, other = (f"public_key={bytes(stranger(number)).hex()}" for number in (1, 2))
        assert await uapi.set(owner, "allowed_ip=10.0.0.0/8") == SUCCESS
        assert await uapi.set(other, "allowed_ip=10.0.0.0/8", "update_only=true") == SUCCESS
        (peer,) = node.device.get().peers
        assert (peer.public_key, [str(each) for each in peer.allowed_ips]) == (stranger(1), ["10.0.0.0/8"])
        await uapi.server.close()


# --- the daemon ------------------------------------------------------------------------------------


@pytest.mark.netns
@needs_namespaces
@pytest.mark.defect(11)
def test_11_the_mtu_set_right_after_a_background_start_stays() -> None:
    """The second process set the MTU again, after the caller's own."""
    with Lab() as lab:
        host = lab.host()
        pid = background(host)
        host.ip("link", "set", NAME, "mtu", "1333", "up")
        time.sleep(0.5)
        assert "mtu 1333" in host.ip("link", "show", NAME)
        os.kill(pid, signal.SIGTERM)
        assert_nothing_left(host)
    assert not path_of().exists()


@pytest.mark.netns
@needs_namespaces
@pytest.mark.defect(32)
def test_32_packets_that_cannot_be_sent_do_not_flood_the_log(tmp_path: FilePath) -> None:
    """Each packet for a peer without an endpoint, or that the system refused, was a line."""
    log = tmp_path / "log"
    with Lab() as lab, log.open("w") as file:
        left, right = lab.joined_hosts()
        daemon = left.popen(*OURS, "-f", NAME, env={"LOG_LEVEL": "verbose"}, stdout=file)
        wait_for(path_of().exists)
        other = right.start(OURS)
        other.up()
        talk_to = f"public_key={bytes(stranger(1)).hex()}\nallowed_ip=10.0.0.9/32\n"
        refused = f"public_key={bytes(stranger(2)).hex()}\nallowed_ip=10.0.0.8/32\nendpoint=198.51.100.1:1\n"
        message = f"set=1\nprivate_key={'11' * 32}\n{talk_to}{refused}\n"
        assert talk(path_of(), message.encode()) == SUCCESS
        left.ip("address", "add", "10.0.0.1/24", "dev", NAME)
        left.ip("link", "set", NAME, "up")
        left.ip("route", "add", "unreachable", "198.51.100.1")
        flood_packets = (
            "import socket\n"
            "out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "for number in range(5000):\n"
            "    for host in ('10.0.0.8', '10.0.0.9'):\n"
            "        try: out.sendto(b'x', (host, 9))\n"
            "        except OSError: pass\n"
        )
        left.run(sys.executable, "-c", flood_packets)
        daemon.terminate()
        assert daemon.wait(10) == 0
    lines = log.read_text().splitlines()
    assert any("no_endpoint" in line for line in lines), "they did come to the daemon"
    assert len(lines) < 200


@pytest.mark.defect(32)
def test_32_lines_that_repeat_are_held_back() -> None:
    out = io.StringIO()
    logger = make_logger("wg0", logging.DEBUG, out)
    for number in range(1000):
        logger.error("Unable to do number %d", number)
    logger.error("Something else")
    lines = out.getvalue().splitlines()
    assert 20 <= len(lines) <= 20 * 3 + 1, "more than one second may have begun"
    assert sum("are not shown" in line for line in lines) in (1, 2, 3)
    assert lines[-1].endswith("Something else")


# --- load ------------------------------------------------------------------------------------------


@pytest.mark.defect(25)
def test_25_the_rate_limit_counts_ipv6_by_64() -> None:
    """Whoever has a /64 had the rate of every address in it."""
    world = World(seed=1)
    _, bob = world.pair()
    flood(bob, 200)  # they wait, so bob is under load

    def is_admitted(host: str) -> bool:
        """A message of an address that has its cookie."""
        limited = bob.drops(DropReason.RATE_LIMITED)
        source = Path((host, 1000, 0, 0))
        generator = MacGenerator(bob.public_key)
        now = bob.moment().now
        for _ in range(2):
            message = generator.append_macs(now, bytes((TYPE_INITIATION, 0, 0, 0)) + bytes(112), 120 * SECOND)
            bob.heart.datagrams = []
            bob.heart.inbound(now, message, source)
            for reply, _, _ in bob.heart.datagrams:
                generator.consume_cookie_reply(now, reply)
        return bob.drops(DropReason.RATE_LIMITED) == limited

    assert [is_admitted(f"2001:db8::{number:x}") for number in range(1, 11)] == [True] * 5 + [False] * 5
    assert is_admitted("2001:db8:0:1::1")


@pytest.mark.defect(26)
@in_loop
async def test_26_one_peer_does_not_hold_up_another() -> None:
    """The reader of the socket waited for the queue of one peer while all the others had to wait too."""
    async with nodes(3) as (server, busy, other):
        for client in (busy, other):
            client.knows(server)
            server.knows(client)
        # Nobody reads what the server gets, so that soon nothing more of it can be written.
        deadline = time.monotonic() + 10
        while not server.drops(DropReason.TUN_WRITE_FAILED):
            assert time.monotonic() < deadline
            for _ in range(20):
                busy.program.send(busy.packet_to(server, bytes(1000)))
            await asyncio.sleep(0.01)
        other.program.send(other.packet_to(server))
        await until(lambda: all(peer.last_handshake for peer in other.device.get().peers), 2)
        packet = server.packet_to(other)
        server.program.send(packet)
        assert await other.delivered() == packet


# --- time and packets ------------------------------------------------------------------------------


@in_loop
async def stamp_with_the_boot_clock() -> None:
    async with nodes(2) as (one, two):
        one.knows(two)
        two.knows(one)
        one.program.send(one.packet_to(two))
        await two.delivered()
        for node in (one, two):
            (peer,) = node.device._control.peers.values()
            stamps = [node.device._clock(), node.device.engine.activity(peer.id).last_received]
            for stamp in stamps if node is two else stamps[:1]:
                assert abs(stamp - time.clock_gettime_ns(time.CLOCK_BOOTTIME)) < 10 * SECOND
            assert abs(stamps[0] - time.monotonic_ns()) > 1000 * SECOND


@pytest.mark.netns
@needs_namespaces
@pytest.mark.defect(28)
def test_28_clocks_count_the_time_asleep() -> None:
    """Keys were thought young after the machine had slept. Here it has slept for a day, as the clocks say."""
    program = "from tests.defects.test_reference import stamp_with_the_boot_clock as test; test()"
    words = ["unshare", "--time", "--fork", "--boottime", "86400", sys.executable, "-c", program]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.defect(29)
@pytest.mark.parametrize("claimed", [65496, 65500, 65535])
def test_29_ipv6_payload_length_does_not_wrap(claimed: int) -> None:
    """Added to the header's 40 in 16 bits, a large length became one that fits."""
    world = World(seed=1)
    alice, bob = world.pair()
    for device, other in ((alice, bob), (bob, alice)):
        device.heart.insert_allowed_ip(device.peer(other).id, AllowedIP(bytes(16), 0))
    for length, delivered in ((60, 1), (claimed, 1)):
        packet = b"\x60\x00\x00\x00" + length.to_bytes(2, "big") + bytes(34 + 60)
        alice.heart.outbound(alice.moment().now, packet)
        alice.settle()
        world.run(seconds=1)
        assert len(bob.received) == delivered
    assert bob.drops(DropReason.MALFORMED_INNER) == 1
