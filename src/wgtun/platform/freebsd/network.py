"""Addresses and routes on FreeBSD, as ioctls and messages to the routing socket; DNS with resolvconf(8).

There are no marks to route by: a default route into the tunnel is two halves, and each peer's endpoint has a route by
the gateway of before. When that changes, these routes are to be made anew.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from wgtun.allowed_ip import AllowedIP
from wgtun.config.model import InterfaceAddress
from wgtun.platform.bsd.routing import socket_address
from wgtun.platform.freebsd import abi
from wgtun.platform.freebsd import network_abi as more
from wgtun.platform.network.resolvconf import resolvconf
from wgtun.platform.network.routes import (
    Gateways,
    halves,
    host_text,
    is_connected,
    outer_hosts,
    sort_out,
    table_number,
)
from wgtun.platform.network.steps import Call, Change, Plan
from wgtun.platform.network.wish import Wish, packed

IOCTL = "ioctl"  # the call: family of the socket, request, argument
ROUTE = "route"  # the call: message to the routing socket, its routing table
_MOST_TABLES = 65535  # net.fibs
_ADDRESS_ALIGNMENT = 8  # in a message
_SEQUENCE = 1  # any: nobody waits for an answer


class Present(NamedTuple):
    """What must be known of the system."""

    interface: int = 0  # its index
    flags: int = 0  # of the interface: IFF_...
    outer_mtu: int = 1500
    gateways: Gateways = Gateways()
    gateway_scope: int = 0  # index of the interface that an IPv6 gateway with a link-local address is on


def plan(wish: Wish, present: Present) -> Plan:
    """Raises ConfigError for a routing table that can't be."""
    return Plan(tuple(_changes(wish, present)))


def _changes(wish: Wish, present: Present) -> Iterator[Change]:
    table = table_number(wish, "FreeBSD", _MOST_TABLES)
    for address in dict.fromkeys(wish.addresses):
        yield _address(wish.name, address)
    yield _mtu(wish.name, wish.mtu_on(present.outer_mtu))
    yield Change(
        _flags(wish.name, present.flags | abi.IFF_UP, "up"),
        None if present.flags & abi.IFF_UP else _flags(wish.name, present.flags, "down"),
    )
    plain, defaults = sort_out(wish)
    for host in outer_hosts(wish, defaults):
        yield _endpoint(host, present)
    link = abi.SOCKADDR_DL.pack(
        {"sdl_len": abi.SOCKADDR_DL.size, "sdl_family": abi.AF_LINK, "sdl_index": present.interface}
    )
    for route in (*plain, *(half for default in defaults for half in halves(default))):
        yield _route(route, link, 0, table, wish.name, may_exist=is_connected(wish, route))
    if wish.dns:
        yield resolvconf(wish, "", "-x")


def _address(name: str, address: InterfaceAddress) -> Change:
    own = packed(address.address)
    network = AllowedIP.masked(own, address.length)
    mask = AllowedIP.masked(b"\xff" * len(own), address.length).address
    sockaddr, netmask = socket_address(abi, own), socket_address(abi, mask)
    if len(own) == 4:
        last = int.from_bytes(network.address, "big") | ~int.from_bytes(mask, "big") & 0xFFFFFFFF
        broadcast = socket_address(abi, last.to_bytes(4, "big"))
        alias = more.IFALIASREQ.pack(
            {"ifra_name": name.encode(), "ifra_addr": sockaddr, "ifra_broadaddr": broadcast, "ifra_mask": netmask}
        )
        gone = more.IFREQ.pack({"ifr_name": name.encode(), "ifr_addr": sockaddr})
        return Change(
            _ioctl(abi.AF_INET, more.SIOCAIFADDR, alias, f"SIOCAIFADDR {name} {address}"),
            _ioctl(abi.AF_INET, more.SIOCDIFADDR, gone, f"SIOCDIFADDR {name} {address.address}"),
        )
    alias = more.IN6_ALIASREQ.pack(
        {
            "ifra_name": name.encode(),
            "ifra_addr": sockaddr,
            "ifra_prefixmask": netmask,
            "ifra_flags": more.IN6_IFF_NODAD,  # nobody on a tunnel would answer
            "ifra_lifetime.ia6t_vltime": more.ND6_INFINITE_LIFETIME,
            "ifra_lifetime.ia6t_pltime": more.ND6_INFINITE_LIFETIME,
        }
    )
    gone = more.IN6_IFREQ.pack({"ifr_name": name.encode(), "ifr_addr": sockaddr})
    return Change(
        _ioctl(abi.AF_INET6, more.SIOCAIFADDR_IN6, alias, f"SIOCAIFADDR_IN6 {name} {address}"),
        _ioctl(abi.AF_INET6, more.SIOCDIFADDR_IN6, gone, f"SIOCDIFADDR_IN6 {name} {address.address}"),
    )


