"""UDP through a tunnel, sent and received as trains (UDP_SEGMENT, UDP_GRO), compared datagram by datagram.

It is two small programs: ``receive ADDRESS`` and ``send ADDRESS PORT``. The receiver prints the port; then both print
how many datagrams there were, and a hash of all in their order.
"""

from __future__ import annotations

import hashlib
import random
import socket
import subprocess
import sys
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.support.namespaces import Tunnel

_SOL_UDP, _UDP_SEGMENT, _UDP_GRO = 17, 103, 104
_TRAINS = 200
_END = b"that was all"


def cross(sender: Tunnel, receiver: Tunnel, *, ipv6: bool) -> None:
    """Send trains of all sizes from one tunnel's host to the other's; what arrives is the same, in the same order."""
    address = receiver.address6 if ipv6 else receiver.address
    program = [sys.executable, "-m", "tests.support.trains"]
    receiving = receiver.host.popen(*program, "receive", address, stdout=subprocess.PIPE)
    assert receiving.stdout is not None
    port = receiving.stdout.readline().strip()
    sent = sender.host.run(*program, "send", address, port)
    received, _ = receiving.communicate(timeout=30)
    assert received == sent


def _socket(address: str) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM)
    made.settimeout(20)
    return made


def trains() -> Iterator[tuple[bytes, int]]:
    """Bytes, and the size of the datagrams to cut them into; the last is often shorter."""
    rng = random.Random(1)
    for _ in range(_TRAINS):
        size = rng.choice((1, 2, 17, 64, 500, 1000, 1372))
        yield rng.randbytes(rng.randrange(1, 40 * size)), size


def cut(data: bytes, size: int) -> list[bytes]:
    return [data[start : start + size] for start in range(0, len(data), size)]


def digest(datagrams: list[bytes]) -> str:
    return f"{len(datagrams)} {hashlib.blake2b(b'|'.join(datagrams), digest_size=16).hexdigest()}"


def receive(address: str) -> None:
    datagrams: list[bytes] = []
    with _socket(address) as receiver:
        receiver.setsockopt(_SOL_UDP, _UDP_GRO, 1)
        receiver.bind((address, 0))
        print(receiver.getsockname()[1], flush=True)
        while _END not in datagrams:
            data, messages, _, sender = receiver.recvmsg(1 << 16, 100)
            size = len(data)
            for level, kind, value in messages:
                if (level, kind) == (_SOL_UDP, _UDP_GRO):
                    size = int.from_bytes(value, sys.byteorder)
            datagrams += cut(data, size)
            receiver.sendto(b"%d" % len(datagrams), sender)
    print(digest(datagrams))


def send(address: str, port: int) -> None:
    datagrams: list[bytes] = []
    with _socket(address) as sender:
        sender.connect((address, port))
        for data, size in (*trains(), (_END, len(_END))):
            sender.sendmsg([data], [(_SOL_UDP, _UDP_SEGMENT, size.to_bytes(2, sys.byteorder))])
            datagrams += cut(data, size)
            while int(sender.recv(10)) < len(datagrams):
                pass  # no faster than they arrive
    print(digest(datagrams))


if __name__ == "__main__":
    if sys.argv[1] == "receive":
        receive(sys.argv[2])
    else:
        send(sys.argv[2], int(sys.argv[3]))
