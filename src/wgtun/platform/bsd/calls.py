"""The system calls that macOS, FreeBSD and OpenBSD are driven with, as one small interface.

Tests replay recorded answers behind it, byte for byte; `bsd/system_calls.py` makes the real calls.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, Protocol


class Kevent(NamedTuple):
    """A change to make to a kqueue, or an event from it. Source: kqueue(2)."""

    ident: int
    filter: int
    flags: int
    fflags: int = 0


class Calls(Protocol):
    """Each raises OSError. Descriptors are closed on exec."""

    def open(self, path: str, flags: int) -> int: ...
    def close(self, descriptor: int) -> None: ...
    def read(self, descriptor: int, size: int) -> bytes: ...
    def write(self, descriptor: int, data: bytes) -> int: ...
    def set_nonblocking(self, descriptor: int) -> None: ...
    def wait_readable(self, descriptor: int, seconds: float) -> bool:
        """False when there was nothing to read in that time."""

    def device_number(self, descriptor: int) -> int:
        """Of the device file that is open: st_rdev."""

    def ioctl(self, descriptor: int, request: int, argument: bytes) -> bytes:
        """Returns the argument as the system left it."""

    def ioctl_address(self, descriptor: int, request: int, argument: bytes, offset: int, data: bytes) -> None:
        """The same, with the address of `data` at this offset of the argument."""

    def socket(self, family: int, kind: int, protocol: int) -> int: ...
    def connect(self, descriptor: int, address: bytes) -> None:
        """`address` is the struct sockaddr."""

    def getsockopt(self, descriptor: int, level: int, option: int, size: int) -> bytes: ...
    def setsockopt(self, descriptor: int, level: int, option: int, value: bytes) -> None: ...
    def interface_index(self, name: str) -> int: ...
    def interface_name(self, index: int) -> str: ...
    def process(self) -> int:
        """Our process id."""

    def kqueue(self) -> int: ...
    def kevent(self, kqueue: int, changes: Sequence[Kevent], room: int) -> list[Kevent]:
        """Make the changes; returns up to `room` events that wait."""
