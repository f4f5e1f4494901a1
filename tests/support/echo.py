"""UDP echo, as two small programs: ``serve ADDRESS PORT`` and ``check ADDRESS PORT SIZE...``."""

from __future__ import annotations

import socket
import sys


def serve(address: str, port: int) -> None:
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind((address, port))
        print("ready", flush=True)
        while True:
            data, sender = server.recvfrom(65535)
            server.sendto(data, sender)


def check(address: str, port: int, sizes: list[int]) -> None:
    """Send one datagram of each size and compare what comes back; a lost one is sent again."""
    with socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_DGRAM) as client:
        client.connect((address, port))
        client.settimeout(1)
        for size in sizes:
            data = bytes((size + number) & 255 for number in range(size))
            for attempt in range(8):
                client.send(data)
                try:
                    answer = client.recv(65535)
                except TimeoutError:
                    assert attempt < 7, f"no answer to {size} bytes"
                    continue
                assert answer == data, f"{size} bytes came back changed"
                break


if __name__ == "__main__":
    if sys.argv[1] == "serve":
        serve(sys.argv[2], int(sys.argv[3]))
    else:
        check(sys.argv[2], int(sys.argv[3]), [int(word) for word in sys.argv[4:]])
