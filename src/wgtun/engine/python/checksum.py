"""The Internet checksum (RFC 1071)."""

from __future__ import annotations


def checksum(data: bytes | bytearray | memoryview) -> int:
    """Over an even or odd number of bytes, not all zero.

    The one's complement sum of 16-bit words is the number modulo 65535.
    """
    value = int.from_bytes(data, "big")
    if len(data) % 2:
        value <<= 8
    return -value % 0xFFFF
