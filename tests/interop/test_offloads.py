"""Offloads switched off one by one, refused on the way, and more threads than one: nothing is lost or changed."""

from __future__ import annotations

import errno
import shutil
import subprocess
import time
from pathlib import Path

import pytest

from tests.support import trains
from tests.support.namespaces import OURS, WIREGUARD_GO, Lab, Tunnel, connect, needs_namespaces, pair, run, wait_for
from tests.support.read_out import document
from tests.support.transfer import Transfer
from wgtun.backend import backend

pytestmark = [pytest.mark.netns, needs_namespaces]

SIZE = 100_000_000


@pytest.mark.parametrize(
    "environment",
    [
        {},
        {"WGTUN_OFFLOAD": "off"},
        {"WGTUN_OFFLOAD": "no-tso"},
        {"WGTUN_OFFLOAD": "no-uso"},
        {"WGTUN_OFFLOAD": "no-gso"},
        {"WGTUN_OFFLOAD": "no-gro"},
        {"WGTUN_OFFLOAD": "no-tso,no-uso"},
        {"WGTUN_QUEUES": "3"},
    ],
    ids=lambda environment: "-".join(environment.values()) or "all",
)
def test_transfers_both_ways(environment: dict[str, str]) -> None:
    with Lab() as lab:
        one, two = pair(lab, env=environment)
        transfers = [Transfer(one, two, SIZE, ipv6=True), Transfer(two, one, SIZE, seed=2)]
        for transfer in transfers:
            transfer.finish()
        for ipv6 in (False, True):
            trains.cross(one, two, ipv6=ipv6)
            trains.cross(two, one, ipv6=ipv6)


@pytest.fixture(scope="session")
def refuse_merged(tmp_path_factory: pytest.TempPathFactory) -> str:
    library = tmp_path_factory.mktemp("refuse_merged") / "library.so"
    source = Path(__file__).parents[1] / "support" / "refuse_merged.c"
    run("cc", "-shared", "-fPIC", "-Wall", "-Werror", "-o", str(library), str(source), "-ldl")
    return str(library)


@pytest.mark.skipif(shutil.which("cc") is None, reason="needs a C compiler")
@pytest.mark.parametrize(
    ("what", "number"),
    [
        ("REFUSE_TRAINS", errno.EIO),
        ("REFUSE_TRAINS", errno.EINVAL),
        ("REFUSE_TRAINS", errno.EMSGSIZE),
        ("REFUSE_MERGED", errno.EINVAL),
        ("REFUSE_MERGED", errno.ENOBUFS),
    ],
    ids=lambda value: value if isinstance(value, str) else errno.errorcode[value],
)
def test_what_the_kernel_refuses_merged_arrives_all_the_same(what: str, number: int, refuse_merged: str) -> None:
    with Lab() as lab:
        one, two = pair(lab, env={"LD_PRELOAD": refuse_merged, what: str(number)})
        one.ping(two)
        for ipv6 in (False, True):
            trains.cross(one, two, ipv6=ipv6)
            trains.cross(two, one, ipv6=ipv6)
        assert not {"send_failed", "tun_write_failed"} & document(one)["drops"].keys()
        refuses_for_good = (what, number) == ("REFUSE_TRAINS", errno.EIO)  # the device, not the way to a peer
        assert ("gso" in document(one)["offloads"]) != refuses_for_good


@pytest.mark.skipif(shutil.which("iperf3") is None, reason="needs iperf3")
@pytest.mark.skipif(backend() == "python", reason="the Python engine has one thread")
def test_many_flows_keep_all_queues_busy() -> None:
    with Lab() as lab:
        one, two = pair(lab, env={"WGTUN_QUEUES": "3"})
        one.ping(two)
        before = busy(one)
        two.host.popen("iperf3", "--server", "--one-off", "--bind", two.address, stdout=subprocess.DEVNULL)
        words = ("iperf3", "--client", two.address, "--parallel", "24", "--bytes", "60M")
        wait_for(lambda: "iperf Done" in one.host.run(*words, check=False), what="the server listens")
        after = busy(one)
        shares = sorted(after[name] - before[name] for name in after if "out" in name)
        assert shares[-2] > shares[-1] / 5, "24 flows are hardly ever on one queue of three"


def busy(tunnel: Tunnel) -> dict[str, int]:
    """For how many nanoseconds each of the daemon's threads has run, by name."""
    threads = Path(f"/proc/{tunnel.pid}/task").iterdir()
    return {
        (thread / "comm").read_text().strip(): int((thread / "schedstat").read_text().split()[0]) for thread in threads
    }


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
