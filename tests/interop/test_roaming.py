"""Peers that turn up elsewhere: another port, another address, a NAT that forgets, and a bad network between."""

from __future__ import annotations

import shutil
import subprocess
import time
from collections.abc import Sequence

import pytest

from tests.support.forwarder import Forwarder
from tests.support.namespaces import OURS, WIREGUARD_GO, Host, Lab, Tunnel, needs_namespaces, pair, wait_for
from tests.support.transfer import Transfer

pytestmark = [pytest.mark.netns, needs_namespaces]
needs_wireguard_go = pytest.mark.skipif(shutil.which("wireguard-go") is None, reason="needs wireguard-go")


def endpoint(tunnel: Tunnel) -> str:
    """Where the tunnel's only peer is."""
    return tunnel.show("endpoints").split("\t")[1]


# --- the peer itself moves ---------------------------------------------------------------------------


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


def test_a_transfer_survives_changes_of_the_port_under_way() -> None:
    with Lab() as lab:
        one, two = pair(lab)
        # Who moves while it only receives is not found without keepalives.
        one.wg("set", one.interface, "peer", two.public_key, "persistent-keepalive", "1")
        one.ping(two)
        session = one.show("latest-handshakes")
        for sender, receiver, ports in ((one, two, (40001, 40002, 40003)), (two, one, (40004, 40005, 40006))):
            transfer = Transfer(sender, receiver, 50_000_000)
            for port in ports:
                one.wg("set", one.interface, "listen-port", str(port))
                wait_for(lambda: endpoint(two).endswith(f":{port}"), what="the peer follows")  # noqa: B023
            transfer.finish()
        assert one.show("latest-handshakes") == session
        assert endpoint(one).endswith(":51820"), "the other side stayed where it was"


@pytest.mark.parametrize("ipv6", [False, True])
def test_the_endpoint_follows_a_changed_address(ipv6: bool) -> None:
    with Lab() as lab:
        one, two = pair(lab, ipv6=ipv6)
        one.ping(two)
        device = one.host.device
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


# --- a NAT that rebinds ------------------------------------------------------------------------------


class Masqueraded:
    """client == router with masquerading == server; the NAT draws its ports from a range."""

    def __init__(self, lab: Lab) -> None:
        client, self.router, server = lab.host(), lab.host(), lab.host()
        lab.join(client, self.router, 3)
        lab.join(self.router, server, 2)
        self.router.run("sysctl", "-qw", "net.ipv4.ip_forward=1")
        client.ip("route", "add", "default", "via", f"192.0.3.{self.router.number}")
        self.masquerade("20000-20999")
        self.client, self.server = client.start(OURS), server.start(OURS)
        self.client.up()
        self.server.up()
        self.client.add_peer(self.server, f"{server.outer}:51820", keepalive=1)
        self.server.add_peer(self.client)
        self.client.ping(self.server)

    def masquerade(self, ports: str) -> None:
        self.router.run(
            "nft", "flush ruleset; add table ip nat; "
            "add chain ip nat post { type nat hook postrouting priority 100; }; "
            f"add rule ip nat post ip saddr 192.0.3.0/24 udp sport 51820 masquerade to :{ports}",
        )  # fmt: skip

    def is_seen_at(self, ports: str) -> bool:
        """Whether the client comes from a port that begins with these digits."""
        return endpoint(self.server).startswith(f"{self.router.outer}:{ports}")


needs_nat = pytest.mark.skipif(not shutil.which("nft") or not shutil.which("conntrack"), reason="needs nft, conntrack")


@needs_nat
def test_a_nat_that_rebinds_in_the_middle_is_followed() -> None:
    """The NAT forgets its mapping and draws another port."""
    with Lab() as lab:
        net = Masqueraded(lab)
        assert net.is_seen_at("20")
        transfer = net.server.host.popen("iperf3", "-s", "-1", "-B", net.server.address, stdout=subprocess.DEVNULL)
        wait_for(lambda: ":5201" in net.server.host.run("ss", "-ltn"))
        words = ["iperf3", "-c", net.server.address, "-t", "4", "-b", "20M"]
        sender = net.client.host.popen(*words, stdout=subprocess.PIPE)
        net.masquerade("30000-30999")
        net.router.run("conntrack", "-D", "-p", "udp")
        out, _ = sender.communicate(timeout=30)
        assert "iperf Done" in out
        transfer.wait(10)
        assert net.is_seen_at("30")
        net.server.ping(net.client)


