"""A host with two uplinks: the answers follow the route, and leave from the address that was asked."""

from __future__ import annotations

import pytest

from tests.support.namespaces import OURS, Lab, needs_namespaces, wait_for

pytestmark = [pytest.mark.netns, needs_namespaces]


@pytest.mark.defect(30)
@pytest.mark.parametrize("ipv6", [False, True])
def test_a_switched_default_route_takes_the_source_address_with_it(ipv6: bool) -> None:
    """
    server (addresses on both uplinks) == net 2, net 3 == router == net 4 == client
    """
    with Lab() as lab:
        server, router, client = lab.host(), lab.host(), lab.host()
        first, _ = lab.join(server, router, 2)
        second, _ = lab.join(server, router, 3)
        lab.join(client, router, 4)
        router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
        for host in (server, router):
            host.run("sh", "-c", "for f in /proc/sys/net/ipv4/conf/*/rp_filter; do echo 0 > $f; done")
        number = router.number

        def via(net: int) -> str:
            return f"2001:db8:{net}::{number}" if ipv6 else f"192.0.{net}.{number}"

        def at(net: int, host_number: int) -> str:
            return f"2001:db8:{net}::{host_number}" if ipv6 else f"192.0.{net}.{host_number}"

        client.ip("route", "add", "default", "via", via(4))
        server.ip("route", "add", "default", "via", via(2), "dev", first)
        # Both server addresses are reached, each over its own uplink.
        one, two = server.start(OURS), client.start(OURS)
        one.up()
        two.up()
        one.add_peer(two)
        asked = at(2, server.number)
        two.add_peer(one, f"[{asked}]:51820" if ipv6 else f"{asked}:51820")
        two.ping(one)
        assert asked in two.show("endpoints")

        server.ip("route", "replace", "default", "via", via(3), "dev", second)
        # The next datagram of the server goes out by the second uplink, so it must carry that uplink's address.
        moved = at(3, server.number)

        def follows() -> bool:
            one.ping(two)
            return moved in two.show("endpoints")

        wait_for(follows, 10, "the client sees the server at its second address")
        two.ping(one)
