"""Sessions that are renewed and that expire, with real packets and intervals short enough to wait for.

What happens with the intervals of the paper is simulated in tests/simulation.
"""

from __future__ import annotations

import shutil
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.support.namespaces import OURS, WIREGUARD_GO, Lab, Tunnel, needs_namespaces, pair, run
from tests.support.quick_daemon import QUICK
from tests.support.transfer import Transfer

pytestmark = [pytest.mark.netns, needs_namespaces]
needs_wireguard_go = pytest.mark.skipif(shutil.which("wireguard-go") is None, reason="needs wireguard-go")

PEERS = [pytest.param(OURS, id="ours"), pytest.param(WIREGUARD_GO, id="go", marks=needs_wireguard_go)]
RENEWING = "rekey_after=0.4 reject_after=30 keepalive_timeout=1 rekey_timeout=0.3 rekey_attempt=20 jitter=0.03"
EXPIRING = "rekey_after=100 reject_after=2.5 keepalive_timeout=0.3 rekey_timeout=1 rekey_attempt=20 jitter=0.03"
# Silence, as wireguard-go keeps it for ten seconds, does not mean a dead session.
PATIENT = "rekey_after=100 reject_after=1.5 keepalive_timeout=30 rekey_timeout=1 rekey_attempt=20 jitter=0.03"


def handshakes(key_log: Path) -> int:
    """How many handshakes the daemon with this key log has begun or answered."""
    return key_log.read_text().count("LOCAL_EPHEMERAL_PRIVATE_KEY")


@pytest.mark.parametrize("other", PEERS)
def test_renewing_sessions_loses_and_changes_nothing(tmp_path: Path, other: Sequence[str]) -> None:
    key_log = tmp_path / "keys"
    with Lab() as lab:
        env = {"WGTEST_TIMING": RENEWING, "WGTUN_KEY_LOG": str(key_log)}
        one, two = pair(lab, QUICK, other, env=env, preshared_key=run("wg", "genpsk").strip())
        begin = time.monotonic()
        out = one.host.run("ping", "-n", "-c", "120", "-i", "0.02", "-W", "8", two.address)
        assert "120 received, 0% packet loss" in out
        assert "duplicates" not in out
        for sender, receiver in ((one, two), (two, one)):
            before = handshakes(key_log)
            while handshakes(key_log) == before:  # until one was under way at a renewal
                Transfer(sender, receiver, 50_000_000).finish()
        seconds = time.monotonic() - begin
        # Never more often than rekey_timeout allows.
        assert 5 <= handshakes(key_log) <= 1 + seconds / 0.3


@pytest.mark.parametrize("first", [0, 1], ids=["initiator", "responder"])
def test_after_an_expired_session_either_side_begins_a_new_one(first: int) -> None:
    with Lab() as lab:
        left, right = lab.joined_hosts()
        tunnels = [host.start(QUICK, env={"WGTEST_TIMING": EXPIRING}) for host in (left, right)]
        for tunnel, other, host in zip(tunnels, reversed(tunnels), (right, left), strict=True):
            tunnel.up()
            tunnel.add_peer(other, f"{host.outer}:51820")
        tunnels[0].ping(tunnels[1])
        sessions = [tunnel.show("latest-handshakes") for tunnel in tunnels]
        time.sleep(3)
        tunnels[first].ping(tunnels[1 - first])
        for tunnel, session in zip(tunnels, sessions, strict=True):
            assert tunnel.show("latest-handshakes") != session


@needs_wireguard_go
def test_an_expired_session_is_not_accepted_any_more() -> None:
    """The other side, whose clock is the usual one, still sends under it."""
    with Lab() as lab:
        one, two = pair(lab, QUICK, WIREGUARD_GO, env={"WGTEST_TIMING": PATIENT})
        two.ping(one)
        received = received_bytes(one)
        time.sleep(2)
        out = two.host.run("ping", "-n", "-c", "2", "-i", "0.2", "-W", "1", one.address, check=False)
        assert " 0 received" in out
        assert received_bytes(one) == received
        one.ping(two)
        two.ping(one)


def received_bytes(tunnel: Tunnel) -> int:
    return int(tunnel.show("transfer").split("\t")[1])
