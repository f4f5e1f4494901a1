"""A host with two uplinks: the answers follow the route, and leave from the address that was asked."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import pytest

from tests.support.namespaces import OURS, Lab, Tunnel, needs_namespaces, wait_for

pytestmark = [pytest.mark.netns, needs_namespaces]


class Uplinks:
    """server (addresses on both uplinks) == net 2, net 3 == router == net 4 == client"""

    def __init__(self, lab: Lab, *, ipv6: bool) -> None:
        self.ipv6 = ipv6
        server, self.router, client = lab.host(), lab.host(), lab.host()
        links = {net: lab.join(server, self.router, net) for net in (2, 3)}
        self.devices, self.other_ends = ({net: ends[side] for net, ends in links.items()} for side in (0, 1))
        lab.join(client, self.router, 4)
        self.router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        for host in (server, self.router):
            host.run("sh", "-c", "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done")
        client.ip("route", "add", "default", "via", self.address(4, self.router.number))
        self.server, self.client = server.start(OURS), client.start(OURS)
        for tunnel in (self.server, self.client):
            tunnel.up()
        self.server.add_peer(self.client)
        self.client.add_peer(self.server)

    def address(self, net: int, number: int) -> str:
        return f"2001:db8:{net}::{number}" if self.ipv6 else f"192.0.{net}.{number}"

    def server_at(self, net: int) -> str:
        return self.address(net, self.server.host.number)

    def leave_by(self, net: int, *words: str) -> None:
        """The server's default route, or one that is described by more words, is this uplink."""
        gateway = self.address(net, self.router.number)
        self.server.host.ip("route", "replace", "default", "via", gateway, "dev", self.devices[net], *words)

    def switch_by_route(self) -> None:
        self.leave_by(3)

    def switch_by_rule(self) -> None:
        self.leave_by(3, "table", "100")
        wait_for_silence()
        clients = "2001:db8:4::/64" if self.ipv6 else "192.0.4.0/24"
        self.server.host.ip("-6" if self.ipv6 else "-4", "rule", "add", "to", clients, "table", "100")

    def switch_by_device(self) -> None:
        """The device goes down, and its addresses are gone."""
        self.leave_by(3, "metric", "2000")
        wait_for_silence()
        self.server.host.ip("link", "set", self.devices[2], "down")

    def switch_by_cable(self) -> None:
        """It is pulled out. Of the routes that the system then passes over it tells nobody."""
        family = "ipv6" if self.ipv6 else "ipv4"
        self.server.host.run("sysctl", "-qw", f"net.{family}.conf.{self.devices[2]}.ignore_routes_with_linkdown=1")
        self.leave_by(3, "metric", "2000")
        wait_for_silence()
        self.router.ip("link", "set", self.other_ends[2], "down")

    def ask_at(self, net: int) -> None:
        where = f"[{self.server_at(net)}]:51820" if self.ipv6 else f"{self.server_at(net)}:51820"
        self.client.wg("set", self.client.interface, "peer", self.server.public_key, "endpoint", where)

    def is_seen_at(self, net: int) -> bool:
        """Whether the client has the server at its address on this uplink."""
        return self.server_at(net) in self.client.show("endpoints")


def keep_pinging(sender: Tunnel, receiver: Tunnel) -> subprocess.Popen[str]:
    return sender.host.popen("ping", "-n", "-q", "-i", "0.002", receiver.address, stdout=subprocess.DEVNULL)


def wait_for_silence() -> None:
    """What changed until now has been dealt with."""
    time.sleep(0.5)


@pytest.mark.defect(30)
@pytest.mark.parametrize(
    "switch",
    [Uplinks.switch_by_route, Uplinks.switch_by_rule, Uplinks.switch_by_device, Uplinks.switch_by_cable],
)
@pytest.mark.parametrize("ipv6", [False, True])
def test_a_switched_default_route_takes_the_source_address_with_it(
    ipv6: bool, switch: Callable[[Uplinks], None]
) -> None:
    """The next datagram of the server goes out by the other uplink, so it must carry that uplink's address."""
    with Lab() as lab:
        net = Uplinks(lab, ipv6=ipv6)
        net.leave_by(2)
        net.ask_at(2)
        net.client.ping(net.server)
        assert net.is_seen_at(2)
        switch(net)

        def follows() -> bool:
            words = ("ping", "-n", "-c", "1", "-W", "1", net.client.address)
            net.server.host.run(*words, check=False)  # the first may still go the old way, into nothing
            return net.is_seen_at(3)

        wait_for(follows, 10, "the client sees the server at its second address")
        net.client.ping(net.server)


@pytest.mark.defect(30)
@pytest.mark.parametrize("ipv6", [False, True])
def test_what_is_under_way_does_not_bring_the_old_source_address_back(ipv6: bool) -> None:
    """Answers to the last datagrams by the old uplink come in after the change, at the address there."""
    with Lab() as lab:
        net = Uplinks(lab, ipv6=ipv6)
        net.leave_by(2)
        net.ask_at(2)
        net.client.ping(net.server)
        pings = [keep_pinging(net.server, net.client), keep_pinging(net.client, net.server)]
        for uplink in (3, 2, 3, 2, 3):
            net.leave_by(uplink)
            wait_for(lambda: net.is_seen_at(uplink), 10, f"the client sees the server on uplink {uplink}")  # noqa: B023
        for ping in pings:
            ping.terminate()
            ping.wait(10)
        net.server.ping(net.client)
        net.client.ping(net.server)
        assert net.is_seen_at(3)
