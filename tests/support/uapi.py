"""The configuration socket as it is: bytes in, bytes out."""

from __future__ import annotations

import socket
from pathlib import Path

SUCCESS = b"errno=0\n\n"


def talk(path: Path, message: bytes) -> bytes:
    """One request, and its answer."""
    with socket.socket(socket.AF_UNIX) as client:
        client.connect(str(path))
        client.settimeout(20)
        client.sendall(message)
        answer = bytearray()
        while not answer.endswith(b"\n\n"):
            chunk = client.recv(1 << 20)
            assert chunk, "the connection was closed"
            answer += chunk
        return bytes(answer)
