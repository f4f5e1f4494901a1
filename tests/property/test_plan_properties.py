"""Plans of all systems, for any wish."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.property.test_config_properties import addresses, names, prefixes, v4_hosts, v6_hosts
from wgtun.allowed_ip import AllowedIP
from wgtun.endpoint import Endpoint
from wgtun.errors import ConfigError
from wgtun.platform.freebsd import network as freebsd
from wgtun.platform.linux import network as linux
from wgtun.platform.macos import network as macos
from wgtun.platform.network.routes import Gateways
from wgtun.platform.network.steps import Command, Plan
from wgtun.platform.network.wish import Wish, is_address
from wgtun.platform.openbsd import network as openbsd
from wgtun.platform.windows import network as windows

# The words of a plan that begin with a minus, or are no plain words: all of them from us.
OPTIONS = {
    *("-4", "-6", "-a", "-d", "-f", "-m", "-x", "-q", "-n", "-T", "-", "-inet", "-inet6", "-iface", "-interface"),
    *("-alias", "-blackhole", "-setdnsservers", "-setsearchdomains", "~."),
}
PLAIN = re.compile(r"[A-Za-z0-9_=+.:/%~][A-Za-z0-9_=+.:/%-]*")

defaults = st.sampled_from([AllowedIP.parse("0.0.0.0/0"), AllowedIP.parse("::/0")])
tables = st.sampled_from(["auto", "auto", "main", "off"])
domains = names.filter(lambda name: not is_address(name))
endpoints = st.builds(Endpoint, v4_hosts, st.integers(0, 65535), st.just("")) | st.builds(
    Endpoint, v6_hosts, st.integers(0, 65535), st.sampled_from(["", "eth0", "-x", "7", "$(reboot)"])
)


def tuples(element: st.SearchStrategy[Any]) -> st.SearchStrategy[tuple[Any, ...]]:
    return st.lists(element, max_size=4).map(tuple)


wishes = st.builds(
    Wish,
    name=st.from_regex(r"[a-zA-Z0-9_=+][a-zA-Z0-9_=+.-]{0,14}", fullmatch=True),
    addresses=tuples(addresses),
    mtu=st.none() | st.integers(68, 65535),
    routes=tuples(prefixes | defaults),
    dns=tuples(v4_hosts | v6_hosts),
    search=tuples(domains),
    table=tables,
    fwmark=st.just(0) | st.integers(0, 2**32 - 1),
    endpoints=tuples(endpoints),
)
mtus = st.integers(68, 65535)
gateways = st.builds(Gateways, st.just("") | v4_hosts, st.sampled_from(["", "fe80::1%em0", "2001:db8::1"]))
services = st.builds(macos.Service, st.sampled_from(["Wi-Fi", "LAN"]), tuples(v4_hosts), tuples(domains))

SYSTEMS: dict[str, tuple[Callable[[Wish, Any], Plan], st.SearchStrategy[Any]]] = {
    "linux": (
        linux.plan,
        st.builds(
            linux.Present,
            mtus,
            st.integers(51820, 51830),
            st.sampled_from(["nft", "iptables", ""]),
            st.sampled_from(["resolvconf", "resolvectl"]),
            st.sampled_from(["", "tun."]),
            mtus,
            st.booleans(),
            st.booleans(),
        ),
    ),
    "macos": (macos.plan, st.builds(macos.Present, mtus, gateways, tuples(services))),
    "freebsd": (
        freebsd.plan,
        st.builds(freebsd.Present, st.integers(0, 65535), st.integers(0, 2**32 - 1), mtus, gateways, st.integers(0, 9)),
    ),
    "openbsd": (openbsd.plan, st.builds(openbsd.Present, mtus, gateways)),
    "windows": (
        windows.plan,
        st.builds(
            windows.Present,
            st.integers(0, 2**64 - 1),
            st.binary(min_size=16, max_size=16),
            st.binary(min_size=168, max_size=168),
            st.binary(min_size=168, max_size=168),
            mtus,
        ),
    ),
}


@pytest.mark.parametrize("system", SYSTEMS)
@given(data=st.data(), wish=wishes)
def test_there_is_a_plan_for_every_wish(system: str, data: st.DataObject, wish: Wish) -> None:
    """The same each time, and down in the reverse order of up."""
    make, presents = SYSTEMS[system]
    present = data.draw(presents)
    plan = make(wish, present)
    assert plan == make(wish, present)
    assert [change.undo for change in plan.changes if change.undo is not None] == list(reversed(plan.down))
    assert all(str(step) for step in plan.up + plan.down)


@pytest.mark.parametrize("system", SYSTEMS)
@given(data=st.data(), wish=wishes)
def test_nothing_in_a_plan_is_for_a_shell_or_an_option(system: str, data: st.DataObject, wish: Wish) -> None:
    make, presents = SYSTEMS[system]
    plan = make(wish, data.draw(presents))
    for step in plan.up + plan.down:
        if isinstance(step, Command):
            assert not [word for word in step.words if word not in OPTIONS and not PLAIN.fullmatch(word)]
            assert len(step.stdin.splitlines()) == step.stdin.count("\n")


@given(
    fields=st.fixed_dictionaries(
        {},
        optional={
            "name": st.text(max_size=20),
            "table": st.text(max_size=20),
            "search": st.tuples(st.text(max_size=20)),
            "dns": st.tuples(st.text(max_size=20)),
        },
    )
)
def test_any_text_is_refused_or_harmless(fields: dict[str, Any]) -> None:
    try:
        wish = Wish(**{"name": "wg0", "dns": ("10.0.0.1",), "routes": (AllowedIP.parse("0.0.0.0/0"),), **fields})
    except ConfigError:
        return
    plan = linux.plan(wish, linux.Present())
    for step in plan.up + plan.down:
        if isinstance(step, Command):
            assert not [word for word in step.words if word not in OPTIONS and not PLAIN.fullmatch(word)]


@given(wish=wishes, present=SYSTEMS["macos"][1])
def test_no_endpoint_is_caught_by_its_own_tunnel(wish: Wish, present: macos.Present) -> None:
    """On systems without marks each has a route around, before the tunnel has its own."""
    words = [step.words for step in macos.plan(wish, present).up if isinstance(step, Command)]
    halves = [index for index, each in enumerate(words) if each[-3:-2] and each[-3] in ("0.0.0.0/1", "::/1")]
    around = [index for index, each in enumerate(words) if each[0] == "route" and "-interface" not in each]
    if around and halves:
        assert max(around) < min(halves)
    caught = {len(route.address) for route in wish.routes if route.length == 0 and wish.table == "auto"}
    for endpoint in wish.endpoints:
        family = socket.AF_INET6 if endpoint.is_ipv6 else socket.AF_INET
        host = socket.inet_pton(family, endpoint.host)
        if len(host) in caught and not host.startswith((b"\x7f", b"\xa9\xfe", b"\xfe", b"\0" * 10)):
            assert any(endpoint.host in words[index] for index in around)
