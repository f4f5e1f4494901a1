"""A packet that no peer can have gets an ICMP error, as with the kernel's WireGuard."""

from __future__ import annotations

import pytest

from tests.support.namespaces import OURS, Lab, needs_namespaces

pytestmark = [pytest.mark.netns, needs_namespaces]


@pytest.mark.defect(24)
@pytest.mark.parametrize("destination", ["10.0.0.99", "fd00::99", "10.0.0.2", "fd00::2"])
def test_ping_says_unreachable_at_once(destination: str) -> None:
    """.99 belongs to no peer, .2 to a peer without endpoint."""
    with Lab() as lab:
        left, right = lab.joined_hosts()
        one, two = left.start(OURS), right.start(OURS)
        one.up()
        one.add_peer(two)
        out = left.run("ping", "-n", "-c", "1", "-W", "3", destination, check=False)
        assert "nreachable" in out, out
