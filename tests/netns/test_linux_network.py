"""Plans for Linux in a network namespace: what they make, where traffic goes, and that nothing stays."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from tests.support.namespaces import OURS, Host, Lab, Tunnel, needs_namespaces, wait_for

pytestmark = [pytest.mark.netns, needs_namespaces]

NOTHING_FAILED: list[str] = []
FULL = "Address = 10.0.0.1/32, fd00::1/128\n", "AllowedIPs = 0.0.0.0/0, ::/0\n"


@pytest.fixture
def lab() -> Iterator[Lab]:
    with Lab() as made:
        yield made


def state(host: Host) -> dict[str, Any]:
    """All that a plan touches. A link's queue is made when it is first up, and is nobody's wish."""
    asked = ("address", "-4 route show table all", "-6 route show table all", "-4 rule", "-6 rule")
    found: dict[str, Any] = {words: json.loads(host.ip("-j", *words.split()) or "[]") for words in asked}
    for each in found["address"]:
        for of_the_queue in ("qdisc", "operstate"):
            each.pop(of_the_queue, None)
    if shutil.which("nft"):
        found["nft"] = host.run("nft", "list", "ruleset")
    return found


def start(
    host: Host, directory: Path, interface: str, config: tuple[str, str], **options: Any
) -> subprocess.Popen[str]:
    file = directory / f"{interface}.conf"
    file.write_text(f"[Interface]\n{config[0]}[Peer]\nPublicKey = {'A' * 43}=\n{config[1]}")
    runner = (sys.executable, "-m", "tests.support.plan_runner", str(file), interface)
    return host.popen(*runner, stdin=subprocess.PIPE, stdout=subprocess.PIPE, **options)


def said(runner: subprocess.Popen[str]) -> Any:
    assert runner.stdout is not None
    return json.loads(runner.stdout.readline())


@contextmanager
def up(host: Host, directory: Path, interface: str, config: tuple[str, str], **options: Any) -> Iterator[None]:
    """Everything is as before in the end."""
    before = state(host)
    runner = start(host, directory, interface, config, **options)
    assert said(runner) == "up"
    yield
    assert runner.stdin is not None
    runner.stdin.write("\n")
    runner.stdin.flush()
    assert said(runner) == NOTHING_FAILED
    assert state(host) == before


def link(host: Host, name: str = "wg0") -> None:
    """An interface that nobody reads."""
    host.ip("tuntap", "add", name, "mode", "tun")


def routes(host: Host, *words: str) -> set[str]:
    return {route["dst"] for route in json.loads(host.ip("-j", *words))}


def test_a_split_tunnel(lab: Lab, tmp_path: Path) -> None:
    host = lab.host()
    link(host)
    config = (
        "Address = 10.0.0.2/24, fd00::2/64\nMTU = 1380\n",
        "AllowedIPs = 10.0.0.0/24, 192.168.7.0/24, fd00::/64, fd00:7::/48\n",
    )
    with up(host, tmp_path, "wg0", config):
        shown = json.loads(host.ip("-j", "address", "show", "wg0"))[0]
        assert shown["mtu"] == 1380
        assert "UP" in shown["flags"]
        own = {(each["local"], each["prefixlen"]) for each in shown["addr_info"] if each["scope"] == "global"}
        assert own == {("10.0.0.2", 24), ("fd00::2", 64)}
        assert routes(host, "-4", "route", "show", "dev", "wg0") == {"10.0.0.0/24", "192.168.7.0/24"}
        assert {"fd00::/64", "fd00:7::/48"} <= routes(host, "-6", "route", "show", "dev", "wg0")
        assert "51820" not in host.ip("rule")


def full_tunnel(lab: Lab) -> tuple[Host, Host, Tunnel]:
    """A host with a default route by another, and a daemon of ours on it."""
    left, right = lab.joined_hosts()
    left.ip("-4", "route", "add", "default", "via", right.outer)
    left.ip("-6", "route", "add", "default", "via", right.outer6)
    tunnel = left.start(OURS)
    tunnel.wg("set", tunnel.interface, "private-key", "/dev/stdin", "listen-port", "51820", text=tunnel.private_key)
    return left, right, tunnel


def device(host: Host, *words: str) -> str:
    """Where a packet would leave."""
    return str(json.loads(host.ip("-j", "route", "get", *words))[0]["dev"])


def test_a_full_tunnel(lab: Lab, tmp_path: Path) -> None:
    """All goes into the tunnel, but what bears its mark, and what the main table knows better."""
    left, right, tunnel = full_tunnel(lab)
    assert tunnel.show("fwmark") == "off"
    with up(left, tmp_path, tunnel.interface, FULL):
        assert tunnel.show("fwmark") == "0xca6c"
        for anywhere, near in (("198.51.100.1", right.outer), ("2001:db8:ffff::1", right.outer6)):
            assert device(left, anywhere) == tunnel.interface
            assert device(left, anywhere, "mark", "51820") == left.device
            assert device(left, near) == left.device
        assert "iifname !=" in left.run("nft", "list", "ruleset")
        assert left.run("sysctl", "-n", "net.ipv4.conf.all.src_valid_mark").strip() == "1"
    assert tunnel.show("fwmark") == "off"


def test_traffic_goes_through_and_not_in_circles(lab: Lab, tmp_path: Path) -> None:
    """The peer is reached by the default route of before, though its own address is caught by the tunnel's."""
    left, right, one = full_tunnel(lab)
    right.ip("address", "add", "203.0.113.1/32", "dev", "lo")  # not on the link: only by the default route
    two = right.start(OURS)
    two.up()
    right.ip("address", "add", "198.51.100.1/32", "dev", two.interface)
    two.wg("set", two.interface, "peer", one.public_key, "allowed-ips", "10.0.0.1/32,fd00::1/128")
    allowed = ("peer", two.public_key, "endpoint", "203.0.113.1:51820", "allowed-ips", "0.0.0.0/0,::/0")
    one.wg("set", one.interface, *allowed)
    with up(left, tmp_path, one.interface, FULL):
        left.run("ping", "-n", "-c", "1", "-W", "8", "198.51.100.1")
        wait_for(lambda: int(two.show("transfer").split()[1]) > 0)
        assert one.show("endpoints").endswith("203.0.113.1:51820")
    assert "failed" not in left.run("ping", "-n", "-c", "1", "-W", "8", right.outer)


