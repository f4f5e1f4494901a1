"""sendmmsg and recvmmsg as the benchmarks use them, over loopback."""

from __future__ import annotations

import socket
import sys
from collections.abc import Iterator

import pytest

if sys.platform != "linux":
    pytest.skip("Linux only", allow_module_level=True)

from benchmarks.mmsg import Incoming, Outgoing, receive_timeout


@pytest.fixture
def sockets() -> Iterator[tuple[socket.socket, socket.socket]]:
    with (
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender,
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as receiver,
    ):
        receiver.bind(("127.0.0.1", 0))
        receive_timeout(receiver, 0.2)
        yield sender, receiver


def test_datagrams_arrive_as_they_are(sockets: tuple[socket.socket, socket.socket]) -> None:
    sender, receiver = sockets
    datagrams = [bytes([number]) * (10 + number) for number in range(8)]
    outgoing = Outgoing(sender, datagrams, receiver.getsockname())
    assert (outgoing.send(0, 3), outgoing.send(3, 5)) == (3, 5)
    incoming = Incoming(receiver, 16, 64)
    assert incoming.receive() == 8
    assert [incoming.datagram(number) for number in range(8)] == datagrams


def test_each_datagram_may_have_its_source(sockets: tuple[socket.socket, socket.socket]) -> None:
    sender, receiver = sockets
    sources = ["127.0.0.2", "127.9.8.7"]
    Outgoing(sender, [b"a", b"b"], receiver.getsockname(), sources).send(0, 2)
    assert [receiver.recvfrom(10)[1][0] for _ in sources] == sources


def test_waiting_ends(sockets: tuple[socket.socket, socket.socket]) -> None:
    assert Incoming(sockets[1], 4, 64).receive() == 0
