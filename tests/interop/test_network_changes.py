"""What happens to the interface and the network under it while a tunnel is in use."""

from __future__ import annotations

import shutil
import subprocess
import time

import pytest

from tests.support.namespaces import OURS, Host, Lab, Tunnel, connect, needs_namespaces, pair, run, wait_for
from tests.support.quick_daemon import QUICK

pytestmark = [pytest.mark.netns, needs_namespaces]
needs_tcpdump = pytest.mark.skipif(shutil.which("tcpdump") is None, reason="needs tcpdump")

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


@pytest.mark.defect(13)
@needs_tcpdump
def test_the_mtu_is_followed_into_another_namespace_and_through_a_rename() -> None:
    """And out again; on each way the interface may get another index."""
    with Lab() as lab:
        one, two = pair(lab)
        inside = lab.host()
        one.ping(two)
        name = one.interface
        for source, target, new_name, mtu in (
            (one.host, inside, name + "i", 1301),
            (inside, one.host, name + "o", 1333),
        ):
            source.ip("link", "set", name, "netns", target.namespace, "name", new_name)
            name = new_name
            # The move took the addresses, and the interface is down.
            target.ip("address", "add", f"{one.address}/24", "dev", name)
            target.ip("link", "set", name, "up", "mtu", str(mtu))
            assert_padded_to(mtu, one, two, target)


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


@pytest.mark.defect(12)
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


@needs_tcpdump
def test_padding_follows_the_mtu() -> None:
    with Lab() as lab:
        one, two = pair(lab)
        one.ping(two)
        for host in (one.host, two.host):
            host.ip("link", "set", host.device, "mtu", "9000")
        for mtu in (1420, 1401, 1283, 8901):
            for tunnel in (one, two):
                tunnel.host.ip("link", "set", tunnel.interface, "mtu", str(mtu))
            assert_padded_to(mtu, one, two)


def assert_padded_to(mtu: int, one: Tunnel, two: Tunnel, inside: Host | None = None) -> None:
    """A packet of MTU size gets no padding, so the size of the datagram tells the MTU that the daemon knows.

    `inside` is where the interface is, if that is not where the daemon is.
    """
    rule = f"udp port 51820 and src {one.host.outer} and greater 1000"
    capture = one.host.tcpdump(one.host.device, "-l", "-c", "1", rule)
    # One byte less than the MTU is padded up to it, never past it.
    words = ("ping", "-n", "-c", "1", "-W", "8", "-M", "do", "-s", str(mtu - 28 - 1), two.address)
    (inside or one.host).run(*words)
    out, _ = capture.communicate(timeout=10)
    assert f"length {min(mtu, mtu - 1 + -(mtu - 1) % 16) + 32}" in out, (mtu, out)


@pytest.mark.defect(18)
@pytest.mark.mistake("a host without IPv6")
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


@pytest.mark.mistake("interface deleted while packets flow")
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


# --- the server's addresses --------------------------------------------------------------------------


@pytest.mark.parametrize("ipv6", [False, True])
def test_a_host_with_two_addresses_answers_from_the_one_that_was_asked(ipv6: bool) -> None:
    with Lab() as lab:
        client, server, addresses = two_addresses(lab, ipv6=ipv6)
        for asked in (*addresses, *reversed(addresses)):
            ask(client, server, asked)
            client.ping(server)
            server.ping(client)
            assert asked in client.show("endpoints"), "an answer from elsewhere would have moved it"


@pytest.mark.parametrize("ipv6", [False, True])
def test_when_the_address_that_was_asked_is_gone_traffic_goes_on_from_another(ipv6: bool) -> None:
    with Lab() as lab:
        client, server, (kept, asked) = two_addresses(lab, ipv6=ipv6)
        ask(client, server, asked)
        client.ping(server)
        session = client.show("latest-handshakes")
        device, length = server.host.device, 64 if ipv6 else 24
        server.host.ip("address", "del", f"{asked}/{length}", "dev", device)
        server.ping(client)
        assert kept in client.show("endpoints")
        client.ping(server)
        assert client.show("latest-handshakes") == session
        # Asked at an address that is back, it answers from there again.
        server.host.ip("address", "add", f"{asked}/{length}", "dev", device, *(["nodad"] if ipv6 else []))
        ask(client, server, asked)
        client.ping(server)
        server.ping(client)
        assert asked in client.show("endpoints")


