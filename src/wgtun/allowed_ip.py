"""One allowed IP: a network prefix, as `wg` shows it (``10.0.0.0/8``, ``2001:db8::/32``)."""

from __future__ import annotations

import socket
from typing import NamedTuple

# The only spellings: as strict as the UAPI of other implementations, without signs and leading zeros.
_LENGTHS = {str(length): length for length in range(129)}


class AllowedIP(NamedTuple):
    """A prefix with its host bits cleared.

    `address` is 4 or 16 bytes in network order; `length` counts the bits that matter.
    """

    address: bytes
    length: int

    @classmethod
    def parse(cls, text: str) -> AllowedIP:
        """Read ``ADDRESS/LENGTH``; the length is mandatory. Raises ValueError."""
        host, slash, digits = text.partition("/")
        if not slash:
            raise ValueError("an allowed IP reads ADDRESS/LENGTH")
        length = _LENGTHS.get(digits)
        if length is None:
            raise ValueError("a prefix length is a plain decimal number, at most 128")
        family = socket.AF_INET6 if ":" in host else socket.AF_INET
        try:
            packed = socket.inet_pton(family, host)
        except (OSError, ValueError):
            raise ValueError("an allowed IP needs a numeric IP address") from None
        if length > len(packed) * 8:
            raise ValueError(f"a prefix length is at most {len(packed) * 8} here")
        return cls.masked(packed, length)

    @classmethod
    def masked(cls, address: bytes, length: int) -> AllowedIP:
        """The prefix that contains `address`."""
        bits = len(address) * 8
        if length == bits:
            return cls(address, length)
        host_bits = bits - length
        value = int.from_bytes(address, "big") >> host_bits << host_bits
        return cls(value.to_bytes(len(address), "big"), length)

    def __str__(self) -> str:
        family = socket.AF_INET if len(self.address) == 4 else socket.AF_INET6
        return f"{socket.inet_ntop(family, self.address)}/{self.length}"
