"""Sends datagrams at a rate, or as fast as it can, until a time is over or SIGTERM comes: random bytes, or a file's."""

from __future__ import annotations

import argparse
import ipaddress
import os
import signal
import socket
import time
from collections.abc import Collection
from contextlib import suppress
from pathlib import Path

from benchmarks.mmsg import Outgoing
from benchmarks.programs import report

_DISTINCT = 1024  # datagrams, sent again and again
_BATCH = 64
_PAUSE = 0.0002  # seconds; as long as nothing is due


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("--size", type=int, default=64)
    parser.add_argument("--head", type=bytes.fromhex, default=b"", help="hex of the first bytes")
    parser.add_argument("--file", type=Path, help="instead: datagrams of --size bytes, one after the other")
    parser.add_argument("--network", type=ipaddress.IPv4Network, help="local addresses to send from, in turn")
    parser.add_argument("--rate", type=float, default=float("inf"), help="datagrams per second")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--delay", type=float, default=0, help="seconds before the first one")
    args = parser.parse_args()
    datagrams = random_datagrams(args.head, args.size) if args.file is None else cut(args.file.read_bytes(), args.size)
    sources = [] if args.network is None else [str(args.network[1 + number]) for number in range(len(datagrams))]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((args.address, args.port))  # its route is looked up once
        outgoing = Outgoing(sock, datagrams, sources=sources)
        stopping: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, _frame: stopping.append(number))
        report(ready=True)
        time.sleep(args.delay)
        sent, seconds = blast(outgoing, len(datagrams), args.rate, args.seconds, stopping)
    report(datagrams=sent, seconds=seconds)


def random_datagrams(head: bytes, size: int) -> list[bytes]:
    return [head + os.urandom(size - len(head)) for _ in range(_DISTINCT)]


def cut(content: bytes, size: int) -> list[bytes]:
    return [content[start : start + size] for start in range(0, len(content), size)]


def blast(
    outgoing: Outgoing, distinct: int, rate: float, seconds: float, stopping: Collection[object]
) -> tuple[int, float]:
    """Until the time is over or something is in `stopping`. Returns how many were sent, and in what time."""
    sent = 0
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds and not stopping:
        due = min(_BATCH, elapsed * rate - sent)
        if due >= 1:
            first = sent % distinct
            with suppress(ConnectionRefusedError):  # tells of an earlier one; a closed port may be what is wanted
                sent += outgoing.send(first, min(int(due), distinct - first))
        else:
            time.sleep(_PAUSE)
    return sent, elapsed


if __name__ == "__main__":
    main()
