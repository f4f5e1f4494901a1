"""Where a peer is reached: an IP address and a UDP port.

Text forms (UAPI, `wg`): ``192.0.2.1:51820``, ``[2001:db8::1]:51820``, ``[fe80::1%eth0]:51820``.
"""

from __future__ import annotations

import re
import socket
from typing import NamedTuple

# What `socket` calls take and give: (host, port) or (host, port, flow label, scope id).
SocketAddress = tuple[str, int] | tuple[str, int, int, int]

# A zone goes to if_nametoindex() and int(), which refuse a NUL and thousands of digits.
_TEXT = re.compile(r"(?:\[([0-9A-Fa-f:.]+)(?:%([^\]%\s\x00-\x1f\x7f]{1,64}))?\]|([0-9.]+)):([0-9]{1,5})", re.ASCII)


class Endpoint(NamedTuple):
    """One endpoint; equal when host, port and zone are equal."""

    host: str
    port: int
    zone: str = ""

    @classmethod
    def parse(cls, text: str) -> Endpoint:
        """Read a numeric endpoint; names are not resolved. Raises ValueError."""
        match = _TEXT.fullmatch(text)
        if match is None:
            raise ValueError("an endpoint reads ADDRESS:PORT or [IPV6]:PORT")
        v6, zone, v4, port_text = match.groups()
        port = int(port_text)
        if port > 65535:
            raise ValueError("a port is at most 65535")
        family = socket.AF_INET if v6 is None else socket.AF_INET6
        try:
            host = socket.inet_ntop(family, socket.inet_pton(family, v6 or v4))
        except OSError:
            raise ValueError("an endpoint needs a numeric IP address") from None
        return cls(host, port, zone or "")

    @classmethod
    def from_address(cls, address: SocketAddress) -> Endpoint:
        """The endpoint behind the source address of a received datagram.

        Its zone is a number: whoever reads it may be in another namespace, where the interface's
        name means nothing (and crashes wg).
        """
        scope = address[3] if len(address) == 4 else 0
        return cls(address[0].partition("%")[0], address[1], str(scope) if scope else "")

    @property
    def is_ipv6(self) -> bool:
        return ":" in self.host

    def address(self) -> SocketAddress:
        """The form that `socket` calls take. A zone that names no interface becomes scope 0.

        An IPv4-mapped address is reached through IPv4: the IPv6 socket is IPv6 only.
        """
        if not self.is_ipv6:
            return (self.host, self.port)
        if self.host.startswith("::ffff:") and "." in self.host:
            return (self.host[7:], self.port)
        return (self.host, self.port, 0, self._scope_id())

    def _scope_id(self) -> int:
        if self.zone.isdecimal():
            return int(self.zone)
        try:
            return socket.if_nametoindex(self.zone) if self.zone else 0
        except OSError:
            return 0

    def __str__(self) -> str:
        if not self.is_ipv6:
            return f"{self.host}:{self.port}"
        return f"[{self.host}%{self.zone}]:{self.port}" if self.zone else f"[{self.host}]:{self.port}"
