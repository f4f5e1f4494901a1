"""A TCP transfer of known content, as two small programs: ``receive ADDRESS`` and ``send ADDRESS PORT SIZE SEED``.

The receiver prints the port, then size and hash of what came.
"""

from __future__ import annotations

import hashlib
import random
import socket
import sys
from collections.abc import Iterator

_BLOCK = 1 << 20


def content(size: int, seed: int) -> Iterator[bytes]:
    """`size` bytes that another seed does not give."""
    rng = random.Random(seed)
    block = rng.randbytes(_BLOCK)
    for number in range(0, size, _BLOCK):
        # A different start for every block, cheaply.
        yield (number.to_bytes(8, "big") + block[8:])[: size - number]


def digest(size: int, seed: int) -> str:
    """The hash that the receiver must print."""
    total = hashlib.blake2b(digest_size=16)
    for block in content(size, seed):
        total.update(block)
    return f"{size} {total.hexdigest()}"


def receive(address: str) -> None:
    with socket.create_server((address, 0), family=socket.AF_INET6 if ":" in address else socket.AF_INET) as server:
        print(server.getsockname()[1], flush=True)
        connection, _ = server.accept()
    total = hashlib.blake2b(digest_size=16)
    size = 0
    with connection:
        while chunk := connection.recv(_BLOCK):
            total.update(chunk)
            size += len(chunk)
    print(size, total.hexdigest(), flush=True)


def send(address: str, port: int, size: int, seed: int) -> None:
    with socket.create_connection((address, port), timeout=20) as connection:
        for block in content(size, seed):
            connection.sendall(block)


if __name__ == "__main__":
    if sys.argv[1] == "receive":
        receive(sys.argv[2])
    else:
        send(sys.argv[2], *map(int, sys.argv[3:]))
