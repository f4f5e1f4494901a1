"""Counts the datagrams that arrive at a port within some seconds, from half a second after the first one."""

from __future__ import annotations

import argparse
import socket
import time

from benchmarks.mmsg import Incoming, receive_timeout
from benchmarks.programs import report

_SO_RCVBUFFORCE = 33  # not in Python's socket module
_BATCH = 256
_SIZE = 2048  # bytes, more than any of our datagrams
_SETTLE = 0.5  # seconds
_PATIENCE = 5.0  # seconds without a datagram, after which there is nothing to count
_RECEIVE_BUFFER = 4 << 20  # bytes; a short pause of this process loses nothing


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("seconds", type=float)
    args = parser.parse_args()
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, _RECEIVE_BUFFER)
        sock.bind((args.address, args.port))
        receive_timeout(sock, _PATIENCE)
        report(ready=True)
        incoming = Incoming(sock, _BATCH, _SIZE)
        count_for(incoming, _SETTLE)
        datagrams, seconds = count_for(incoming, args.seconds)
    report(datagrams=datagrams, seconds=seconds)


def count_for(incoming: Incoming, seconds: float) -> tuple[int, float]:
    """How many arrived, and in what time; the clock starts with the first batch, which does not count."""
    incoming.receive()
    start = time.perf_counter()
    count = 0
    while (elapsed := time.perf_counter() - start) < seconds:
        count += incoming.receive()
    return count, elapsed


if __name__ == "__main__":
    main()
