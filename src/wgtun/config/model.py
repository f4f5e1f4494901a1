"""A configuration as values: what a ``.conf`` file of wg-quick(8) says, whatever its spelling."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import NamedTuple

from wgtun.allowed_ip import AllowedIP
from wgtun.keys import PresharedKey, PrivateKey, PublicKey


class HostPort(NamedTuple):
    """An endpoint as people write it: the host may be a name that is yet to be resolved."""

    host: str
    port: int

    def __str__(self) -> str:
        return f"[{self.host}]:{self.port}" if ":" in self.host else f"{self.host}:{self.port}"


class InterfaceAddress(NamedTuple):
    """An address of the interface, with the length of its network: ``10.0.0.1/24``. Host bits are kept."""

    address: str
    length: int

    def __str__(self) -> str:
        return f"{self.address}/{self.length}"


@dataclass(frozen=True, slots=True)
class InterfaceConfig:
    """The [Interface] section. None means that the key is not there."""

    private_key: PrivateKey | None = None
    listen_port: int | None = None
    fwmark: int | None = None  # 0 for off
    addresses: tuple[InterfaceAddress, ...] = ()
    dns: tuple[str, ...] = ()  # addresses of servers, and search domains
    mtu: int | None = None
    table: str | None = None  # "off", "auto", a number or a name
    pre_up: tuple[str, ...] = ()
    post_up: tuple[str, ...] = ()
    pre_down: tuple[str, ...] = ()
    post_down: tuple[str, ...] = ()
    save_config: bool | None = None


@dataclass(frozen=True, slots=True)
class PeerConfig:
    """A [Peer] section. None means that the key is not there."""

    public_key: PublicKey
    preshared_key: PresharedKey | None = None
    allowed_ips: tuple[AllowedIP, ...] = ()
    endpoint: HostPort | None = None
    persistent_keepalive: int | None = None  # seconds, 0 for off


@dataclass(frozen=True, slots=True)
class Config:
    """A whole file; peers have distinct public keys."""

    interface: InterfaceConfig = field(default_factory=InterfaceConfig)
    peers: tuple[PeerConfig, ...] = ()
