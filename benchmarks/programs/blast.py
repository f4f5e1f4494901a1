"""Sends datagrams of random bytes at a rate, or as fast as it can, for some time or until SIGTERM ends it."""

from __future__ import annotations

import argparse
import os
import signal
import socket
import time
from collections.abc import Collection
from contextlib import suppress

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
    parser.add_argument("--rate", type=float, default=float("inf"), help="datagrams per second")
    parser.add_argument("--seconds", type=float, default=float("inf"))
    parser.add_argument("--delay", type=float, default=0, help="seconds before the first one")
    args = parser.parse_args()
    datagrams = [args.head + os.urandom(args.size - len(args.head)) for _ in range(_DISTINCT)]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        sock.connect((args.address, args.port))  # its route is looked up once
        outgoing = Outgoing(sock, datagrams)
        stopping: list[int] = []
        signal.signal(signal.SIGTERM, lambda number, _frame: stopping.append(number))
        report(ready=True)
        time.sleep(args.delay)
        sent, seconds = blast(outgoing, args.rate, args.seconds, stopping)
    report(datagrams=sent, seconds=seconds)


def blast(outgoing: Outgoing, rate: float, seconds: float, stopping: Collection[object]) -> tuple[int, float]:
    """Until the time is over or something is in `stopping`. Returns how many were sent, and in what time."""
    sent = 0
    start = time.perf_counter()
    while (elapsed := time.perf_counter() - start) < seconds and not stopping:
        due = min(_BATCH, elapsed * rate - sent)
        if due >= 1:
            first = sent % _DISTINCT
            with suppress(ConnectionRefusedError):  # tells of an earlier one; a closed port may be what is wanted
                sent += outgoing.send(first, min(int(due), _DISTINCT - first))
        else:
            time.sleep(_PAUSE)
    return sent, elapsed


if __name__ == "__main__":
    main()
