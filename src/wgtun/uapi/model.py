"""What the configuration protocol says: a device's state, and the changes that a set asks for."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import NamedTuple

from wgtun.allowed_ip import AllowedIP
from wgtun.endpoint import Endpoint
from wgtun.keys import PresharedKey, PrivateKey, PublicKey


class PeerState(NamedTuple):
    """One peer as `get` lists it."""

    public_key: PublicKey
    preshared_key: PresharedKey  # zero: none
    endpoint: Endpoint | None
    last_handshake: int  # nanoseconds of wall time, 0: never
    tx_bytes: int
    rx_bytes: int
    persistent_keepalive: int  # seconds, 0: off
    allowed_ips: Iterable[AllowedIP]


class DeviceState(NamedTuple):
    """A device as `get` lists it; peers in configuration order."""

    private_key: PrivateKey | None
    listen_port: int  # 0: none
    fwmark: int  # 0: off
    peers: Iterable[PeerState]


@dataclass(slots=True)
class PeerChange:
    """One peer section of a set. `None` leaves a value as it is.

    Apply in this order: `remove` ends it; a peer that does not exist yet is created, unless `update_only` is set,
    which ends it too; then the values; then `replace_allowed_ips`, and `allowed_ips` one by one.
    """

    public_key: PublicKey
    remove: bool = False
    update_only: bool = False
    preshared_key: PresharedKey | None = None  # zero: clear
    endpoint: Endpoint | None = None
    persistent_keepalive: int | None = None  # seconds, 0: off
    replace_allowed_ips: bool = False
    allowed_ips: list[tuple[bool, AllowedIP]] = field(default_factory=list)  # True: add, False: remove


@dataclass(slots=True)
class SetRequest:
    """A whole set. `None` leaves a value as it is. A public key may occur in several `peers`; they apply in turn."""

    private_key: PrivateKey | None = None  # zero: clear
    listen_port: int | None = None  # 0: any free port
    fwmark: int | None = None  # 0: off
    replace_peers: bool = False  # before `peers`
    peers: list[PeerChange] = field(default_factory=list)