@needs_nat
def test_a_keepalive_each_second_keeps_a_nat_open_that_forgets_after_two() -> None:
    with Lab() as lab:
        net = Masqueraded(lab)
        timeouts = ("net.netfilter.nf_conntrack_udp_timeout=2", "net.netfilter.nf_conntrack_udp_timeout_stream=2")
        net.router.run("sysctl", "-qw", *timeouts)
        for _ in range(3):
            time.sleep(3)  # nobody sends but the keepalives
            net.server.ping(net.client, wait=1)
        peer = net.server.public_key
        net.client.wg("set", net.client.interface, "peer", peer, "persistent-keepalive", "off")
        wait_for(lambda: not mappings(net.router), 10, "the NAT forgets")
        with pytest.raises(AssertionError):
            net.server.ping(net.client, wait=1)
        net.client.wg("set", net.client.interface, "peer", peer, "persistent-keepalive", "1")
        wait_for(lambda: mappings(net.router), 10, "the first keepalive, at once")
        net.server.ping(net.client)


def mappings(router: Host) -> str:
    """What the router's NAT knows of the tunnel."""
    return router.run("conntrack", "-L", "-p", "udp", "--orig-port-dst", "51820")


class Behind:
    """client == forwarder == server; the server does not know where the client is."""

    def __init__(
        self, lab: Lab, *, ipv6: bool = False, server: Sequence[str] = OURS, keepalive: int = 0, seed: int = 1
    ) -> None:
        hosts = lab.host(), lab.host(), lab.host()
        self.router = hosts[1]
        lab.join(hosts[0], self.router, 3)
        self.device, _ = lab.join(self.router, hosts[2], 2)
        self.address = self._outer(self.router, ipv6)
        listen = f"2001:db8:3::{self.router.number}" if ipv6 else f"192.0.3.{self.router.number}"
        self.forwarder = Forwarder(self.router, listen, self._outer(hosts[2], ipv6), seed=seed)
        self.client, self.server = hosts[0].start(OURS), hosts[2].start(server)
        self.client.up()
        self.server.up()
        self.client.add_peer(self.server, self.forwarder.endpoint, keepalive=keepalive)
        self.server.add_peer(self.client)

    @staticmethod
    def _outer(host: Host, ipv6: bool) -> str:
        return host.outer6 if ipv6 else host.outer

    def move(self, *, ipv6: bool) -> str:
        """The client now comes from another address; returns it."""
        address = "2001:db8:2::254" if ipv6 else "192.0.2.254"
        prefix = [f"{address}/64", "dev", self.device, "nodad"] if ipv6 else [f"{address}/24", "dev", self.device]
        self.router.ip("address", "add", *prefix)
        self.forwarder.rebind(address)
        return address


@pytest.mark.parametrize(
    ("ipv6", "server"),
    [
        pytest.param(False, OURS, id="outer4"),
        pytest.param(True, OURS, id="outer6"),
        pytest.param(False, WIREGUARD_GO, id="outer4-go", marks=needs_wireguard_go),
    ],
)
def test_a_client_behind_a_forgetful_nat_is_followed(ipv6: bool, server: Sequence[str]) -> None:
    with Lab() as lab:
        net = Behind(lab, ipv6=ipv6, server=server)
        assert endpoint(net.server) == "(none)"
        net.client.ping(net.server)
        session = net.client.show("latest-handshakes")
        seen = [endpoint(net.server)]
        for _ in range(3):
            net.forwarder.rebind()
            net.client.ping(net.server)
            seen.append(endpoint(net.server))
            net.server.ping(net.client)
        assert len(set(seen)) == 4
        assert all(net.address in each for each in seen)
        elsewhere = net.move(ipv6=ipv6)
        net.client.ping(net.server, ipv6=True)
        assert elsewhere in endpoint(net.server)
        net.server.ping(net.client, ipv6=True)
        assert net.client.show("latest-handshakes") == session, "roaming needs no handshake"
        assert net.forwarder.endpoint == endpoint(net.client)


