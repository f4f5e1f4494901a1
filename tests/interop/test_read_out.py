"""What `wgtun show` tells of a running daemon, as text and as JSON."""

from __future__ import annotations

import json
import shutil
import sys

import pytest

from tests.support.namespaces import OURS, WIREGUARD_GO, Lab, Tunnel, needs_namespaces, pair, run, wait_for
from tests.support.read_out import document, show
from tests.support.wire import caught
from wgtun.backend import backend
from wgtun.constants import TYPE_INITIATION

pytestmark = [pytest.mark.netns, needs_namespaces]


def ping_in_vain(one: Tunnel, two: Tunnel, count: int = 1) -> None:
    one.host.run("ping", "-n", "-c", str(count), "-i", "0.2", "-W", "1", two.address, check=False)


def test_a_device_that_works() -> None:
    with Lab() as lab:
        one, two = pair(lab)
        one.ping(two)
        shown = document(one)
        assert shown["engine"] == backend()
        assert shown["up"] is True
        assert shown["mtu"] == 1420
        assert shown["public_key"] == one.public_key
        assert set(shown["offloads"]) | set(shown["missing_offloads"]) == {"tso", "uso", "gso", "gro", "mac1"}
        (peer,) = shown["peers"]
        assert peer["public_key"] == two.public_key
        assert 0 <= peer["handshake_age"] <= 5
        assert peer["rx_bytes"] > 0
        assert "handshake_problem" not in peer
        text = show(one)
        assert one.private_key not in text + json.dumps(shown)
        assert f"engine: {backend()}" in text


def test_drops_are_told_by_peer_and_reason() -> None:
    with Lab() as lab:
        one, two = pair(lab)
        one.ping(two)
        two.wg("set", two.interface, "peer", one.public_key, "allowed-ips", "10.99.0.0/16")
        ping_in_vain(one, two, 3)
        shown = document(two)
        assert shown["drops"]["disallowed_source"] == 3
        assert shown["peers"][0]["drops"]["disallowed_source"] == 3
        assert "dropped: 3 disallowed source" in show(two)


def test_a_missing_route_is_told() -> None:
    with Lab() as lab:
        one, two = pair(lab)
        one.wg("set", one.interface, "peer", two.public_key, "endpoint", "203.0.113.9:51820")
        ping_in_vain(one, two)
        wait_for(
            lambda: "no route to 203.0.113.9:51820: Network is unreachable" in show(one), what="the reason is told"
        )


def test_a_stranger_is_told() -> None:
    with Lab() as lab:
        one, two = pair(lab)
        two.wg("set", two.interface, "peer", one.public_key, "remove")
        ping_in_vain(one, two)
        refusal = document(two)["last_refusal"]
        assert refusal["text"].endswith(f"{one.public_key} is not one of our peers")
        wait_for(lambda: "handshake: no answer to our initiation" in show(one), what="the other side tells")


def test_a_missing_endpoint_is_told() -> None:
    with Lab() as lab:
        left, right = lab.joined_hosts()
        one, two = left.start(OURS), right.start(OURS)
        one.up()
        one.add_peer(two)
        ping_in_vain(one, two)
        assert document(one)["peers"][0]["handshake_problem"] == "no endpoint, and the peer has not been heard of"
        assert "handshake: no endpoint" in show(one)


def test_preshared_keys_that_differ_are_told() -> None:
    with Lab() as lab:
        one, two = pair(lab)
        one.wg("set", one.interface, "peer", two.public_key, "preshared-key", "/dev/stdin", text=run("wg", "genpsk"))
        ping_in_vain(one, two)
        assert "handshake: an answer came that does not fit: the preshared keys may differ" in show(one)


def test_a_replayed_timestamp_is_told() -> None:
    """As of a peer whose clock went back; here it is the very message again."""
    with Lab() as lab:
        one, two = pair(lab)
        initiation = caught(two.host, TYPE_INITIATION, lambda: one.ping(two))
        program = "import socket, sys; socket.socket(2, 2).sendto(bytes.fromhex(sys.argv[1]), (sys.argv[2], 51820))"
        one.host.run(sys.executable, "-c", program, initiation.hex(), two.host.outer)
        wait_for(lambda: "handshake: the peer's timestamp is not newer" in show(two), what="the reason is told")
        assert document(two)["peers"][0]["drops"]["bad_handshake"] == 1


def test_offloads_that_are_off_say_why() -> None:
    with Lab() as lab:
        one, _two = pair(lab, env={"WGTUN_OFFLOAD": "no-gro,no-mac1"})
        missing = document(one)["missing_offloads"]
        assert missing["gro"] == missing["mac1"] == "switched off by WGTUN_OFFLOAD"
        assert "without gro: switched off by WGTUN_OFFLOAD" in show(one)


@pytest.mark.skipif(shutil.which("wireguard-go") is None, reason="needs wireguard-go")
def test_another_daemon_is_shown_without() -> None:
    with Lab() as lab:
        _one, two = pair(lab, second=WIREGUARD_GO)
        shown = document(two)
        assert shown["public_key"] == two.public_key
        assert "engine" not in shown
        assert "engine" not in show(two)
