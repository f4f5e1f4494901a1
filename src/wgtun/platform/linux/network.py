"""Addresses, routes, rules and DNS on Linux, as wg-quick(8) makes them.

A default route into the tunnel stands in a table of its own. Rules send there whatever does not bear the firewall
mark of the tunnel's own datagrams, unless the main table has a more specific route.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Literal, NamedTuple

from wgtun.allowed_ip import AllowedIP
from wgtun.platform.linux import firewall
from wgtun.platform.network.resolvconf import resolvconf
from wgtun.platform.network.routes import is_connected, sort_out
from wgtun.platform.network.steps import Call, Change, Command, Plan, command
from wgtun.platform.network.wish import Wish, packed

SET_FWMARK = "set fwmark"  # the call for it: the interface's name, the mark; the configuration protocol does it


class Present(NamedTuple):
    """What must be known of the system; `present.py` looks."""

    outer_mtu: int = 1500
    free_table: int = 51820  # without routes; also a mark
    firewall: firewall.Kind = "nft"
    resolver: Literal["resolvconf", "resolvectl"] = "resolvconf"
    resolvconf_prefix: str = ""
    link_mtu: int = 1420  # of the interface, and whether it is up
    link_up: bool = False
    src_valid_mark: bool = False  # net.ipv4.conf.all.src_valid_mark; in a container only the host may set it


def plan(wish: Wish, present: Present) -> Plan:
    without_firewall = bool(sort_out(wish).defaults) and not present.firewall
    notes = ("neither nft nor iptables: nothing keeps others on the network from reaching the tunnel's addresses",)
    return Plan(tuple(_changes(wish, present)), notes if without_firewall else ())


def _changes(wish: Wish, present: Present) -> Iterator[Change]:
    # The link before the addresses: set down, it would lose those of IPv6 before their turn comes.
    yield _link(wish, present)
    for address in dict.fromkeys(wish.addresses):
        yield _change(*_ip(len(packed(address.address))), "address", "add", str(address), "dev", wish.name)
    yield from _dns(wish, present)
    routes = sort_out(wish)
    table = () if wish.table == "auto" else ("table", wish.table)
    for route in routes.plain:
        if wish.table not in ("auto", "main") or not is_connected(wish, route):
            yield _route(route, wish.name, *table)
    if routes.defaults:
        yield from _default_routes(wish, present, routes.defaults)


def _link(wish: Wish, present: Present) -> Change:
    before = () if present.link_up else ("down",)
    return Change(
        command("ip", "link", "set", "mtu", str(wish.mtu_on(present.outer_mtu)), "up", "dev", wish.name),
        command("ip", "link", "set", "mtu", str(present.link_mtu), *before, "dev", wish.name),
    )


def _default_routes(wish: Wish, present: Present, defaults: tuple[AllowedIP, ...]) -> Iterator[Change]:
    mark = str(wish.fwmark or present.free_table)
    if not wish.fwmark:
        yield Change(_set_fwmark(wish.name, mark), _set_fwmark(wish.name, "0"))
    for default in defaults:
        ip = _ip(len(default.address))
        yield _route(default, wish.name, "table", mark)
        yield _change(*ip, "rule", "add", "not", "fwmark", mark, "table", mark)
        yield _change(*ip, "rule", "add", "table", "main", "suppress_prefixlength", "0")
        if len(default.address) == 4 and not present.src_valid_mark:
            # So that the check of source addresses knows of the mark. It stays: another tunnel may rely on it.
            yield Change(command("sysctl", "-q", "net.ipv4.conf.all.src_valid_mark=1"))
        if present.firewall:
            yield firewall.rules(present.firewall, wish, int(mark), len(default.address))


def _set_fwmark(name: str, mark: str) -> Call:
    return Call(SET_FWMARK, (name, int(mark)), f"wg set {name} fwmark {mark}")


def _route(route: AllowedIP, name: str, *table: str) -> Change:
    return _change(*_ip(len(route.address)), "route", "add", str(route), "dev", name, *table)


def _ip(size: int) -> tuple[str, str]:
    return "ip", "-4" if size == 4 else "-6"


def _change(*words: str) -> Change:
    """Something that ip(8) adds, and deletes with the same words."""
    undo = tuple("delete" if word == "add" else word for word in words)
    return Change(Command(words), Command(undo))


def _dns(wish: Wish, present: Present) -> Iterator[Change]:
    """Servers for all names. Without a server nothing is changed, as wg-quick(8) has it."""
    if not wish.dns:
        return
    if present.resolver == "resolvectl":
        yield Change(command("resolvectl", "dns", wish.name, *wish.dns), command("resolvectl", "revert", wish.name))
        yield Change(command("resolvectl", "domain", wish.name, "~.", *wish.search))
    else:
        yield resolvconf(wish, present.resolvconf_prefix, "-m", "0", "-x")