def test_a_transfer_survives_a_nat_that_rebinds_under_way() -> None:
    with Lab() as lab:
        net = Behind(lab, keepalive=1)
        net.client.ping(net.server)
        for sender, receiver in ((net.client, net.server), (net.server, net.client)):
            transfer = Transfer(sender, receiver, 10_000_000)
            for _ in range(2):
                before = endpoint(net.server)
                net.forwarder.rebind()
                wait_for(lambda: endpoint(net.server) != before, what="the server follows")  # noqa: B023
            transfer.finish()


# --- a bad network -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ipv6", "network"),
    [
        (False, {"drop": 0.01, "duplicate": 0.1, "reorder": 0.05, "delay": 0.002}),
        (True, {"drop": 0.01, "duplicate": 0.1, "reorder": 0.05, "delay": 0.002}),
        (False, {"drop": 0.05, "duplicate": 0.05, "reorder": 0.1, "hold": 0.01}),
    ],
)
def test_content_is_kept_on_a_network_that_loses_repeats_and_reorders(ipv6: bool, network: dict[str, float]) -> None:
    with Lab() as lab:
        net = Behind(lab, ipv6=ipv6, seed=7)
        net.client.ping(net.server)
        net.forwarder.network(**network)
        Transfer(net.client, net.server, 2_000_000).finish()
        Transfer(net.server, net.client, 2_000_000, ipv6=True).finish()
        counts = net.forwarder.counts()
        assert min(counts[what] for what in ("dropped", "duplicated", "held")) > 10, counts


def test_nothing_is_delivered_twice() -> None:
    with Lab() as lab:
        net = Behind(lab)
        net.forwarder.network(duplicate=1.0)  # handshakes too
        out = net.client.host.run("ping", "-n", "-c", "30", "-i", "0.02", "-W", "8", net.server.address)
        assert "30 received, 0% packet loss" in out
        assert "DUP!" not in out
        assert "duplicates" not in out


def test_packets_that_overtake_each_other_all_arrive() -> None:
    with Lab() as lab:
        net = Behind(lab)
        net.client.ping(net.server)
        net.forwarder.network(reorder=0.5, hold=0.1)
        out = net.client.host.run("ping", "-n", "-c", "50", "-i", "0.01", "-W", "8", net.server.address)
        assert "50 received, 0% packet loss" in out
        assert net.forwarder.counts()["held"] > 20


def test_replayed_datagrams_do_not_move_the_endpoint() -> None:
    """Whoever repeats a peer's datagrams from another place must not draw the answers there."""
    with Lab() as lab:
        net = Behind(lab)
        net.forwarder.replay(True)
        out = net.client.host.run("ping", "-n", "-c", "10", "-i", "0.02", "-W", "8", net.server.address)
        assert "10 received, 0% packet loss" in out
        where = endpoint(net.server)
        for _ in range(10):
            net.client.ping(net.server)
            assert endpoint(net.server) == where
        assert net.forwarder.counts()["replayed"] > 20
        net.server.ping(net.client)


def test_a_handshake_comes_through_thirty_percent_of_loss() -> None:
    with Lab() as lab:
        net = Behind(lab, seed=5)
        net.forwarder.network(drop=0.3)
        pings = net.client.host.popen("ping", "-n", "-q", "-c", "60", "-W", "1", net.server.address)
        wait_for(lambda: not net.client.show("latest-handshakes").endswith("\t0"), 60, "the handshake is complete")
        net.forwarder.network()
        pings.terminate()
        net.client.ping(net.server)


def test_a_lost_initiation_is_sent_again() -> None:
    with Lab() as lab:
        net = Behind(lab)
        net.forwarder.network(drop=1.0)
        pings = net.client.host.popen("ping", "-n", "-c", "1", "-W", "20", net.server.address, stdout=subprocess.PIPE)
        wait_for(lambda: net.forwarder.counts().get("dropped", 0) == 1, what="the initiation is lost")
        net.forwarder.network()
        out, _ = pings.communicate(timeout=30)
        assert "1 received" in out, "the packet waited for the session"