@pytest.mark.skipif(shutil.which("nft") is None, reason="needs nft")
@pytest.mark.parametrize("ipv6", [False, True])
def test_whatever_else_changes_answers_leave_from_the_address_that_was_asked(ipv6: bool) -> None:
    """Addresses and routes come, go and are replaced while packets flow both ways."""
    with Lab() as lab:
        client, server, (usual, asked) = two_addresses(lab, ipv6=ipv6)
        ask(client, server, asked)
        client.ping(server)
        family = "ip6" if ipv6 else "ip"
        client.host.run(
            "nft", "add table inet t; add chain inet t c { type filter hook input priority 0; };"
            f" add rule inet t c udp sport 51820 {family} saddr != {asked} counter",
        )  # fmt: skip
        words = ("ping", "-n", "-q", "-i", "0.002", "-c", "1000", "-W", "5")
        pings = [
            sender.host.popen(*words, receiver.address, stdout=subprocess.PIPE)
            for sender, receiver in ((client, server), (server, client))
        ]
        change_around(server.host, usual, client.host.outer6 if ipv6 else client.host.outer)
        for ping in pings:
            out, _ = ping.communicate(timeout=60)
            assert "1000 received" in out
        assert "counter packets 0 " in client.host.run("nft", "list", "chain", "inet", "t", "c")
        assert asked in client.show("endpoints")


def change_around(host: Host, usual: str, gateway: str) -> None:
    """Change what a path to `gateway`, on the only link, does not need; `usual` is an address of that link."""
    ipv6 = ":" in usual
    other, net = ("2001:db8:2::99/64", "2001:db8:2::/64") if ipv6 else ("192.0.2.99/24", "192.0.2.0/24")
    elsewhere = "2001:db8:9::/64" if ipv6 else "198.51.100.0/24"
    for _ in range(10):
        host.ip("address", "add", other, "dev", host.device, *(["nodad"] if ipv6 else []))
        host.ip("route", "replace", net, "dev", host.device, "src", other.partition("/")[0])
        host.ip("route", "add", elsewhere, "via", gateway)
        host.ip("route", "replace", net, "dev", host.device, "src", usual)
        host.ip("route", "replace", elsewhere, "dev", "lo")
        host.ip("address", "del", other, "dev", host.device)
        host.ip("route", "del", elsewhere)


# The intervals of the paper, at a tenth.
TENTH = "rekey_after=12 reject_after=18 keepalive_timeout=1 rekey_timeout=0.5 rekey_attempt=9 jitter=0.03"


@pytest.mark.parametrize("ipv6", [False, True])
@pytest.mark.parametrize("whose", ["left", "right"])
def test_after_a_minute_without_link_traffic_goes_on(whose: str, ipv6: bool) -> None:
    """A minute at a tenth. Either the host's own device is down, or the other end of its cable."""
    with Lab() as lab:
        left, right = lab.joined_hosts()
        one, two = (host.start(QUICK, env={"WGTEST_TIMING": TENTH}) for host in (left, right))
        for tunnel in (one, two):
            tunnel.up()
        connect(one, two, ipv6=ipv6)
        one.ping(two)
        ping = left.popen("ping", "-n", "-q", "-i", "0.05", two.address, stdout=subprocess.DEVNULL)
        host = left if whose == "left" else right
        host.ip("link", "set", host.device, "down")
        time.sleep(6)
        host.ip("link", "set", host.device, "up")
        if ipv6:  # the system has forgotten it
            host.ip("address", "replace", f"{host.outer6}/64", "dev", host.device, "nodad")

        received = int(two.show("transfer").split()[1])
        wait_for(lambda: int(two.show("transfer").split()[1]) > received, 5, "the tunnel is used again")
        ping.terminate()
        ping.wait(10)
        one.ping(two)
        two.ping(one)


def two_addresses(lab: Lab, *, ipv6: bool) -> tuple[Tunnel, Tunnel, tuple[str, str]]:
    """A client, and a server that has two addresses on its interface and does not know the client's."""
    client_host, server_host = lab.joined_hosts()
    first, second = (server_host.outer6, "2001:db8:2::254") if ipv6 else (server_host.outer, "192.0.2.254")
    prefix = [f"{second}/64", "nodad"] if ipv6 else [f"{second}/24"]
    server_host.ip("address", "add", *prefix, "dev", server_host.device)
    client, server = client_host.start(OURS), server_host.start(OURS)
    client.up()
    server.up()
    client.add_peer(server)
    server.add_peer(client)
    # IPv6 would take the address that was added last, IPv4 the first: one of the two is never the usual one.
    return client, server, (first, second)


def ask(client: Tunnel, server: Tunnel, address: str) -> None:
    """Let the client reach the server at this address."""
    endpoint = f"[{address}]:51820" if ":" in address else f"{address}:51820"
    client.wg("set", client.interface, "peer", server.public_key, "endpoint", endpoint)
