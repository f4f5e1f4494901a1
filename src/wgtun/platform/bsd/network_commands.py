"""ifconfig(8) and route(8), as far as macOS and OpenBSD agree."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from wgtun.allowed_ip import AllowedIP
from wgtun.platform.network.routes import Gateways, halves, host_text, is_connected, outer_hosts, sort_out
from wgtun.platform.network.steps import Change, command
from wgtun.platform.network.wish import Wish, packed


def link(wish: Wish, outer_mtu: int) -> Iterator[Change]:
    yield Change(command("ifconfig", wish.name, "mtu", str(wish.mtu_on(outer_mtu))))
    yield Change(command("ifconfig", wish.name, "up"), command("ifconfig", wish.name, "down"))


def addresses(wish: Wish, *, peer: bool) -> Iterator[Change]:
    """With `peer`, an IPv4 address is also the other end of the link, which the system insists on."""
    for address in dict.fromkeys(wish.addresses):
        size = len(packed(address.address))
        end = (address.address,) if peer and size == 4 else ()
        yield Change(
            command("ifconfig", wish.name, _inet(size), str(address), *end, "alias"),
            command("ifconfig", wish.name, _inet(size), address.address, "-alias"),
        )


def routes(wish: Wish, interface: str, *table: str) -> Iterator[Change]:
    """All routes into the tunnel; `interface` is the option for one without a gateway."""
    plain, defaults = sort_out(wish)
    for route in (*plain, *(half for default in defaults for half in halves(default))):
        words = ("-" + _inet(len(route.address)), str(route), interface, wish.name)
        yield _route(*table, words=words, may_exist=is_connected(wish, route))


def endpoints(wish: Wish, gateways: Gateways, defaults: Iterable[AllowedIP]) -> Iterator[Change]:
    """Routes around the tunnel for the peers themselves. Without a gateway they go nowhere, rather than in circles."""
    for host in outer_hosts(wish, defaults):
        gateway = gateways.toward(host)
        hop = (gateway,) if gateway else ("127.0.0.1" if len(host) == 4 else "::1", "-blackhole")
        yield _route(words=("-" + _inet(len(host)), host_text(host), *hop), may_exist=False)


def _route(*table: str, words: tuple[str, ...], may_exist: bool) -> Change:
    start = ("route", *table, "-q", "-n")
    return Change(command(*start, "add", *words), command(*start, "delete", *words), may_exist)


def _inet(size: int) -> str:
    return "inet" if size == 4 else "inet6"
