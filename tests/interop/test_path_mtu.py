"""Paths narrower than the tunnel: whoever sends too much is told, and nothing disappears."""

from __future__ import annotations

import re
import time
from functools import partial

import pytest

from tests.support.namespaces import OURS, Lab, Tunnel, needs_namespaces, wait_for
from tests.support.transfer import Transfer

pytestmark = [pytest.mark.netns, needs_namespaces]

SIZE = 20_000_000
# IP, UDP, the header of transport data and its tag; a packet within is padded to a multiple of 16.
OVERHEAD = {False: 60, True: 80}


def behind_a_router(lab: Lab, outer_mtu: int, *, ipv6: bool) -> tuple[Tunnel, Tunnel]:
    """Two tunnels with a router between that has a second link of this MTU; the hosts only know of 9000."""
    left, router, right = lab.host(), lab.host(), lab.host()
    for host, net, mtu in ((left, 2, 9000), (right, 3, outer_mtu)):
        devices = lab.join(host, router, net)
        for end, device in zip((host, router), devices, strict=True):
            end.ip("link", "set", device, "mtu", str(mtu))
        for family, gateway in (("-4", f"192.0.{net}.{router.number}"), ("-6", f"2001:db8:{net}::{router.number}")):
            host.ip(family, "route", "add", "default", "via", gateway)
    router.run("sysctl", "-qw", "net.ipv4.ip_forward=1", "net.ipv6.conf.all.forwarding=1")
    one, two = left.start(OURS), right.start(OURS)
    one.up()
    two.up()
    one.add_peer(two, f"[2001:db8:3::{right.number}]:51820" if ipv6 else f"192.0.3.{right.number}:51820")
    two.add_peer(one)
    one.ping(two)
    return one, two


def known_path_mtu(sender: Tunnel, receiver: Tunnel, *, ipv6: bool) -> int:
    """What the sender's system has learned about the way to the other's tunnel address; 0 for nothing."""
    said = sender.host.ip("route", "get", receiver.address6 if ipv6 else receiver.address)
    found = re.search(r"expires \d+sec mtu (\d+)", said)
    return int(found[1]) if found else 0


def keeps_sending(sender: Tunnel, receiver: Tunnel, *, ipv6: bool) -> int:
    Transfer(sender, receiver, SIZE // 10, ipv6=ipv6).finish()
    return known_path_mtu(sender, receiver, ipv6=ipv6)


@pytest.mark.parametrize("ipv6", [False, True], ids=["v4", "v6"])
@pytest.mark.parametrize("outer_mtu", [1280, 1300, 1420, 9000])
def test_tcp_crosses_every_combination(outer_mtu: int, ipv6: bool) -> None:
    with Lab() as lab:
        one, two = behind_a_router(lab, outer_mtu, ipv6=ipv6)
        room = outer_mtu - OVERHEAD[ipv6]
        for tunnel_mtu in (1280, 1420, 8920):
            for tunnel in (one, two):
                tunnel.host.ip("link", "set", tunnel.interface, "mtu", str(tunnel_mtu))
            one.host.ip("route", "flush", "cache")
            begin = time.monotonic()
            Transfer(one, two, SIZE, seed=tunnel_mtu).finish()
            Transfer(two, one, SIZE, seed=tunnel_mtu).finish()
            assert time.monotonic() - begin < 20
            Transfer(one, two, SIZE, ipv6=True).finish()
            told = room // 16 * 16
            for inner6 in (False, True):
                # Below 1280 no sender of IPv6 goes; then its packets leave in fragments.
                if tunnel_mtu > room and (told >= 1280 or not inner6):
                    # It takes a train to learn, and on a busy machine packets may come one by one for a while.
                    learned = partial(keeps_sending, one, two, ipv6=inner6)
                    wait_for(lambda: learned() == told, 30, f"{one.interface} tells of {told}")  # noqa: B023
                else:
                    assert known_path_mtu(one, two, ipv6=inner6) == 0


def carries(sender: Tunnel, address: str, size: int) -> bool:
    """Whether a ping comes back that may go in fragments."""
    words = ("ping", "-n", "-M", "dont", "-s", str(size), "-c", "1", "-W", "1", address)
    return " 1 received" in sender.host.run(*words, check=False)


def test_pings_of_every_size_cross_a_narrow_path() -> None:
    """In fragments: what need not be told is carried, once the host knows the path.

    It forgets that when one of its links settles; a lost datagram teaches it again.
    """
    with Lab() as lab:
        one, two = behind_a_router(lab, 1280, ipv6=False)
        for size in (1188, 1189, 1300, 1392):
            for address in (two.address, two.address6):
                wait_for(partial(carries, one, address, size), 10, f"a ping of {size} bytes reaches {address}")
