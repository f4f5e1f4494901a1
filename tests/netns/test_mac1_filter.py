"""The kernel's own check of mac1, on real sockets."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from hashlib import blake2s

import pytest

from wgtun.constants import INITIATION_SIZE, MAC_SIZE, RESPONSE_SIZE, TYPE_INITIATION, TYPE_RESPONSE, TYPE_TRANSPORT
from wgtun.noise.macs import mac1_key
from wgtun.platform.linux.mac1_filter import Mac1Filter
from wgtun.platform.linux.underlay import Underlay

KEY = bytes(range(32))
KINDS = [(TYPE_INITIATION, INITIATION_SIZE), (TYPE_RESPONSE, RESPONSE_SIZE)]
FAMILIES = [(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")]


@pytest.fixture
def mac1_filter() -> Iterator[Mac1Filter]:
    try:
        made = Mac1Filter()
    except OSError as error:
        pytest.skip(f"no filter here: {error}")
    yield made
    made.close()


class Sockets:
    """A filtered socket, and one that sends to it."""

    def __init__(self, mac1_filter: Mac1Filter, family: socket.AddressFamily, address: str) -> None:
        self.receiver = socket.socket(family, socket.SOCK_DGRAM)
        self.receiver.bind((address, 0))
        self.receiver.setblocking(False)
        mac1_filter.attach(self.receiver)
        self.sender = socket.socket(family, socket.SOCK_DGRAM)
        self.sender.connect(self.receiver.getsockname())

    def passes(self, datagram: bytes) -> bool:
        self.sender.send(datagram)  # over loopback it has arrived when this returns
        try:
            return self.receiver.recv(65535) == datagram
        except BlockingIOError:
            return False

    def close(self) -> None:
        self.receiver.close()
        self.sender.close()


@pytest.fixture(params=FAMILIES, ids=["v4", "v6"])
def sockets(request: pytest.FixtureRequest, mac1_filter: Mac1Filter) -> Iterator[Sockets]:
    made = Sockets(mac1_filter, *request.param)
    yield made
    made.close()


def message(kind: int, size: int, key: bytes = KEY) -> bytes:
    covered = kind.to_bytes(4, "little") + os.urandom(size - 4 - 2 * MAC_SIZE)
    return covered + blake2s(covered, key=mac1_key(key), digest_size=MAC_SIZE).digest() + os.urandom(MAC_SIZE)


@pytest.mark.parametrize(("kind", "size"), KINDS)
def test_every_bit_that_mac1_covers_counts(mac1_filter: Mac1Filter, sockets: Sockets, kind: int, size: int) -> None:
    mac1_filter.set_public_key(KEY)
    good = message(kind, size)
    assert sockets.passes(good)
    for position in range(4, size - MAC_SIZE):
        changed = bytearray(good)
        changed[position] ^= 1 << position % 8
        assert not sockets.passes(bytes(changed)), position
    assert mac1_filter.refused() == size - MAC_SIZE - 4
    for position in range(size - MAC_SIZE, size):  # mac2 is the engine's business
        assert sockets.passes(good[:position] + bytes([good[position] ^ 1]) + good[position + 1 :])


@pytest.mark.parametrize(("kind", "size"), KINDS)
def test_what_is_no_handshake_message_passes(mac1_filter: Mac1Filter, sockets: Sockets, kind: int, size: int) -> None:
    mac1_filter.set_public_key(KEY)
    for length in (0, 1, 3, 4, size - 1, size + 1, 1400):
        assert sockets.passes(kind.to_bytes(4, "little").ljust(size + 1, b"x").ljust(1400, b"x")[:length]), length
    other_type = TYPE_TRANSPORT.to_bytes(4, "little") + os.urandom(size - 4)
    reserved_bytes = bytes([kind, 0, 0, 1]) + os.urandom(size - 4)
    assert sockets.passes(other_type)
    assert sockets.passes(reserved_bytes)
    assert mac1_filter.refused() == 0


def test_the_key_may_change_and_go(mac1_filter: Mac1Filter, sockets: Sockets) -> None:
    other = bytes(32)
    for kind, size in KINDS:
        assert sockets.passes(message(kind, size))
        mac1_filter.set_public_key(other)
        assert not sockets.passes(message(kind, size))
        assert sockets.passes(message(kind, size, other))
        mac1_filter.set_public_key(KEY)
        assert sockets.passes(message(kind, size))
        mac1_filter.set_public_key(None)


def test_a_socket_outlives_its_filter(mac1_filter: Mac1Filter) -> None:
    underlay = Underlay()
    underlay.set_public_key(KEY)
    opened = underlay.open(0, 0)
    assert "mac1" in opened.offloads
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as sender:
        sender.connect(("127.0.0.1", opened.port))
        sender.send(message(*KINDS[0], key=bytes(32)))
        assert underlay.refused() == 1
        underlay.close()
        sender.send(message(*KINDS[0]))
        assert [len(datagram) for datagram, *_ in opened.receive(opened.filenos()[0])] == [INITIATION_SIZE]
    opened.close()


def test_it_can_be_switched_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WGTUN_OFFLOAD", "no-mac1")
    underlay = Underlay()
    opened = underlay.open(0, 0)
    assert "mac1" not in opened.offloads
    assert underlay.refused() == 0
    opened.close()
    underlay.close()
