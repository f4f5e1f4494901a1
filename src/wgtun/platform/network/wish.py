"""What a tunnel is to have of its system. Whatever is in a `Wish` is safe as a word of a command: none is an option."""

from __future__ import annotations

import re
import socket
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeVar

from wgtun.allowed_ip import AllowedIP
from wgtun.config.model import InterfaceAddress
from wgtun.config.values import read_address, read_allowed_ip, read_dns, read_mtu
from wgtun.constants import TRANSPORT_OVERHEAD
from wgtun.endpoint import Endpoint
from wgtun.errors import ConfigError

if TYPE_CHECKING:
    from wgtun.config.model import Config

# As wg-quick(8), but for what reads like an option or a directory.
_NAME = re.compile(r"(?![-.])[A-Za-z0-9_=+.-]{1,15}", re.ASCII)
_TABLE = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}", re.ASCII)
_OUTER_HEADERS = 40 + 8 + TRANSPORT_OVERHEAD  # IPv6, UDP
_SMALLEST_MTU = 1280  # with less there is no IPv6

_Value = TypeVar("_Value")


@dataclass(frozen=True, slots=True)
class Wish:
    """Raises ConfigError for what no system could be asked for, or what might be taken for something else."""

    name: str  # of the interface, as the system knows it
    addresses: tuple[InterfaceAddress, ...] = ()
    mtu: int | None = None  # None: by the network below
    routes: tuple[AllowedIP, ...] = ()  # into the tunnel
    dns: tuple[str, ...] = ()  # addresses of servers
    search: tuple[str, ...] = ()  # domains
    table: str = "auto"  # or "off", or a routing table of the system: a number or a name
    fwmark: int = 0  # 0 for off
    endpoints: tuple[Endpoint, ...] = ()  # of the peers: what must not enter the tunnel

    def __post_init__(self) -> None:
        if not _NAME.fullmatch(self.name):
            raise ConfigError(f"{self.name!r} is no name for an interface: up to 15 of a-z A-Z 0-9 _ = + . -")
        if not _TABLE.fullmatch(self.table):
            raise ConfigError("a routing table is `off`, `auto`, a number or a name", key="Table")
        if not 0 <= self.fwmark < 1 << 32:
            raise ConfigError("a firewall mark has 32 bits", key="FwMark")
        _check("Address", self.addresses, read_address)
        _check("MTU", () if self.mtu is None else (self.mtu,), read_mtu)
        _check("AllowedIPs", self.routes, read_allowed_ip)
        _check("DNS", self.dns + self.search, read_dns)
        _check("Endpoint", self.endpoints, Endpoint.parse)
        if not all(map(is_address, self.dns)):
            raise ConfigError("a DNS server is given by its address", key="DNS")

    def mtu_on(self, outer_mtu: int) -> int:
        """The MTU of the interface when that of the network below is this."""
        return self.mtu or max(outer_mtu - _OUTER_HEADERS, _SMALLEST_MTU)


def _check(key: str, values: Iterable[_Value], read: Callable[[str], _Value | None]) -> None:
    """That each is what its own text says."""
    for value in values:
        try:
            if read(str(value)) == value:
                continue
            problem = f"`{value}` is not in its usual form"
        except ValueError as error:
            problem = str(error)
        raise ConfigError(problem, key=key)


def is_address(text: str) -> bool:
    """Whether this entry of DNS is a server, not a domain."""
    try:
        return bool(packed(text.partition("%")[0]))
    except (OSError, ValueError):
        return False


def packed(address: str) -> bytes:
    """The 4 or 16 bytes of a numeric address."""
    return socket.inet_pton(socket.AF_INET6 if ":" in address else socket.AF_INET, address)


def wish_from_config(config: Config, name: str, endpoints: tuple[Endpoint, ...] | None = None) -> Wish:
    """The wish in a `.conf` file, for an interface of this name. Raises ConfigError.

    `endpoints` are those that the daemon has found. Without them, those count that the file gives as addresses.
    """
    interface = config.interface
    if endpoints is None:
        endpoints = tuple(_numeric_endpoints(config))
    return Wish(
        name,
        interface.addresses,
        interface.mtu,
        tuple(route for peer in config.peers for route in peer.allowed_ips),
        tuple(filter(is_address, interface.dns)),
        tuple(entry for entry in interface.dns if not is_address(entry)),
        interface.table or "auto",
        interface.fwmark or 0,
        endpoints,
    )


def _numeric_endpoints(config: Config) -> Iterable[Endpoint]:
    for peer in config.peers:
        try:
            yield Endpoint.parse(str(peer.endpoint))
        except ValueError:  # a host name, or none
            pass
