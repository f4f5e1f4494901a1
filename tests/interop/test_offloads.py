"""Offloads switched off one by one, refused on the way, and more threads than one: nothing is lost or changed."""

from __future__ import annotations

import shutil
import time

import pytest

from tests.support.namespaces import OURS, WIREGUARD_GO, Lab, connect, needs_namespaces, pair
from tests.support.transfer import Transfer

pytestmark = [pytest.mark.netns, needs_namespaces]

SIZE = 100_000_000


@pytest.mark.parametrize(
    "environment",
    [
        {"WGTUN_OFFLOAD": "off"},
        {"WGTUN_OFFLOAD": "no-tso"},
        {"WGTUN_OFFLOAD": "no-uso,no-gro"},
        {"WGTUN_OFFLOAD": "no-gso"},
        {"WGTUN_OFFLOAD": "no-tso,no-uso"},
        {"WGTUN_QUEUES": "3"},
    ],
    ids=lambda environment: "-".join(environment.values()),
)
def test_transfers_both_ways(environment: dict[str, str]) -> None:
    with Lab() as lab:
        one, two = pair(lab, env=environment)
        transfers = [Transfer(one, two, SIZE, ipv6=True), Transfer(two, one, SIZE, seed=2)]
        for transfer in transfers:
            transfer.finish()


@pytest.mark.skipif(shutil.which("wireguard-go") is None, reason="needs wireguard-go")
def test_several_queues_with_another_implementation() -> None:
    with Lab() as lab:
        one, two = pair(lab, OURS, WIREGUARD_GO, env={"WGTUN_QUEUES": "2"})
        transfers = [Transfer(one, two, SIZE // 2, seed=seed, ipv6=seed % 2 == 1) for seed in range(4)]
        for transfer in transfers:
            transfer.finish()


@pytest.mark.defect(4)
def test_a_path_too_narrow_for_trains_carries_tcp_as_fast_as_without_them() -> None:
    """Tunnel MTU 1420, path MTU 1280: the kernel refuses every train of IPv6, and fragments single datagrams."""

    def seconds(environment: dict[str, str]) -> float:
        with Lab() as lab:
            left, right = lab.joined_hosts()
            for host in (left, right):
                host.ip("link", "set", host.device, "mtu", "1280")
            one, two = (host.start(OURS, env=environment) for host in (left, right))
            one.up()
            two.up()
            connect(one, two)
            one.ping(two)
            begin = time.monotonic()
            Transfer(one, two, SIZE // 4, ipv6=True).finish()
            return time.monotonic() - begin

    # What else the machine does may fall on either; it lost a thousandfold.
    assert any(seconds({}) / seconds({"WGTUN_OFFLOAD": "no-gso"}) < 1.5 for _ in range(6))
