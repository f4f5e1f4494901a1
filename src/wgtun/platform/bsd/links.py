"""Questions about an interface by its name, with a `struct ifreq` (netintro(4))."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from wgtun.platform.bsd.calls import Calls
from wgtun.platform.bsd.interface import Abi
from wgtun.platform.layout import Value


@contextmanager
def control_socket(calls: Calls, abi: Abi, family: int | None = None) -> Iterator[int]:
    """A socket for ioctls on interfaces. Raises OSError."""
    control = calls.socket(abi.AF_INET if family is None else family, abi.SOCK_DGRAM, 0)
    try:
        yield control
    finally:
        calls.close(control)


def get_mtu(calls: Calls, abi: Abi, name: str) -> int:
    """Bytes. Raises OSError."""
    return abi.IFREQ.read(_ask(calls, abi, name, abi.SIOCGIFMTU, {}), "ifr_mtu")


def set_mtu(calls: Calls, abi: Abi, name: str, mtu: int) -> None:
    """Raises OSError."""
    _ask(calls, abi, name, abi.SIOCSIFMTU, {"ifr_mtu": mtu})


def is_up(calls: Calls, abi: Abi, name: str) -> bool:
    """Raises OSError."""
    return bool(abi.IFREQ.read(_ask(calls, abi, name, abi.SIOCGIFFLAGS, {}), "ifr_flags") & abi.IFF_UP)


def _ask(calls: Calls, abi: Abi, name: str, request: int, values: dict[str, Value]) -> bytes:
    with control_socket(calls, abi) as control:
        return calls.ioctl(control, request, abi.IFREQ.pack({"ifr_name": name.encode(), **values}))
