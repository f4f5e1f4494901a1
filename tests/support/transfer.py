"""A TCP transfer of known content through a tunnel, compared by hash.

It is two small programs: ``receive ADDRESS`` and ``send ADDRESS PORT SIZE SEED``. The receiver
prints the port, then size and hash of what came. Where the other side is a server that sends back what
comes, ``echo ADDRESS PORT SIZE SEED`` alone does it, and prints size and hash.
"""

from __future__ import annotations

import hashlib
import random
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.namespaces import Tunnel

_BLOCK = 1 << 20


class Transfer:
    """`size` bytes on their way from one tunnel's host to the other's."""

    def __init__(self, sender: Tunnel, receiver: Tunnel, size: int, *, ipv6: bool = False, seed: int = 1) -> None:
        address = receiver.address6 if ipv6 else receiver.address
        program = [sys.executable, "-m", "tests.support.transfer"]
        self._expected = digest(size, seed)
        self._receiver = receiver.host.popen(*program, "receive", address, stdout=subprocess.PIPE)
        assert self._receiver.stdout is not None
        port = self._receiver.stdout.readline().strip()
        self._sender = sender.host.popen(*program, "send", address, port, str(size), str(seed))

    def running(self) -> bool:
        return self._receiver.poll() is None

    def finish(self, timeout: float = 100) -> None:
        """Wait for the end and compare what came with what was sent."""
        received, _ = self._receiver.communicate(timeout=timeout)
        assert self._sender.wait(10) == 0
        assert received.strip() == self._expected


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
    with connection:
        print_digest(connection)


def print_digest(connection: socket.socket) -> None:
    """Of what comes until the other side ends."""
    total = hashlib.blake2b(digest_size=16)
    size = 0
    while chunk := connection.recv(_BLOCK):
        total.update(chunk)
        size += len(chunk)
    print(size, total.hexdigest(), flush=True)


def send(address: str, port: int, size: int, seed: int) -> None:
    with socket.create_connection((address, port), timeout=20) as connection:
        for block in content(size, seed):
            connection.sendall(block)


def echo(address: str, port: int, size: int, seed: int) -> None:
    """Both ways at once."""
    with socket.create_connection((address, port), timeout=20) as connection:

        def write() -> None:
            for block in content(size, seed):
                connection.sendall(block)
            connection.shutdown(socket.SHUT_WR)

        writer = threading.Thread(target=write)
        writer.start()
        print_digest(connection)
        writer.join()


if __name__ == "__main__":
    if sys.argv[1] == "receive":
        receive(sys.argv[2])
    else:
        {"send": send, "echo": echo}[sys.argv[1]](sys.argv[2], *map(int, sys.argv[3:]))