def _mtu(name: str, mtu: int) -> Change:
    request = abi.IFREQ.pack({"ifr_name": name.encode(), "ifr_mtu": mtu})
    return Change(_ioctl(abi.AF_INET, abi.SIOCSIFMTU, request, f"SIOCSIFMTU {name} {mtu}"))


def _flags(name: str, flags: int, text: str) -> Call:
    halved = {"ifr_flags": flags & 0xFFFF, "ifr_flagshigh": flags >> 16 & 0xFFFF}
    request = more.IFREQ.pack({"ifr_name": name.encode(), **halved})
    return _ioctl(abi.AF_INET, more.SIOCSIFFLAGS, request, f"SIOCSIFFLAGS {name} {text}")


def _ioctl(family: int, request: int, argument: bytes, text: str) -> Call:
    return Call(IOCTL, (family, request, argument), f"ioctl {text}")


def _endpoint(host: bytes, present: Present) -> Change:
    """A route around the tunnel. Without a gateway it goes nowhere, rather than in circles."""
    gateway = present.gateways.toward(host)
    hop = packed(gateway.partition("%")[0] or ("127.0.0.1" if len(host) == 4 else "::1"))
    flags = more.RTF_GATEWAY if gateway else more.RTF_GATEWAY | more.RTF_BLACKHOLE
    scope = present.gateway_scope if hop[:2] == b"\xfe\x80" else 0
    text = host_text(hop) if gateway else f"{host_text(hop)} blackhole"
    return _route(AllowedIP(host, len(host) * 8), socket_address(abi, hop, scope), flags, 0, text)


def _route(route: AllowedIP, hop: bytes, flags: int, table: int, text: str, *, may_exist: bool = False) -> Change:
    flags |= more.RTF_UP | more.RTF_STATIC
    which = abi.RTA_DST | more.RTA_GATEWAY
    addresses = [socket_address(abi, route.address), hop]
    if route.length == len(route.address) * 8:
        flags |= more.RTF_HOST
    else:
        which |= abi.RTA_NETMASK
        addresses.append(socket_address(abi, AllowedIP.masked(b"\xff" * len(route.address), route.length).address))
    rest = b"".join(each + bytes(-len(each) % _ADDRESS_ALIGNMENT) for each in addresses)
    size = abi.RT_MSGHDR.size + len(rest)

    def message(kind: int, word: str) -> Call:
        header = {"rtm_msglen": size, "rtm_version": abi.RTM_VERSION, "rtm_type": kind, "rtm_flags": flags}
        packed_header = abi.RT_MSGHDR.pack({**header, "rtm_addrs": which, "rtm_seq": _SEQUENCE})
        in_table = f" fib {table}" if table else ""
        return Call(ROUTE, (packed_header + rest, table), f"route {word} {route} {text}{in_table}")

    return Change(message(more.RTM_ADD, "RTM_ADD"), message(more.RTM_DELETE, "RTM_DELETE"), may_exist)
