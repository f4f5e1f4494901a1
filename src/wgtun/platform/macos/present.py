"""What a plan for macOS must know of the system: asks route(8) and networksetup(8)."""

from __future__ import annotations

from wgtun.platform.bsd.gateways import gateways
from wgtun.platform.macos.network import Present, Service
from wgtun.platform.network.programs import Ask
from wgtun.platform.network.wish import is_address

_NOTHING_SET = "There aren't any "


def look(ask: Ask) -> Present:
    """Raises OSError."""
    found, mtu = gateways(ask)
    return Present(mtu or Present().outer_mtu, found, tuple(_service(ask, name) for name in _services(ask)))


def _services(ask: Ask) -> list[str]:
    """The first line is an explanation: that an asterisk is before those that are disabled."""
    names = ask("networksetup", "-listallnetworkservices").splitlines()[1:]
    return [name for name in names if name and not name.startswith("*")]


def _service(ask: Ask, name: str) -> Service:
    servers = tuple(filter(is_address, ask("networksetup", "-getdnsservers", name).split()))
    domains = ask("networksetup", "-getsearchdomains", name)
    return Service(name, servers, () if domains.startswith(_NOTHING_SET) else tuple(domains.split()))
