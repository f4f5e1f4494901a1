"""Congestion marks through the tunnel, and the class of handshakes, as seen on the wire."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.support.namespaces import OURS, Host, Lab, connect, needs_namespaces

pytestmark = [
    pytest.mark.netns,
    needs_namespaces,
    pytest.mark.skipif(not shutil.which("tcpdump") or not shutil.which("nft"), reason="needs tcpdump and nft"),
]


class Capture:
    """What tcpdump sees on a device, as text."""

    def __init__(self, host: Host, device: str, rule: str) -> None:
        words = ("tcpdump", "-n", "-v", "-l", "--immediate-mode", "-i", device, rule)
        self._process = host.popen(*words, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        assert self._process.stderr is not None
        while "listening on" not in self._process.stderr.readline():
            pass

    def text(self) -> str:
        self._process.terminate()
        return self._process.communicate(timeout=10)[0]


def device_of(host: Host, prefix: str) -> str:
    return next(word.split("@")[0] for word in host.ip("-o", "link").split() if word.startswith(prefix))


@pytest.mark.parametrize("ipv6", [False, True])
def test_marks_cross_the_tunnel_both_ways(ipv6: bool) -> None:
    with Lab() as lab:
        left, right = lab.joined_hosts()
        one, two = left.start(OURS), right.start(OURS)
        one.up()
        two.up()
        connect(one, two, ipv6=ipv6)
        outer = Capture(left, device_of(left, "va"), "udp port 51820")
        one.ping(two)
        target = two.address6 if ipv6 else two.address
        # DSCP EF stays inside, ECT(1) goes outside.
        left.run("ping", "-n", "-c", "2", "-i", "0.2", "-W", "5", "-Q", "0xb9", target)
        seen = outer.text()
        assert ("class 0x88" if ipv6 else "tos 0x88") in seen, "handshakes are AF41"
        assert ("class 0x01" if ipv6 else "tos 0x1,") in seen
        assert "0xb9" not in seen

        # A router on the way marks every packet as having met congestion.
        family = "ip6" if ipv6 else "ip"
        right.run("nft", "add table inet t; add chain inet t c { type filter hook prerouting priority -300; };"
                  f" add rule inet t c udp dport 51820 {family} ecn set ce")  # fmt: skip
        inner = Capture(right, two.interface, "icmp6 or icmp")
        left.run("ping", "-n", "-c", "2", "-i", "0.2", "-W", "5", "-Q", "0xb9", target)
        seen = inner.text()
        assert ("class 0xbb" if ipv6 else "tos 0xbb") in seen
