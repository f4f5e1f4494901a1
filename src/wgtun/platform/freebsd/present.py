"""What a plan for FreeBSD must know of the system: asks it for the interface, and route(8) for the gateways."""

from __future__ import annotations

from wgtun.platform.bsd import links
from wgtun.platform.bsd.calls import Calls
from wgtun.platform.bsd.gateways import gateways
from wgtun.platform.freebsd import abi
from wgtun.platform.freebsd import network_abi as more
from wgtun.platform.freebsd.network import Present
from wgtun.platform.network.programs import Ask


def look(calls: Calls, ask: Ask, name: str) -> Present:
    """For an interface that exists. Raises OSError."""
    found, mtu = gateways(ask)
    zone = found.ipv6.partition("%")[2]
    with links.control_socket(calls, abi) as control:
        answer = calls.ioctl(control, abi.SIOCGIFFLAGS, more.IFREQ.pack({"ifr_name": name.encode()}))
    return Present(
        calls.interface_index(name),
        more.IFREQ.read(answer, "ifr_flags") | more.IFREQ.read(answer, "ifr_flagshigh") << 16,
        mtu or Present().outer_mtu,
        found,
        calls.interface_index(zone) if zone else 0,
    )
