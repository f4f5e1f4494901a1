"""What a plan for OpenBSD must know of the system: asks route(8)."""

from __future__ import annotations

from wgtun.platform.bsd.gateways import gateways
from wgtun.platform.network.programs import Ask
from wgtun.platform.openbsd.network import Present


def look(ask: Ask) -> Present:
    """Raises OSError."""
    found, mtu = gateways(ask)
    return Present(mtu or Present().outer_mtu, found)
