"""Steps of a script that ask about an interface by its name."""

from __future__ import annotations

from tests.support.call_script import Step, call


def ifreq(name: str, number: int = 0) -> bytes:
    return name.encode().ljust(16, b"\0") + number.to_bytes(4, "little") + bytes(12)


def ask(request: int, name: str, number: int = 0, error: int = 0, send: int = 0) -> list[Step]:
    """An ioctl on a socket of its own."""
    return [
        call("socket", 2, 2, 0, answer=9),
        call("ioctl", 9, request, ifreq(name, send), answer=ifreq(name, number), error=error),
        call("close", 9),
    ]