def test_two_full_tunnels_at_once(lab: Lab, tmp_path: Path) -> None:
    """The second takes another table; each takes only its own away."""
    left, _, one = full_tunnel(lab)
    two = left.start(OURS)
    second = "Address = 10.0.1.1/32\nMTU = 1300\n", "AllowedIPs = 0.0.0.0/0\n"
    with up(left, tmp_path, one.interface, FULL), up(left, tmp_path, two.interface, second):
        assert two.show("fwmark") == "0xca6d"
        assert device(left, "198.51.100.1") == two.interface
        assert device(left, "198.51.100.1", "mark", "51821") == one.interface


def test_a_table_of_its_own(lab: Lab, tmp_path: Path) -> None:
    host = lab.host()
    link(host)
    with up(host, tmp_path, "wg0", ("Address = 10.0.0.2/24\nTable = 7\n", "AllowedIPs = 0.0.0.0/0, ::/0\n")):
        assert routes(host, "-4", "route", "show", "table", "7") == {"default"}
        assert routes(host, "-6", "route", "show", "table", "7") == {"default"}
        assert routes(host, "-4", "route", "show") == {"10.0.0.0/24"}


def test_table_off(lab: Lab, tmp_path: Path) -> None:
    host = lab.host()
    link(host)
    with up(host, tmp_path, "wg0", ("Address = 10.0.0.2/24\nTable = off\n", "AllowedIPs = 0.0.0.0/0, 10.7.0.0/16\n")):
        assert routes(host, "-4", "route", "show", "table", "all", "dev", "wg0") >= {"10.0.0.0/24"}
        assert "10.7.0.0/16" not in host.ip("route", "show", "table", "all")


def test_a_strange_name(lab: Lab, tmp_path: Path) -> None:
    left, _, _ = full_tunnel(lab)
    link(left, "a+b=c.d_")
    config = FULL[0] + "FwMark = 77\n", FULL[1]  # no call for a mark, which this interface would not take
    with up(left, tmp_path, "a+b=c.d_", config):
        assert device(left, "198.51.100.1") == "a+b=c.d_"


