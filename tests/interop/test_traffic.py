"""Traffic with Debian's wireguard-go and with ourselves, whoever starts."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.support.namespaces import OURS, WIREGUARD_GO, Host, Lab, end, needs_namespaces, pair, run, wait_for
from tests.support.transfer import Transfer

pytestmark = [
    pytest.mark.netns,
    needs_namespaces,
]
needs_wireguard_go = pytest.mark.skipif(shutil.which("wireguard-go") is None, reason="needs wireguard-go")

PAIRS = [
    pytest.param(OURS, OURS, id="ours-ours"),
    pytest.param(OURS, WIREGUARD_GO, id="ours-go", marks=needs_wireguard_go),
    pytest.param(WIREGUARD_GO, OURS, id="go-ours", marks=needs_wireguard_go),
]


@pytest.mark.parametrize("psk", [False, True], ids=["plain", "psk"])
@pytest.mark.parametrize("outer6", [False, True], ids=["outer4", "outer6"])
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_ping_of_every_kind(first: Sequence[str], second: Sequence[str], outer6: bool, psk: bool) -> None:
    with Lab() as lab:
        one, two = pair(lab, first, second, ipv6=outer6, preshared_key=run("wg", "genpsk").strip() if psk else "")
        one.ping(two)  # the first of the pair starts the handshake
        two.ping(one)
        one.ping(two, ipv6=True)
        two.ping(one, ipv6=True)
        for tunnel in (one, two):
            assert int(tunnel.show("latest-handshakes").split()[1]) > 0


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_tcp_both_ways_keeps_the_content(first: Sequence[str], second: Sequence[str]) -> None:
    """200 MB each way, IPv4 and IPv6 inside, with ourselves and one wireguard-go over IPv6."""
    with Lab() as lab:
        outer6 = second != WIREGUARD_GO
        one, two = pair(lab, first, second, ipv6=outer6, preshared_key=run("wg", "genpsk").strip())
        Transfer(one, two, 200_000_000).finish()
        Transfer(two, one, 200_000_000, ipv6=True).finish()
        for tunnel in (one, two):
            received, sent = (int(word) for word in tunnel.show("transfer").split()[1:])
            assert received > 200_000_000
            assert sent > 200_000_000


@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_udp_and_ping_of_every_size(first: Sequence[str], second: Sequence[str], ipv6: bool) -> None:
    """Over IPv6, the largest datagram fills the Ethernet frame exactly."""
    largest = 1420 - (48 if ipv6 else 28)
    with Lab() as lab:
        one, two = pair(lab, first, second, ipv6=ipv6)
        address = two.address6 if ipv6 else two.address
        sizes = [0, 1, 15, 16, 17, 31, 32, 33, 63, 100, 500, 1000, 1280, 1360, largest - 1, largest]
        for size in sizes:
            one.ping(two, ipv6=ipv6, size=size)
        too_large = one.host.run(
            "ping", "-M", "do", "-s", str(largest + 1), "-c", "1", "-W", "1", address, check=False
        )  # fmt: skip
        assert " 0 received, +1 errors" in too_large, "refused on this host, not lost on the way"
        program = [sys.executable, "-m", "tests.support.echo"]
        server = two.host.popen(*program, "serve", address, "7777", stdout=subprocess.PIPE)
        assert server.stdout is not None
        server.stdout.readline()
        # Larger ones than the MTU are fragmented by the hosts inside the tunnel.
        one.host.run(*program, "check", address, "7777", *map(str, [*sizes, largest + 1, 8000]))


@pytest.mark.skipif(shutil.which("iperf3") is None, reason="needs iperf3")
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_a_burst_of_udp_arrives(first: Sequence[str], second: Sequence[str]) -> None:
    with Lab() as lab:
        one, two = pair(lab, first, second)
        server = two.host.popen("iperf3", "-s", "-B", two.address, stdout=subprocess.DEVNULL)
        wait_for(lambda: ":5201" in two.host.run("ss", "-ltn"), what="iperf3 listens")
        for direction in ([], ["-R"]):
            words = ["iperf3", "-c", two.address, "-u", "-b", "20M", "-n", "2M", "-l", "1300", "--json", *direction]
            total = json.loads(one.host.run(*words))["end"]["sum"]
            assert total["packets"] > 1500
            # The receiving program may be late on a busy machine; a tunnel that loses loses more.
            assert total["lost_percent"] < 10, total
        end(server)


@pytest.mark.defect(3)
def test_link_local_endpoints_keep_their_zone() -> None:
    with Lab() as lab:
        left, right = lab.joined_hosts()
        one, two = left.start(OURS), right.start(OURS)
        for tunnel in (one, two):
            tunnel.up()
        endpoints = {}
        for host in (left, right):
            wait_for(lambda host=host: link_local(host) is not None, what="a link-local address")  # type: ignore[misc]
            endpoints[host] = link_local(host)
        one.add_peer(two, f"[{endpoints[right]}%{left.device_index()}]:51820")
        two.add_peer(one)  # learns where the other is
        one.ping(two)
        two.ping(one)
        Transfer(two, one, 5_000_000).finish()
        assert f"{endpoints[left]}%" in two.show("endpoints")


def link_local(host: Host) -> str | None:
    """The host's link-local address, when it may be used."""
    for line in host.ip("-6", "-o", "address", "show", "dev", host.device, "scope", "link").splitlines():
        if "tentative" not in line:
            return line.split()[3].partition("/")[0]
    return None
