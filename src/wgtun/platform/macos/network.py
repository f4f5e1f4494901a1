"""Addresses, routes and DNS on macOS, with ifconfig(8), route(8) and networksetup(8).

There are no marks to route by: a default route into the tunnel is two halves, and each peer's endpoint has a route by
the gateway of before. When that changes, these routes are to be made anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from wgtun.platform.bsd import network_commands
from wgtun.platform.network.routes import Gateways, sort_out, table_number
from wgtun.platform.network.steps import Change, Plan, command
from wgtun.platform.network.wish import Wish

_NOTHING = ("Empty",)  # what networksetup takes for an empty list


class Service(NamedTuple):
    """A network service (Wi-Fi, ...) and the servers and domains that somebody has set for it."""

    name: str
    dns: tuple[str, ...] = ()
    search: tuple[str, ...] = ()


class Present(NamedTuple):
    """What must be known of the system."""

    outer_mtu: int = 1500
    gateways: Gateways = Gateways()
    services: tuple[Service, ...] = ()  # those that are enabled


def plan(wish: Wish, present: Present) -> Plan:
    """Raises ConfigError for a routing table of its own."""
    table_number(wish, "macOS", 0)
    return Plan(tuple(_changes(wish, present)))


def _changes(wish: Wish, present: Present) -> Iterator[Change]:
    yield from network_commands.addresses(wish, peer=True)
    yield from network_commands.link(wish, present.outer_mtu)
    yield from network_commands.endpoints(wish, present.gateways, sort_out(wish).defaults)
    yield from network_commands.routes(wish, "-interface")
    if wish.dns:
        for service in present.services:
            yield _set(service.name, "-setdnsservers", wish.dns, service.dns)
            yield _set(service.name, "-setsearchdomains", wish.search, service.search)


def _set(service: str, option: str, new: tuple[str, ...], old: tuple[str, ...]) -> Change:
    return Change(
        command("networksetup", option, service, *(new or _NOTHING)),
        command("networksetup", option, service, *(old or _NOTHING)),
    )
