"""What happens to the interface and the network under it while a tunnel is in use."""

from __future__ import annotations

import shutil
import subprocess

import pytest

from tests.support.namespaces import OURS, Lab, Tunnel, connect, needs_namespaces, run, wait_for

pytestmark = [pytest.mark.netns, needs_namespaces]


def pair(lab: Lab, *, ipv6: bool = False) -> tuple[Tunnel, Tunnel]:
    left, right = lab.joined_hosts()
    one, two = left.start(OURS), right.start(OURS)
    one.up()
    two.up()
    connect(one, two, ipv6=ipv6)
    return one, two


def device_of(tunnel: Tunnel) -> str:
    """The veth device of the tunnel's host."""
    words = tunnel.host.ip("-o", "link").split()
    return next(word.split("@")[0] for word in words if word[:2] in ("va", "vb"))


# --- roaming -----------------------------------------------------------------------------------------


@pytest.mark.parametrize("ipv6", [False, True])
def test_the_endpoint_follows_a_changed_port(ipv6: bool) -> None:
    with Lab() as lab:
        one, two = pair(lab, ipv6=ipv6)
        one.ping(two)
        session = one.show("latest-handshakes")
        for port in ("40001", "40002"):
            one.wg("set", one.interface, "listen-port", port)
            one.ping(two)
            assert two.show("endpoints").endswith(f":{port}")
            two.ping(one)
        assert one.show("latest-handshakes") == session, "roaming needs no handshake"


@pytest.mark.parametrize("ipv6", [False, True])
def test_the_endpoint_follows_a_changed_address(ipv6: bool) -> None:
    with Lab() as lab:
        one, two = pair(lab, ipv6=ipv6)
        one.ping(two)
        device = device_of(one)
        old, new = (one.host.outer6, "2001:db8:2::77") if ipv6 else (one.host.outer, "192.0.2.77")
        length = 64 if ipv6 else 24
        one.host.ip("address", "del", f"{old}/{length}", "dev", device)
        one.host.ip("address", "add", f"{new}/{length}", "dev", device, *(["nodad"] if ipv6 else []))

        def moved() -> bool:
            one.host.run("ping", "-c", "1", "-W", "1", two.address, check=False)
            return new in two.show("endpoints")

        wait_for(moved, 10)
        two.ping(one)
        one.ping(two)


@pytest.mark.skipif(not shutil.which("nft") or not shutil.which("conntrack"), reason="needs nft and conntrack")
def test_a_nat_that_rebinds_in_the_middle_is_followed() -> None:
    """client == router with masquerading == server; the NAT forgets its mapping and draws another port."""
    with Lab() as lab:
        client, router, server = lab.host(), lab.host(), lab.host()
        lab.join(client, router, 3)
        lab.join(router, server, 2)
        router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        client.ip("route", "add", "default", "via", f"192.0.3.{router.number}")

        def masquerade(ports: str) -> None:
            router.run(
                "nft", "flush ruleset; add table ip nat; "
                "add chain ip nat post { type nat hook postrouting priority 100; }; "
                f"add rule ip nat post ip saddr 192.0.3.0/24 udp sport 51820 masquerade to :{ports}",
            )  # fmt: skip

        masquerade("20000-20999")
        one, two = client.start(OURS), server.start(OURS)
        one.up()
        two.up()
        one.add_peer(two, f"{server.outer}:51820", keepalive=1)
        two.add_peer(one)
        one.ping(two)
        first = two.show("endpoints").split("\t")[1]
        assert first.startswith(f"{router.outer}:20")
        transfer = server.popen("iperf3", "-s", "-1", "-B", two.address, stdout=subprocess.DEVNULL)
        wait_for(lambda: ":5201" in server.run("ss", "-ltn"))
        sender = client.popen("iperf3", "-c", two.address, "-t", "4", "-b", "20M", stdout=subprocess.PIPE)
        masquerade("30000-30999")
        router.run("conntrack", "-D", "-p", "udp")
        out, _ = sender.communicate(timeout=30)
        assert "iperf Done" in out
        transfer.wait(10)
        assert two.show("endpoints").split("\t")[1].startswith(f"{router.outer}:30")
        two.ping(one)


# --- the interface -----------------------------------------------------------------------------------


