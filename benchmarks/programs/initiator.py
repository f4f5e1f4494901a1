"""Sends initiations that were made before, and counts the responses.

A window bounds how many wait for their response, so that the responder always has work and yet never so much
that it is under load and answers with cookies (from 128 waiting messages on, in ours and in wireguard-go).
"""

from __future__ import annotations

import argparse
import ipaddress
import socket
import time
from pathlib import Path

from benchmarks.mmsg import Incoming, Outgoing, receive_timeout
from benchmarks.programs import report
from wgtun.constants import COOKIE_REPLY_SIZE, INITIATION_SIZE, RESPONSE_SIZE, TYPE_COOKIE_REPLY, TYPE_RESPONSE

_WINDOW = 32
_LOST_AFTER = 0.2  # seconds without any answer


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("file", type=Path, help="the initiations; number N, from 0, has the sender index N")
    parser.add_argument("network", type=ipaddress.IPv4Network, help="local addresses that the peers send from")
    parser.add_argument("peers", type=int, help="initiations come from so many peers in turn")
    parser.add_argument("address")
    parser.add_argument("port", type=int)
    parser.add_argument("seconds", type=float)
    args = parser.parse_args()
    content = args.file.read_bytes()
    initiations = [content[at : at + INITIATION_SIZE] for at in range(0, len(content), INITIATION_SIZE)]
    sources = [str(args.network[1 + number % args.peers]) for number in range(len(initiations))]
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sock:
        receive_timeout(sock, _LOST_AFTER)
        outgoing = Outgoing(sock, initiations, (args.address, args.port), sources)
        incoming = Incoming(sock, _WINDOW, RESPONSE_SIZE + 1)
        exchange = Exchange(len(initiations))
        report(ready=True)
        exchange.run(outgoing, incoming, args.seconds)
    report(responses=len(exchange.answered), cookies=exchange.cookies, seconds=exchange.seconds)


class Exchange:
    """Sending and counting."""

    def __init__(self, total: int) -> None:
        self.answered: set[int] = set()
        self.cookies = 0
        self.seconds = 0.0  # until the last answer
        self._total = total
        self._sent = 0
        self._waiting = 0

    def run(self, outgoing: Outgoing, incoming: Incoming, seconds: float) -> None:
        """Until all are sent and answered, or the time is over."""
        start = time.perf_counter()
        while time.perf_counter() - start < seconds:
            room = min(_WINDOW - self._waiting, self._total - self._sent)
            if room:
                sent = outgoing.send(self._sent, room)
                self._sent += sent
                self._waiting += sent
            elif not self._waiting:
                break
            received = incoming.receive()
            for number in range(received):
                self._take(incoming.datagram(number))
            if received:
                self.seconds = time.perf_counter() - start
            self._waiting = max(0, self._waiting - received) if received else 0

    def _take(self, datagram: bytes) -> None:
        kind = int.from_bytes(datagram[:4], "little")
        if kind == TYPE_RESPONSE and len(datagram) == RESPONSE_SIZE:
            index = int.from_bytes(datagram[8:12], "little")
            if index < self._sent:
                self.answered.add(index)
        elif kind == TYPE_COOKIE_REPLY and len(datagram) == COOKIE_REPLY_SIZE:
            self.cookies += 1


if __name__ == "__main__":
    main()
