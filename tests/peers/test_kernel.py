"""With the kernel's own WireGuard, in a virtual machine: what both do when both are as they come."""

from __future__ import annotations

import re
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from benchmarks.process import LOAD_CPU, pinned
from benchmarks.program import running
from tests.peers.virtual_machine import FILES, KernelTunnel, VirtualMachine
from tests.support.floods import FLOODS, NETWORK
from tests.support.namespaces import OURS, Host, Lab, Tunnel, connect, end, needs_namespaces, run, wait_for
from tests.support.transfer import digest

pytestmark = [
    pytest.mark.netns,
    pytest.mark.timeout(300),
    needs_namespaces,
    pytest.mark.skipif(not (FILES / "initramfs").exists(), reason="needs tools/peers/setup"),
]


@pytest.fixture(scope="module")
def machine() -> Iterator[VirtualMachine]:
    with Lab() as lab:
        yield VirtualMachine(lab.host())


@pytest.fixture
def tunnels(machine: VirtualMachine) -> Iterator[tuple[Tunnel, KernelTunnel]]:
    """Ours and the kernel's, up, and nobody's peers yet."""
    ours = machine.beside.start(OURS)
    theirs = KernelTunnel(machine)
    ours.up()
    theirs.up()
    yield ours, theirs
    end(ours.process)
    theirs.remove()


@pytest.mark.parametrize("psk", [False, True], ids=["plain", "psk"])
@pytest.mark.parametrize("outer6", [False, True], ids=["outer4", "outer6"])
@pytest.mark.parametrize("first", [0, 1], ids=["ours-first", "kernel-first"])
def test_ping_of_every_size(tunnels: tuple[Tunnel, KernelTunnel], first: int, outer6: bool, psk: bool) -> None:
    connect(*tunnels, ipv6=outer6, preshared_key=run("wg", "genpsk").strip() if psk else "")
    one, two = tunnels[first], tunnels[1 - first]
    one.ping(two)
    for ipv6 in (False, True):
        largest = 1420 - (48 if ipv6 else 28)
        for size in (0, 1, 15, 16, 17, 100, 1000, largest - 1, largest):
            one.ping(two, ipv6=ipv6, size=size)
            two.ping(one, ipv6=ipv6, size=size)


@pytest.mark.parametrize("ipv6", [False, True])
def test_tcp_both_ways_at_once_keeps_the_content(tunnels: tuple[Tunnel, KernelTunnel], ipv6: bool) -> None:
    """With every offload that the two sides have."""
    ours, theirs = tunnels
    connect(ours, theirs)
    theirs.machine.shell("nc -ll -p 7 -e /bin/cat </dev/null >/dev/null 2>&1 & echo $! >/tmp/echo")
    wait_for(lambda: ":0007 " in theirs.machine.shell("cat /proc/net/tcp*"), what="nc listens")
    address = theirs.address6 if ipv6 else theirs.address
    words = [sys.executable, "-m", "tests.support.transfer", "echo", address, "7", "20000000", "1"]
    assert ours.host.run(*words, timeout=200).strip() == digest(20_000_000, 1)
    theirs.machine.shell("kill $(cat /tmp/echo)")


def test_either_side_may_move(tunnels: tuple[Tunnel, KernelTunnel]) -> None:
    ours, theirs = tunnels
    connect(ours, theirs)
    ours.ping(theirs)
    ours.wg("set", ours.interface, "listen-port", "50001")
    ours.ping(theirs)
    assert theirs.show("endpoints").endswith(f"{ours.host.outer}:50001")
    theirs.wg("set", theirs.interface, "listen-port", "50002")
    theirs.ping(ours)
    assert ours.show("endpoints").endswith(f"{theirs.host.outer}:50002")
    for mover, other, port in ((ours, theirs, 50001), (theirs, ours, 50002)):
        with moved(mover.host) as address:
            mover.ping(other)
            assert other.show("endpoints").endswith(f"{address}:{port}")
            other.ping(mover)
        mover.ping(other)  # from where it was


@contextmanager
def moved(host: Host) -> Iterator[str]:
    """Another address for a while, instead of the one that it has."""
    address = "192.0.2.77"
    for old, new in ((host.outer, address), (address, host.outer)):
        host.ip("address", "del", f"{old}/24", "dev", host.device)
        host.ip("address", "add", f"{new}/24", "dev", host.device)
        if new == address:
            yield address


@pytest.mark.parametrize("first", [0, 1], ids=["ours", "kernel"])
def test_persistent_keepalives_are_taken_and_not_answered(tunnels: tuple[Tunnel, KernelTunnel], first: int) -> None:
    connect(*tunnels)
    one, two = tunnels[first], tunnels[1 - first]
    one.wg("set", one.interface, "peer", two.public_key, "persistent-keepalive", "1")
    wait_for(lambda: not one.show("latest-handshakes").endswith("\t0"), what="a handshake")
    time.sleep(1.5)
    received, sent = transferred(two)
    time.sleep(4)
    received_later, sent_later = transferred(two)
    assert 3 * 32 <= received_later - received <= 5 * 32
    assert sent_later == sent


def transferred(tunnel: Tunnel) -> tuple[int, int]:
    received, sent = tunnel.show("transfer").split()[1:]
    return int(received), int(sent)


