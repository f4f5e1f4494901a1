"""Requests as a large installation makes them, for the configuration socket."""

from __future__ import annotations

import os


def peers(count: int = 10_000) -> bytes:
    """Peers with an endpoint and an allowed IP each."""
    return b"set=1\nreplace_peers=true\n" + b"".join(
        b"public_key=%s\nendpoint=192.0.2.9:%d\n%s" % (os.urandom(32).hex().encode(), number + 1, allowed_ip(number))
        for number in range(count)
    ) + b"\n"  # fmt: skip


def allowed_ips(count: int = 131_072) -> bytes:
    """One peer with many allowed IPs."""
    return b"set=1\nreplace_peers=true\npublic_key=" + os.urandom(32).hex().encode() + b"\n" + b"".join(
        map(allowed_ip, range(count))
    ) + b"\n"  # fmt: skip


def allowed_ip(number: int) -> bytes:
    """The line with an address of 10.0.0.0/8."""
    return b"allowed_ip=10.%d.%d.%d/32\n" % (number >> 16, number >> 8 & 255, number & 255)
