"""Addresses, routes and DNS on OpenBSD, with ifconfig(8) and route(8), which tells resolvd(8) of DNS servers.

A default route into the tunnel is two halves, and each peer's endpoint has a route by the gateway of before. Not with
a fwmark: here it is the routing table of the tunnel's own datagrams (SO_RTABLE), and they never see these routes.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from wgtun.platform.bsd import network_commands
from wgtun.platform.network.routes import Gateways, sort_out, table_number
from wgtun.platform.network.steps import Change, Plan, command
from wgtun.platform.network.wish import Wish
from wgtun.platform.openbsd.network_abi import RT_TABLEID_MAX


class Present(NamedTuple):
    """What must be known of the system."""

    outer_mtu: int = 1500
    gateways: Gateways = Gateways()


def plan(wish: Wish, present: Present) -> Plan:
    """Raises ConfigError for a routing table that can't be."""
    return Plan(tuple(_changes(wish, present)), tuple(_notes(wish)))


def _changes(wish: Wish, present: Present) -> Iterator[Change]:
    table = table_number(wish, "OpenBSD", RT_TABLEID_MAX)
    yield from network_commands.addresses(wish, peer=False)
    yield from network_commands.link(wish, present.outer_mtu)
    if not wish.fwmark:
        yield from network_commands.endpoints(wish, present.gateways, sort_out(wish).defaults)
    yield from network_commands.routes(wish, "-iface", *(("-T", str(table)) if table else ()))
    if wish.dns:
        propose = ("route", "nameserver", wish.name)
        yield Change(command(*propose, *wish.dns), command(*propose))


def _notes(wish: Wish) -> Iterator[str]:
    if wish.fwmark and sort_out(wish).defaults:
        yield f"peers are reached by the routing table {wish.fwmark}, which needs a default route of its own"
    if wish.search:
        yield "resolvd takes no search domains; put them into /etc/resolv.conf"
