"""Congestion marks through the tunnel, and the class of handshakes, as seen on the wire."""

from __future__ import annotations

import re
import shutil
import subprocess

import pytest

from tests.support.namespaces import Lab, needs_namespaces, pair

pytestmark = [
    pytest.mark.netns,
    needs_namespaces,
    pytest.mark.skipif(not shutil.which("tcpdump") or not shutil.which("nft"), reason="needs tcpdump and nft"),
]


def text_of(capture: subprocess.Popen[str]) -> str:
    """End tcpdump; returns what it printed."""
    capture.terminate()
    return capture.communicate(timeout=10)[0]


@pytest.mark.parametrize("ipv6", [False, True])
def test_marks_cross_the_tunnel_both_ways(ipv6: bool) -> None:
    with Lab() as lab:
        one, two = pair(lab, ipv6=ipv6)
        left, right = one.host, two.host
        outer = left.tcpdump(left.device, "-v", "-l", "udp port 51820")
        one.ping(two)
        target = two.address6 if ipv6 else two.address
        # DSCP EF stays inside, ECT(1) goes outside.
        left.run("ping", "-n", "-c", "2", "-i", "0.2", "-W", "5", "-Q", "0xb9", target)
        seen = text_of(outer)
        assert ("class 0x88" if ipv6 else "tos 0x88") in seen, "handshakes are AF41"
        assert ("class 0x01" if ipv6 else "tos 0x1,") in seen
        assert not re.search(r"(tos|class) 0xb9\b", seen)

        # A router on the way marks every packet as having met congestion.
        family = "ip6" if ipv6 else "ip"
        right.run("nft", "add table inet t; add chain inet t c { type filter hook prerouting priority -300; };"
                  f" add rule inet t c udp dport 51820 {family} ecn set ce")  # fmt: skip
        inner = right.tcpdump(two.interface, "-v", "-l", "icmp6 or icmp")
        left.run("ping", "-n", "-c", "2", "-i", "0.2", "-W", "5", "-Q", "0xb9", target)
        seen = text_of(inner)
        assert ("class 0xbb" if ipv6 else "tos 0xbb") in seen
