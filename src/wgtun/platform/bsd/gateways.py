"""The default routes of macOS, FreeBSD and OpenBSD, as route(8) tells them."""

from __future__ import annotations

from typing import NamedTuple

from wgtun.platform.network.programs import Ask
from wgtun.platform.network.routes import Gateways
from wgtun.platform.network.wish import is_address


class DefaultRoute(NamedTuple):
    """What there is of one; the MTU is 0 when the route has none of its own."""

    gateway: str = ""
    interface: str = ""
    mtu: int = 0


def default_route(ask: Ask, family: str) -> DefaultRoute:
    """`family` is -inet or -inet6. A gateway that is no address, but a link, counts as none."""
    return parse(ask("route", "-n", "get", family, "default"))


def gateways(ask: Ask) -> tuple[Gateways, int]:
    """Both, and the smallest MTU on the way; 0 when they don't say."""
    routes = [default_route(ask, family) for family in ("-inet", "-inet6")]
    return Gateways(*(route.gateway for route in routes)), min((each.mtu for each in routes if each.mtu), default=0)


def parse(text: str) -> DefaultRoute:
    """Lines of names and values; then the metrics, their names above them."""
    values: dict[str, str] = {}
    names: list[str] = []
    for line in text.splitlines():
        name, colon, value = line.strip().partition(": ")
        if colon:
            values[name] = value
        elif names:
            values |= dict(zip(names, line.split(), strict=False))
        elif "mtu" in line.split():
            names = line.split()
    gateway, mtu = values.get("gateway", ""), values.get("mtu", "")
    return DefaultRoute(
        gateway if is_address(gateway) else "", values.get("interface", ""), int(mtu) if mtu.isdecimal() else 0
    )
