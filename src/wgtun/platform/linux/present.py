"""What a plan for Linux must know of the system: asks ip(8), and which programs there are."""

from __future__ import annotations

import sys

assert sys.platform == "linux"

import itertools
import re
import shutil
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from wgtun.platform.linux import firewall
from wgtun.platform.linux.network import Present
from wgtun.platform.network.programs import ask
from wgtun.platform.network.routes import destination, host_text
from wgtun.platform.network.wish import Wish

_FIRST_TABLE = 51820
_PREFIX = re.compile(r"([A-Za-z0-9-]+)\*", re.ASCII)


def look(wish: Wish, interface_order: str = "/etc/resolvconf/interface-order") -> Present:
    """Before the interface is set up; it may or may not exist."""
    link = next(_ip("link", "show", "dev", wish.name), {})
    without = Present()
    return Present(
        outer_mtu=_outer_mtu(wish) or without.outer_mtu,
        free_table=_free_table(),
        firewall=_firewall(),
        resolver="resolvectl" if not shutil.which("resolvconf") and shutil.which("resolvectl") else "resolvconf",
        resolvconf_prefix=_prefix(interface_order),
        link_mtu=link.get("mtu", without.link_mtu),
        link_up="UP" in link.get("flags", ()),
        src_valid_mark=_read("/proc/sys/net/ipv4/conf/all/src_valid_mark").strip() == "1",
    )


def _firewall() -> firewall.Kind:
    if shutil.which("nft"):
        return "nft"
    return "iptables" if shutil.which("iptables-restore") else ""


def _outer_mtu(wish: Wish) -> int:
    """The largest on a way to a peer, or else to anywhere; 0 when there is none. As wg-quick(8)."""
    peers = (_ip("route", "get", host_text(destination(endpoint))) for endpoint in wish.endpoints)
    return _largest(itertools.chain.from_iterable(peers)) or _largest(_ip("route", "show", "default"))


def _largest(routes: Iterable[dict[str, Any]]) -> int:
    return max(map(_mtu_of, routes), default=0)


def _mtu_of(route: dict[str, Any]) -> int:
    for metrics in route.get("metrics", ()):
        if "mtu" in metrics:
            return int(metrics["mtu"])
    link = next(_ip("link", "show", "dev", route["dev"]), {}) if "dev" in route else {}
    return int(link.get("mtu", 0))


def _free_table() -> int:
    return next(number for number in itertools.count(_FIRST_TABLE) if not _has_routes(str(number)))


def _has_routes(table: str) -> bool:
    return any(True for family in ("-4", "-6") for _ in _ip(family, "route", "show", "table", table))


def _prefix(interface_order: str) -> str:
    """What Debian's resolvconf wants before the names of tunnels, to know their rank."""
    lines = _read(interface_order).splitlines()
    return next((f"{match[1]}." for match in map(_PREFIX.fullmatch, lines) if match), "")


def _read(path: str) -> str:
    """A file's text; empty when there is none."""
    try:
        return Path(path).read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""


def _ip(*words: str) -> Iterator[dict[str, Any]]:
    """The objects of an answer; none when there is nothing of the kind."""
    import json

    said = ask("ip", "-j", *words)
    if said.strip():
        yield from (each for each in json.loads(said) if each)
