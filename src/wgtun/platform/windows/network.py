"""Addresses, routes and DNS on Windows, as rows for the functions of iphlpapi.

A default route into the tunnel is one, of the best metric. The tunnel's own sockets are bound to the interface below
(see `underlay.py`), so nothing is to be done for the peers' endpoints.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from wgtun.allowed_ip import AllowedIP
from wgtun.config.model import InterfaceAddress
from wgtun.platform.layout import Value
from wgtun.platform.network.routes import host_text, sort_out, table_number
from wgtun.platform.network.steps import Call, Change, Plan
from wgtun.platform.network.wish import Wish, packed
from wgtun.platform.windows import abi
from wgtun.platform.windows import network_abi as more
from wgtun.platform.windows.addresses import pack_address

SET_DNS = "SetInterfaceDnsSettings"  # the call: GUID of the interface, flags, servers, domains; the others take a row
_INFINITE = 0xFFFFFFFF


class Present(NamedTuple):
    """What must be known of the system."""

    luid: int = 0  # of the interface
    guid: bytes = bytes(abi.GUID.size)  # of the interface
    ipv4: bytes = bytes(abi.MIB_IPINTERFACE_ROW.size)  # the interface as GetIpInterfaceEntry tells it
    ipv6: bytes = bytes(abi.MIB_IPINTERFACE_ROW.size)
    outer_mtu: int = 1500


def plan(wish: Wish, present: Present) -> Plan:
    """Raises ConfigError for a routing table of its own."""
    return Plan(tuple(_changes(wish, present)))


def _changes(wish: Wish, present: Present) -> Iterator[Change]:
    table_number(wish, "Windows", 0)
    plain, defaults = sort_out(wish)
    routes = (*plain, *defaults)
    for size in (4, 16):
        family = [route.length for route in routes if len(route.address) == size]
        if family or any(len(packed(address.address)) == size for address in wish.addresses):
            yield _interface(wish, present, size, is_default=0 in family)
    for address in dict.fromkeys(wish.addresses):
        yield _address(present.luid, address)
    for route in routes:
        yield _route(present.luid, route)
    if wish.dns:
        yield from _dns(wish, present)


def _interface(wish: Wish, present: Present, size: int, *, is_default: bool) -> Change:
    layout = abi.MIB_IPINTERFACE_ROW
    name, family, row = (
        ("AF_INET", abi.AF_INET, present.ipv4) if size == 4 else ("AF_INET6", abi.AF_INET6, present.ipv6)
    )
    known: dict[str, Value] = {"Family": family, "InterfaceLuid": present.luid}
    if size == 4:
        known["SitePrefixLength"] = 0  # as it was read, the system refuses to take it back
    before = layout.change(row, known)
    mtu = wish.mtu_on(present.outer_mtu)
    # Nobody on a tunnel answers, neither who looks for duplicates nor who looks for routers.
    after: dict[str, Value] = {
        "NlMtu": mtu,
        "DadTransmits": 0,
        "RouterDiscoveryBehavior": more.RouterDiscoveryDisabled,
        "ManagedAddressConfigurationSupported": 0,
        "OtherStatefulConfigurationSupported": 0,
    }
    text = f"{name} mtu {mtu}"
    if is_default:
        after |= {"UseAutomaticMetric": 0, "Metric": 0}
        text += " metric 0"
    return Change(
        _call("SetIpInterfaceEntry", layout.change(before, after), text),
        _call("SetIpInterfaceEntry", before, f"{name} as before"),
    )


def _address(luid: int, address: InterfaceAddress) -> Change:
    row = more.MIB_UNICASTIPADDRESS_ROW.pack(
        {
            "Address": _sockaddr(packed(address.address)),
            "InterfaceLuid": luid,
            "PrefixOrigin": more.IpPrefixOriginManual,
            "SuffixOrigin": more.IpSuffixOriginManual,
            "ValidLifetime": _INFINITE,
            "PreferredLifetime": _INFINITE,
            "OnLinkPrefixLength": address.length,
            "DadState": more.IpDadStatePreferred,
        }
    )
    return Change(
        _call("CreateUnicastIpAddressEntry", row, str(address)),
        _call("DeleteUnicastIpAddressEntry", row, str(address)),
    )


def _route(luid: int, route: AllowedIP) -> Change:
    row = abi.MIB_IPFORWARD_ROW2.pack(
        {
            "InterfaceLuid": luid,
            "DestinationPrefix.Prefix": _sockaddr(route.address),
            "DestinationPrefix.PrefixLength": route.length,
            "NextHop": _sockaddr(bytes(len(route.address))),
            "ValidLifetime": _INFINITE,
            "PreferredLifetime": _INFINITE,
            "Protocol": more.MIB_IPPROTO_NETMGMT,
            "Loopback": 1,
            "AutoconfigureAddress": 1,
            "Immortal": 1,
        }
    )
    # One that an address has brought already is on the same interface: a row belongs to a LUID.
    return Change(
        _call("CreateIpForwardEntry2", row, str(route)), _call("DeleteIpForwardEntry2", row, str(route)), may_exist=True
    )


def _sockaddr(address: bytes) -> bytes:
    text = host_text(address)
    return pack_address((text, 0) if len(address) == 4 else (text, 0, 0, 0))


def _dns(wish: Wish, present: Present) -> Iterator[Change]:
    """Each family has its own servers; the domains go with both."""
    for is_ipv6, flags in ((False, 0), (True, more.DNS_SETTING_IPV6)):
        servers = ",".join(server for server in wish.dns if (":" in server) is is_ipv6)
        if servers:
            flags |= more.DNS_SETTING_NAMESERVER | more.DNS_SETTING_SEARCHLIST
            yield Change(
                _set_dns(present.guid, flags, servers, ",".join(wish.search)), _set_dns(present.guid, flags, "", "")
            )


def _set_dns(guid: bytes, flags: int, servers: str, search: str) -> Call:
    family = "AF_INET6" if flags & more.DNS_SETTING_IPV6 else "AF_INET"
    return Call(SET_DNS, (guid, flags, servers, search), f"{SET_DNS} {family} NameServer={servers} SearchList={search}")


def _call(function: str, row: bytes, text: str) -> Call:
    return Call(function, (row,), f"{function} {text}")
