"""Wishes for tests of plans, and systems that plans are made for."""

from __future__ import annotations

from wgtun.allowed_ip import AllowedIP
from wgtun.config.model import InterfaceAddress
from wgtun.endpoint import Endpoint
from wgtun.platform.network.steps import Plan
from wgtun.platform.network.wish import Wish

SPLIT = Wish(
    "wg0",
    (InterfaceAddress("10.0.0.2", 24), InterfaceAddress("fd00::2", 64)),
    routes=(AllowedIP.parse("10.0.0.0/24"), AllowedIP.parse("192.168.7.0/24"), AllowedIP.parse("fd00:7::/48")),
    endpoints=(Endpoint("192.0.2.1", 51820),),
)
FULL = Wish(
    "wg0",
    (InterfaceAddress("10.0.0.2", 32), InterfaceAddress("fd00::2", 128)),
    routes=(AllowedIP.parse("0.0.0.0/0"), AllowedIP.parse("::/0"), AllowedIP.parse("192.168.7.0/24")),
    dns=("10.0.0.1", "fd00::1"),
    search=("example.com", "example.org"),
    endpoints=(Endpoint("192.0.2.1", 51820), Endpoint("2001:db8::1", 51820)),
)


def text(plan: Plan) -> tuple[str, str]:
    """Both ways, a line per step."""
    return "\n".join(map(str, plan.up)), "\n".join(map(str, plan.down))
