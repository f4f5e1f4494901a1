"""Handshake initiations of the right length, each different, none of them made for anyone."""

from __future__ import annotations

import os
import socket


def send_junk(address: str, count: int) -> None:
    """Send them as fast as it goes."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as out:
        out.connect((address, 51820))
        rest = bytearray(os.urandom(144))
        for number in range(count):
            rest[:4] = number.to_bytes(4, "little")
            out.send(b"\1\0\0\0" + rest)
