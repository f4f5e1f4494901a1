"""One timed TCP transfer, as two small programs: ``receive ADDRESS`` and ``send ADDRESS PORT SECONDS``."""

from __future__ import annotations

import signal
import socket
import sys
import time


def receive(address: str) -> None:
    """Print the port, take one connection, print how much came how fast."""
    with socket.create_server((address, 0)) as server:
        print(server.getsockname()[1], flush=True)
        connection, _ = server.accept()
    buffer = bytearray(1 << 18)
    total = 0
    begin = time.perf_counter()
    with connection:
        while size := connection.recv_into(buffer):
            total += size
    took = time.perf_counter() - begin
    print(f"{total / 1e6:.1f} MB over TCP in {took:.1f} s, {total * 8 / took / 1e6:.0f} Mbit/s", flush=True)


def send(address: str, port: int, seconds: float) -> None:
    block = bytes(1 << 18)
    with socket.create_connection((address, port), timeout=10) as connection:
        end = time.perf_counter() + seconds
        while time.perf_counter() < end:
            connection.sendall(block)


if __name__ == "__main__":
    signal.signal(signal.SIGINT, signal.SIG_DFL)  # whoever interrupts the demo wants no traceback of ours
    if sys.argv[1] == "receive":
        receive(sys.argv[2])
    else:
        send(sys.argv[2], int(sys.argv[3]), float(sys.argv[4]))