def test_a_tunnel_moved_to_another_namespace_keeps_its_sockets_at_home() -> None:
    with Lab() as lab:
        left, right = lab.joined_hosts()
        inside = lab.host()
        one, two = left.start(OURS), right.start(OURS)
        left.ip("link", "set", one.interface, "netns", inside.namespace)
        two.up()
        one.wg("set", one.interface, "private-key", "/dev/stdin", "listen-port", "51820", text=one.private_key)
        inside.ip("address", "add", f"{one.address}/24", "dev", one.interface)
        inside.ip("link", "set", one.interface, "up", "mtu", "1300")
        connect(one, two)
        inside.run("ping", "-c", "2", "-i", "0.2", "-W", "8", "-M", "do", "-s", "1272", two.address)
        assert left.outer in two.show("endpoints"), "the outer side stays where the daemon was started"
        inside.ip("link", "set", one.interface, "down")
        wait_for(lambda: "51820" not in left.run("ss", "-lun"), what="the sockets are closed")
        inside.ip("link", "set", one.interface, "up")
        wait_for(lambda: "51820" in left.run("ss", "-lun"), what="the sockets are open")
        inside.run("ping", "-c", "1", "-W", "8", two.address)
        inside.ip("link", "del", one.interface)
        assert one.process.wait(10) == 0
        assert not one.socket.exists()


def test_a_renamed_tunnel_is_followed() -> None:
    with Lab() as lab:
        one, two = pair(lab)
        one.ping(two)
        renamed = one.interface + "r"
        one.host.ip("link", "set", one.interface, "down")
        one.host.ip("link", "set", one.interface, "name", renamed)
        wait_for(lambda: "51820" not in one.host.run("ss", "-lun"))
        one.host.ip("address", "replace", f"{one.address}/24", "dev", renamed)
        one.host.ip("link", "set", renamed, "up", "mtu", "1280")
        one.ping(two, size=1252)
        one.host.ip("link", "del", renamed)
        assert one.process.wait(10) == 0


def test_down_closes_the_sockets_and_up_reopens_the_same_port() -> None:
    with Lab() as lab:
        left, right = lab.joined_hosts()
        one, two = left.start(OURS), right.start(OURS)
        one.port = 0
        one.up()
        two.up()
        port = one.show("listen-port")
        assert port != "0"
        one.add_peer(two, f"{right.outer}:51820")
        two.add_peer(one)
        one.ping(two)
        for _ in range(3):
            one.host.ip("link", "set", one.interface, "down")
            wait_for(lambda: port not in left.run("ss", "-lun"))
            assert one.show("listen-port") == port
            one.host.ip("link", "set", one.interface, "up")
            wait_for(lambda: port in left.run("ss", "-lun"))
            one.ping(two)


@pytest.mark.skipif(shutil.which("tcpdump") is None, reason="needs tcpdump")
def test_padding_follows_the_mtu() -> None:
    """A packet of MTU size gets no padding, so the size of the datagram tells the MTU that the daemon knows."""
    with Lab() as lab:
        one, two = pair(lab)
        one.ping(two)
        device = device_of(one)
        for mtu in (1420, 1401, 1283, 8901):
            one.host.ip("link", "set", device, "mtu", "9000")
            two.host.ip("link", "set", device_of(two), "mtu", "9000")
            one.host.ip("link", "set", one.interface, "mtu", str(mtu))
            two.host.ip("link", "set", two.interface, "mtu", str(mtu))
            rule = f"udp port 51820 and src {one.host.outer} and greater 1000"
            capture = one.host.popen(
                "tcpdump", "-n", "-l", "--immediate-mode", "-c", "1", "-i", device, rule, stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )  # fmt: skip
            assert capture.stderr is not None
            while "listening on" not in capture.stderr.readline():
                pass
            wait_for(lambda: one.ping(two, size=mtu - 28 - 1))  # noqa: B023
            out, _ = capture.communicate(timeout=10)
            # One byte less than the MTU is padded up to it, never past it.
            assert f"length {min(mtu, mtu - 1 + -(mtu - 1) % 16) + 32}" in out, (mtu, out)


def test_an_ipv4_only_host_and_an_ipv6_only_peer_do_not_disturb_each_other() -> None:
    with Lab() as lab:
        left, right = lab.joined_hosts()
        left.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1")
        one, two = left.start(OURS), right.start(OURS)
        one.wg("set", one.interface, "private-key", "/dev/stdin", "listen-port", "51820", text=one.private_key)
        left.ip("address", "add", f"{one.address}/24", "dev", one.interface)
        left.ip("link", "set", one.interface, "up")
        two.up()
        connect(one, two)
        other = run("wg", "genkey").strip()
        one.wg("set", one.interface, "peer", run("wg", "pubkey", text=other).strip(), "endpoint", "[2001:db8::9]:1",
               "persistent-keepalive", "1")  # fmt: skip
        one.ping(two, count=5)
        assert one.show("listen-port") == "51820"


def test_deleting_the_interface_in_mid_transfer_ends_cleanly() -> None:
    with Lab() as lab:
        one, two = pair(lab)
        one.ping(two)
        flood = one.host.popen(
            "ping", "-f", "-w", "5", two.address, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
        wait_for(lambda: int(one.show("transfer").split()[2]) > 100_000)
        one.host.ip("link", "del", one.interface)
        assert one.process.wait(10) == 0
        assert not one.socket.exists()
        flood.wait(10)
        assert two.process.poll() is None