def test_the_mtu_is_that_of_the_way_to_the_peer(lab: Lab, tmp_path: Path) -> None:
    left, right = lab.joined_hosts()
    left.ip("link", "set", left.device, "mtu", "1400")
    link(left)
    with up(left, tmp_path, "wg0", ("Address = 10.0.0.2/24\n", f"Endpoint = {right.outer}:51820\n")):
        assert json.loads(left.ip("-j", "link", "show", "wg0"))[0]["mtu"] == 1320
    left.ip("route", "add", right.outer, "dev", left.device, "mtu", "1390")
    with up(left, tmp_path, "wg0", ("Address = 10.0.0.2/24\n", f"Endpoint = {right.outer}:51820\n")):
        assert json.loads(left.ip("-j", "link", "show", "wg0"))[0]["mtu"] == 1310


def test_with_iptables(lab: Lab, tmp_path: Path) -> None:
    """Where there is no nft; the rules are in the tables, and go."""
    programs = tmp_path / "bin"
    programs.mkdir()
    for name in ("ip", "sysctl", "iptables-restore", "ip6tables-restore"):
        found = shutil.which(name)
        if found is None:
            pytest.skip(f"needs {name}")
        (programs / name).symlink_to(found)
    host = lab.host()
    link(host)
    config = FULL[0] + "FwMark = 77\n", FULL[1]

    def rules(program: str) -> list[str]:
        return [line for line in host.run(program).splitlines() if line.startswith("-A")]

    runner = start(host, tmp_path, "wg0", config, env={"PATH": str(programs)})
    assert said(runner) == "up"
    for program in ("iptables-save", "ip6tables-save"):
        assert len(rules(program)) == 3
        assert all("wgtun rule for wg0" in rule for rule in rules(program))
    assert runner.stdin is not None
    runner.stdin.write("\n")
    runner.stdin.flush()
    assert said(runner) == NOTHING_FAILED
    assert rules("iptables-save") == rules("ip6tables-save") == []


@pytest.mark.parametrize("name", ["resolvconf", "resolvectl"])
def test_dns(lab: Lab, tmp_path: Path, name: str) -> None:
    """A stand-in writes down what it is told."""
    programs, notes = tmp_path / "bin", tmp_path / "notes"
    programs.mkdir()
    for each in ("ip", "sh", "cat"):
        found = shutil.which(each)
        assert found is not None
        (programs / each).symlink_to(found)
    (programs / name).write_text(f'#!/bin/sh\necho "$@" >> {notes}\n[ "$1" = -a ] && cat >> {notes}\nexit 0\n')
    (programs / name).chmod(0o755)
    host = lab.host()
    link(host)
    config = "Address = 10.0.0.2/24\nDNS = 10.0.0.1, example.com\n", ""
    with up(host, tmp_path, "wg0", config, env={"PATH": str(programs)}):
        told = notes.read_text()
        notes.unlink()
    if name == "resolvconf":
        order = Path("/etc/resolvconf/interface-order").exists()
        assert order or told == "-a wg0 -m 0 -x\nnameserver 10.0.0.1\nsearch example.com\n"
        assert order or notes.read_text() == "-d wg0 -f\n"
    else:
        assert told == "dns wg0 10.0.0.1\ndomain wg0 ~. example.com\n"
        assert notes.read_text() == "revert wg0\n"


def test_a_failure_leaves_nothing(lab: Lab, tmp_path: Path) -> None:
    """The last route exists already; the error names it."""
    host = lab.host()
    link(host)
    link(host, "other")
    host.ip("link", "set", "other", "up")
    host.ip("route", "add", "192.168.7.0/24", "dev", "other")
    before = state(host)
    config = "Address = 10.0.0.2/24, fd00::2/64\n", "AllowedIPs = 10.9.0.0/28, 192.168.7.0/24\n"
    runner = start(host, tmp_path, "wg0", config)
    assert said(runner) == "`ip -4 route add 192.168.7.0/24 dev wg0`: RTNETLINK answers: File exists"
    assert runner.wait(10) == 0
    assert state(host) == before


def test_down_when_the_interface_is_gone(lab: Lab, tmp_path: Path) -> None:
    """Rules and firewall go all the same."""
    left, _, _ = full_tunnel(lab)
    before = state(left)
    link(left)
    runner = start(left, tmp_path, "wg0", (FULL[0] + "FwMark = 77\n", FULL[1]))
    assert said(runner) == "up"
    left.ip("link", "del", "wg0")
    assert runner.stdin is not None
    runner.stdin.write("\n")
    runner.stdin.flush()
    assert said(runner)  # what could not be done
    assert state(left) == before
