"""Which routes a wish comes to. What all systems have in common."""

from __future__ import annotations

import socket
from collections.abc import Iterable
from typing import NamedTuple

from wgtun.allowed_ip import AllowedIP
from wgtun.endpoint import Endpoint
from wgtun.errors import ConfigError
from wgtun.platform.network.wish import Wish, packed

_NEAR = tuple(map(AllowedIP.parse, ("127.0.0.0/8", "::1/128", "169.254.0.0/16", "fe80::/10")))
_MAPPED = AllowedIP.parse("::ffff:0:0/96")  # IPv4, written as IPv6
_MAIN = ("auto", "main", "off")


class Gateways(NamedTuple):
    """The next hops of the default routes as they are now, without the tunnel's; empty where there is none."""

    ipv4: str = ""
    ipv6: str = ""

    def toward(self, host: bytes) -> str:
        return self.ipv4 if len(host) == 4 else self.ipv6


class Routes(NamedTuple):
    """In the order to add them, each once: more specific ones first, so that nothing is lost meanwhile."""

    plain: tuple[AllowedIP, ...]
    defaults: tuple[AllowedIP, ...]  # that must not catch the tunnel's own datagrams


def sort_out(wish: Wish) -> Routes:
    if wish.table == "off":
        return Routes((), ())
    routes = sorted(dict.fromkeys(wish.routes), key=lambda route: -route.length)
    defaults = tuple(route for route in routes if route.length == 0 and wish.table == "auto")
    return Routes(tuple(route for route in routes if route not in defaults), defaults)


def halves(default: AllowedIP) -> tuple[AllowedIP, AllowedIP]:
    """Two routes that together win over another default route, and leave it in place."""
    low = AllowedIP(default.address, 1)
    return low, AllowedIP(b"\x80" + default.address[1:], 1)


def is_connected(wish: Wish, route: AllowedIP) -> bool:
    """Whether an address of the interface brings a route that covers this one."""
    for address in wish.addresses:
        own = packed(address.address)
        if address.length > route.length or (len(own), address.length) == (4, 32):
            continue  # of an IPv4 address alone the system makes no route
        if _covers(AllowedIP.masked(own, address.length), route.address):
            return True
    return False


def outer_hosts(wish: Wish, defaults: Iterable[AllowedIP]) -> tuple[bytes, ...]:
    """The endpoints that these default routes would catch, each once; not those on a link or on this host."""
    sizes = {len(default.address) for default in defaults}
    hosts = dict.fromkeys(destination(endpoint) for endpoint in wish.endpoints)
    return tuple(host for host in hosts if len(host) in sizes and not _is_near(host))


def destination(endpoint: Endpoint) -> bytes:
    """Where its datagrams go: an IPv4-mapped address is reached through IPv4."""
    host = packed(endpoint.host)
    return host[-4:] if _covers(_MAPPED, host) else host


def _is_near(host: bytes) -> bool:
    return any(_covers(near, host) for near in _NEAR)


def _covers(prefix: AllowedIP, host: bytes) -> bool:
    return len(prefix.address) == len(host) and AllowedIP.masked(host, prefix.length) == prefix


def host_text(host: bytes) -> str:
    return socket.inet_ntop(socket.AF_INET if len(host) == 4 else socket.AF_INET6, host)


def table_number(wish: Wish, system: str, most: int) -> int:
    """The table that the routes go into, on a system that numbers them up to `most`. Raises ConfigError."""
    if wish.table in _MAIN:
        return 0
    if wish.table.isdecimal() and len(wish.table) < 6 and int(wish.table) <= most:
        return int(wish.table)
    numbers = f", or a number up to {most}" if most else ""
    raise ConfigError(f"on {system} it is `auto`, `main` or `off`{numbers}", key="Table")
