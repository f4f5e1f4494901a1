"""WireGuard in Python: keys, configurations, and the device behind `wireguard-py`.

Names are loaded when first used, so that importing the package costs next to nothing.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wgtun.allowed_ip import AllowedIP
    from wgtun.config.model import Config, HostPort, InterfaceAddress, InterfaceConfig, PeerConfig
    from wgtun.device import Device
    from wgtun.endpoint import Endpoint
    from wgtun.errors import (
        ConfigError,
        InvalidKey,
        PlatformError,
        TunnelGone,
        UapiError,
        WireGuardError,
    )
    from wgtun.keys import PresharedKey, PrivateKey, PublicKey

__version__ = "0.1.0"

_HOMES = {
    "wgtun.allowed_ip": ("AllowedIP",),
    "wgtun.config.model": ("Config", "HostPort", "InterfaceAddress", "InterfaceConfig", "PeerConfig"),
    "wgtun.device": ("Device",),
    "wgtun.endpoint": ("Endpoint",),
    "wgtun.errors": ("ConfigError", "InvalidKey", "PlatformError", "TunnelGone", "UapiError", "WireGuardError"),
    "wgtun.keys": ("PresharedKey", "PrivateKey", "PublicKey"),
}
_HOME = {name: module for module, names in _HOMES.items() for name in names}

__all__ = [
    # keys
    "PrivateKey",
    "PublicKey",
    "PresharedKey",
    # configuration; wgtun.config.wgquick reads and writes files
    "Config",
    "InterfaceConfig",
    "PeerConfig",
    "HostPort",
    "InterfaceAddress",
    # devices
    "Device",
    "Endpoint",
    "AllowedIP",
    # errors
    "WireGuardError",
    "InvalidKey",
    "ConfigError",
    "UapiError",
    "PlatformError",
    "TunnelGone",
]


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module 'wgtun' has no attribute {name!r}")
    value: object = getattr(import_module(_HOME[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
