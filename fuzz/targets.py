"""What is fuzzed: functions of bytes that raise when something is wrong."""

from __future__ import annotations

import contextlib
import sys
from collections.abc import Callable, Iterator
from struct import Struct

from fuzz.schedule import Schedule
from tests.simulation.world import Device, World
from wgtun.allowed_ip import AllowedIP
from wgtun.config.wgquick import dumps, parse
from wgtun.constants import SECOND, TYPE_TRANSPORT
from wgtun.endpoint import Endpoint
from wgtun.engine.python.heart import Heart
from wgtun.errors import ConfigError, HandshakeError, InvalidKey, UapiError
from wgtun.keys import PresharedKey, PrivateKey, PublicKey
from wgtun.noise.messages import CookieReply, Initiation, Response
from wgtun.path import Path
from wgtun.uapi.framing import Close, RequestParser
from wgtun.uapi.get_message import format_get, parse_get

if sys.platform == "linux":
    from wgtun.platform.linux import netlink

TRANSPORT = Struct("<IIQ")
NONCE = Struct("<4xQ")
STRANGER = Path(("203.0.113.5", 5555))


def handshake_messages(data: bytes) -> None:
    """A message is refused, or is what its parts give."""
    for kind in (Initiation, Response, CookieReply):
        with contextlib.suppress(HandshakeError):
            assert data.startswith(kind.parse(data).pack())


def datagrams(data: bytes) -> None:
    """Nothing that a stranger sends has any effect but to be counted, once."""
    _, _, bob = connected()
    before, dropped = sizes(bob), sum(bob.heart.drops().values())
    pieces = list(cut(data))
    for piece in pieces:
        bob.receive(piece, STRANGER)
    assert sizes(bob) == before
    assert sum(bob.heart.drops().values()) == dropped + len(pieces)


def packets(data: bytes) -> None:
    """What the system sends into the tunnel is sent, answered with ICMP, staged or counted; one of these."""
    world, alice, bob = connected()
    alice.heart.narrow_path(alice.moment().now, bob.address, 1280)
    for piece in cut(data):
        before = len(world.log) + sum(alice.heart.drops().values())
        alice.heart.outbound(alice.moment().now, piece)
        alice.settle()
        assert len(world.log) + sum(alice.heart.drops().values()) == before + 1
    world.run(seconds=1)


def inner_packets(data: bytes) -> None:
    """What a peer sends through the tunnel, whatever it is, comes out as its own or is counted."""
    world, alice, bob = connected()
    assert isinstance(alice.heart, Heart)
    peer = alice.heart._peers[alice.peer(bob).id]
    session = peer.slots.current
    assert session is not None
    for piece in cut(data):
        before = len(bob.received) + sum(bob.heart.drops().values())
        header = TRANSPORT.pack(TYPE_TRANSPORT, session.remote_index, session.send_counter)
        sealed = session.send.encrypt(NONCE.pack(session.send_counter), piece, None)
        session.send_counter += 1
        bob.receive(header + sealed, Path(alice.address))
        world.run(seconds=0.1)
        assert len(bob.received) + sum(bob.heart.drops().values()) == before + bool(piece)


def life(data: bytes) -> None:
    """Random events in the life of some devices; what must hold is in `fuzz.schedule`."""
    Schedule(data).run()


def uapi_requests(data: bytes) -> None:
    """How the stream is cut does not matter, and it ends in exactly one close."""
    whole, pieces = RequestParser(), RequestParser()
    operations = whole.feed(data) + whole.end()
    assert [isinstance(operation, Close) for operation in operations].index(True) == len(operations) - 1
    middle = len(data) // 2
    assert pieces.feed(data[:middle]) + pieces.feed(data[middle:]) + pieces.end() == operations


def uapi_answers(data: bytes) -> None:
    with contextlib.suppress(UapiError):
        device = parse_get(data)
        assert parse_get(format_get(device)) == device


def configurations(data: bytes) -> None:
    """A file is refused with its line, or says the same when it is written and read again."""
    with contextlib.suppress(ConfigError):
        document = parse(data.decode("utf-8", "replace"))
        assert parse(dumps(document.config)).config == document.config


def keys(data: bytes) -> None:
    text = data.decode("latin-1")
    for kind in (PrivateKey, PublicKey, PresharedKey):
        for read, write in ((kind.from_base64, kind.base64), (kind.from_hex, kind.hex)):
            with contextlib.suppress(InvalidKey):
                key = read(text)
                assert read(write(key)) == key


def addresses(data: bytes) -> None:
    """Endpoints and allowed IPs are refused, or survive being written."""
    text = data.decode("utf-8", "replace")
    for kind in (Endpoint, AllowedIP):
        with contextlib.suppress(ValueError):
            value = kind.parse(text)
            assert kind.parse(str(value)) == value


TARGETS: dict[str, Callable[[bytes], None]] = {
    target.__name__: target
    for target in (
        handshake_messages, datagrams, packets, inner_packets, life, uapi_requests, uapi_answers, configurations,
        keys, addresses,
    )
}  # fmt: skip

if sys.platform == "linux":

    def netlink_messages(data: bytes) -> None:
        list(netlink.parse_links(data))
        netlink.parse_route(data)

    TARGETS["netlink_messages"] = netlink_messages


def cut(data: bytes) -> Iterator[bytes]:
    """Pieces, each with its length in two bytes before it."""
    while len(data) >= 2:
        size = int.from_bytes(data[:2], "big") % 2048
        yield data[2 : 2 + size]
        data = data[2 + size :]


def connected() -> tuple[World, Device, Device]:
    """Two devices with a session, on the Python engine's hearts."""
    world = World(seed=1)
    alice, bob = world.pair()
    alice.send_to(bob)
    world.run(seconds=1)
    world.now += SECOND
    return world, alice, bob


def sizes(device: Device) -> tuple[int, ...]:
    """Everything that could grow."""
    return (*device.heart.holdings(), len(device.control._context.indices), len(device.received))
