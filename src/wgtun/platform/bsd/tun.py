"""A TUN of macOS or a BSD: one descriptor, with four bytes for the address family before each packet."""

from __future__ import annotations

import os

from wgtun.constants import DEFAULT_MTU
from wgtun.errors import PlatformError, TunnelGone
from wgtun.platform.bsd import links
from wgtun.platform.bsd.calls import Calls
from wgtun.platform.bsd.interface import Abi

_NO_OFFLOADS = {"tso": "the system does not have it", "uso": "the system does not have it"}


class Tun:
    """One TUN interface, in non-blocking mode; see `dataplane.TunDevice`."""

    virtio: frozenset[str] | None = None

    def __init__(self, calls: Calls, abi: Abi, descriptor: int, name: str) -> None:
        self._calls = calls
        self._abi = abi
        self._descriptor = descriptor
        self._name = name
        self.family: tuple[bytes, bytes] | None = family_prefixes(abi)
        self.missing = dict(_NO_OFFLOADS)

    @property
    def name(self) -> str:
        """See `platform.interface.Tun`. The system keeps it as long as the descriptor is open."""
        if self._descriptor < 0:
            raise TunnelGone("the TUN interface was closed")
        return self._name

    def fileno(self) -> int:
        return self._descriptor

    def filenos(self) -> list[int]:
        return [self._descriptor]

    def take_over(self) -> None:
        """See `platform.interface.Tun`."""

    def set_default_mtu(self) -> None:
        """What a new interface gets; one that has it already is left alone. Raises PlatformError."""
        try:
            if links.get_mtu(self._calls, self._abi, self._name) != DEFAULT_MTU:
                links.set_mtu(self._calls, self._abi, self._name, DEFAULT_MTU)
        except OSError as error:
            raise PlatformError(f"can't set the MTU of {self._name}: {error.strerror}") from error

    def close(self) -> None:
        """Give up the descriptor."""
        if self._descriptor >= 0:
            self._calls.close(self._descriptor)
            self._descriptor = -1


def family_prefixes(abi: Abi) -> tuple[bytes, bytes]:
    """What stands before packets of IPv4 and of IPv6: the number of the address family, in network byte order."""
    return abi.AF_INET.to_bytes(4, "big"), abi.AF_INET6.to_bytes(4, "big")


def write_name_file(path: str | None, name: str) -> None:
    """Tell whoever let the system choose a name which one it is (WG_TUN_NAME_FILE, read by wg-quick).

    Raises PlatformError.
    """
    if not path:
        return
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o400)
        try:
            os.write(descriptor, f"{name}\n".encode())
        finally:
            os.close(descriptor)
    except OSError as error:
        raise PlatformError(f"WG_TUN_NAME_FILE: can't write {path}: {error.strerror}") from error
