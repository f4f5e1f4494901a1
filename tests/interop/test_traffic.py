"""Traffic with Debian's wireguard-go and with ourselves, whoever starts."""

from __future__ import annotations

import shutil
from collections.abc import Sequence

import pytest

from tests.support.namespaces import OURS, WIREGUARD_GO, Lab, connect, needs_namespaces, run

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