@pytest.mark.parametrize("outer6", [False, True], ids=["outer4", "outer6"])
def test_traffic_classes_are_the_same_on_the_wire(tunnels: tuple[Tunnel, KernelTunnel], outer6: bool) -> None:
    connect(*tunnels, ipv6=outer6)
    tunnels[0].ping(tunnels[1])
    for tunnel, other in (tunnels, reversed(tunnels)):
        beside = tunnels[0].host
        host = other.host.outer6 if outer6 else other.host.outer
        capture = beside.tcpdump("va0", "-v", "-l", "-c", "8", f"udp port 51820 and dst host {host}")
        for mark in ("0xb8", "0xb9", "0xba", "0xbb"):
            for address in (other.address, other.address6):
                tunnel.host.run("ping", "-n", "-c", "1", "-W", "5", "-Q", mark, address)
        said = capture.communicate(timeout=10)[0]
        # Of the inner class only the congestion mark, and that as if nobody had met congestion yet.
        classes = [int(word, 16) for word in re.findall(r"(?:tos|class) (0x\w+)", said)]
        assert [each for each in classes if each] == [1, 1, 2, 2, 2, 2], said


@pytest.mark.parametrize("address", ["10.0.0.99", "fd00::99", "10.0.0.77", "fd00::77"])
def test_unreachable_is_said_in_the_same_words(tunnels: tuple[Tunnel, KernelTunnel], address: str) -> None:
    """.99 belongs to no peer, .77 to a peer without endpoint."""
    stranger = run("wg", "pubkey", text=run("wg", "genkey")).strip()
    said = []
    for tunnel in tunnels:
        tunnel.wg("set", tunnel.interface, "peer", stranger, "allowed-ips", "10.0.0.77/32,fd00::77/128")
        out = tunnel.host.run("ping", "-n", "-c", "1", "-W", "3", address, check=False)
        said += re.findall(r"icmp_seq=1 (.*)", out)
    assert len(said) == 2
    assert said[0] == said[1]


@pytest.mark.parametrize(("victim", "rate"), [(0, 20_000), (1, 3000)], ids=["ours", "kernel"])
def test_who_is_under_load_gives_cookies(
    tunnels: tuple[Tunnel, KernelTunnel], victim: int, rate: int, tmp_path: Path
) -> None:
    """While initiations come from thousands of addresses, the other side gets in with its second message."""
    connect(*tunnels)
    loaded, other = tunnels[victim], tunnels[1 - victim]
    beside = tunnels[0].host
    beside.ip("route", "replace", "local", NETWORK, "dev", "lo")
    tunnels[1].host.ip("route", "replace", NETWORK, "via", beside.outer)
    flood = FLOODS["valid mac1"](loaded, other)
    (tmp_path / "datagrams").write_bytes(flood.datagrams)
    replies = f"udp[8] == 3 and src host {loaded.host.outer} and dst host {other.host.outer}"
    capture = beside.tcpdump("va0", "-l", "-c", "1", replies)
    with running(
        beside, "blast", loaded.host.outer, loaded.port, "--rate", rate, "--seconds", 40,
        "--size", flood.size, "--file", tmp_path / "datagrams", "--network", NETWORK, under=pinned(LOAD_CPU),
    ):  # fmt: skip
        time.sleep(1)
        # With the second message, if nothing is lost; more are sent on a machine that is too slow for the flood.
        other.ping(loaded, wait=30)
    assert "> " in capture.communicate(timeout=10)[0]


def test_a_restarted_kernel_is_found_again(tunnels: tuple[Tunnel, KernelTunnel]) -> None:
    ours, theirs = tunnels
    connect(ours, theirs)
    ours.ping(theirs)
    theirs.host.ip("link", "set", theirs.interface, "down")  # it forgets its sessions
    theirs.host.ip("link", "set", theirs.interface, "up")
    ours.host.run("ping", "-n", "-w", "20", theirs.address)  # fails if none is answered


def test_a_session_is_renewed_after_two_minutes_and_nothing_is_lost(machine: VirtualMachine, tmp_path: Path) -> None:
    """Who began it renews it: one tunnel that we begin, and one that the kernel begins."""
    beside = machine.beside
    pings, logs = [], []
    for number, first in enumerate((0, 1), start=1):
        logs.append(tmp_path / f"keys{number}")
        ours = beside.start(OURS, env={"WGTUN_KEY_LOG": str(logs[-1])})
        theirs = KernelTunnel(machine, f"wg{number}")
        for last, tunnel in enumerate((ours, theirs), start=1):
            tunnel.address, tunnel.address6 = f"10.1.{number}.{last}", f"fd00:{number}::{last}"
            tunnel.port += number
            tunnel.up()
        connect(ours, theirs)
        one, two = (ours, theirs)[first], (ours, theirs)[1 - first]
        one.ping(two)
        words = ["ping", "-q", "-n", "-i", "0.05", "-c", "2700", "-W", "5", theirs.address]
        pings.append(beside.popen(*words, stdout=subprocess.PIPE))
    for ping, log in zip(pings, logs, strict=True):
        said = ping.communicate(timeout=200)[0]
        assert ", 0% packet loss" in said, said
        assert log.read_text().count("LOCAL_EPHEMERAL_PRIVATE_KEY") == 2
