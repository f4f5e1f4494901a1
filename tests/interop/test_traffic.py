"""Traffic with Debian's wireguard-go and with ourselves, whoever starts."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Sequence

import pytest

from tests.support.namespaces import OURS, WIREGUARD_GO, Lab, Tunnel, connect, needs_namespaces, run
from tests.support.transfer import digest

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
        left, right = lab.joined_hosts()
        one, two = left.start(first), right.start(second)
        one.up()
        two.up()
        connect(one, two, ipv6=outer6, preshared_key=run("wg", "genpsk").strip() if psk else "")
        one.ping(two)  # the first of the pair starts the handshake
        two.ping(one)
        one.ping(two, ipv6=True)
        two.ping(one, ipv6=True)
        for tunnel in (one, two):
            assert int(tunnel.show("latest-handshakes").split()[1]) > 0


def transfer(sender: Tunnel, receiver: Tunnel, *, ipv6: bool, size: int = 200_000_000) -> None:
    """Send `size` bytes over TCP through the tunnel and compare the hash at the other end."""
    address = receiver.address6 if ipv6 else receiver.address
    program = [sys.executable, "-m", "tests.support.transfer"]
    sink = receiver.host.popen(*program, "receive", address, stdout=subprocess.PIPE)
    assert sink.stdout is not None
    port = sink.stdout.readline().strip()
    sender.host.run(*program, "send", address, port, str(size), "1", timeout=120)
    assert sink.stdout.readline().strip() == digest(size, 1)


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_tcp_both_ways_keeps_the_content(first: Sequence[str], second: Sequence[str]) -> None:
    with Lab() as lab:
        left, right = lab.joined_hosts()
        one, two = left.start(first), right.start(second)
        one.up()
        two.up()
        connect(one, two, preshared_key=run("wg", "genpsk").strip())
        transfer(one, two, ipv6=False)
        transfer(two, one, ipv6=True)
        for tunnel in (one, two):
            received, sent = (int(word) for word in tunnel.show("transfer").split()[1:])
            assert received > 200_000_000
            assert sent > 200_000_000


@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_udp_and_ping_of_every_size(first: Sequence[str], second: Sequence[str], ipv6: bool) -> None:
    headers = 48 if ipv6 else 28
    with Lab() as lab:
        left, right = lab.joined_hosts()
        one, two = left.start(first), right.start(second)
        one.up()
        two.up()
        connect(one, two)
        largest = 1420 - headers
        sizes = [0, 1, 15, 16, 17, 31, 32, 33, 63, 100, 500, 1000, 1280, 1360, largest - 1, largest]
        for size in sizes:
            one.ping(two, ipv6=ipv6, size=size)
        too_large = one.host.run(
            "ping", "-M", "do", "-s", str(largest + 1), "-c", "1", "-W", "1", two.address6 if ipv6 else two.address,
            check=False,
        )  # fmt: skip
        assert " 0 received" in too_large
        program = [sys.executable, "-m", "tests.support.echo"]
        server = two.host.popen(
            *program, "serve", two.address6 if ipv6 else two.address, "7777", stdout=subprocess.PIPE
        )
        assert server.stdout is not None
        server.stdout.readline()
        # Larger ones than the MTU are fragmented by the hosts inside the tunnel.
        address = two.address6 if ipv6 else two.address
        one.host.run(*program, "check", address, "7777", *map(str, [*sizes, largest + 1, 8000]))
