"""The handshake against captured and computed sessions, byte for byte, with every value on the way."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

import pytest
from cryptography.exceptions import InvalidTag

from tests.vectors import load
from wgtun.allowed_ip import AllowedIP
from wgtun.constants import SECOND
from wgtun.dataplane import DropReason, Keypair
from wgtun.endpoint import SocketAddress
from wgtun.engine.python.heart import Heart
from wgtun.errors import HandshakeError
from wgtun.keys import PrivateKey
from wgtun.noise.handshake import InitiatorHandshake, ReceivedInitiation, TransportKeys
from wgtun.noise.macs import MacChecker, MacGenerator, cookie_source
from wgtun.noise.pyca import PycaPrivate, PycaProvider, PycaSecret, PycaSymmetricState
from wgtun.path import Path

LIFETIME = 120 * SECOND


class RecordingState(PycaSymmetricState):
    """Notes chaining key, hash and cipher key after every step."""

    steps: list[dict[str, bytes]]

    def _note(self) -> None:
        self.steps.append({"ck": self._chaining_key, "h": self._hash, "k": self._cipher_key})

    def mix_hash(self, data: bytes) -> None:
        super().mix_hash(data)
        self._note()

    def mix_key(self, input_key_material: bytes | object) -> None:
        super().mix_key(input_key_material)
        self._note()

    def copy(self) -> RecordingState:
        other = RecordingState(self._chaining_key, self._hash, self._cipher_key)
        other.steps = self.steps
        return other


class RecordingProvider(PycaProvider):
    def __init__(self) -> None:
        self.steps: list[dict[str, bytes]] = []

    def symmetric_state(self) -> RecordingState:
        state = RecordingState()
        state.steps = self.steps
        return state


class Session(NamedTuple):
    """One session of the vectors."""

    values: dict[str, bytes]
    psk: bytes
    initiator_index: int
    responder_index: int

    def private(self, name: str) -> PycaPrivate:
        return PycaProvider().load_private(self.values[name])


def session(name: str) -> Session:
    values = load(name)
    return Session(
        values,
        values.get("psk", bytes(32)),
        int.from_bytes(values["initiation"][4:8], "little"),
        int.from_bytes(values["response"][4:8], "little"),
    )


@pytest.fixture(params=["capture1", "deterministic"])
def vectors(request: pytest.FixtureRequest) -> Session:
    return session(request.param)


def initiate(vectors: Session, provider: PycaProvider) -> tuple[InitiatorHandshake, bytes]:
    static = vectors.private("s_i")
    return InitiatorHandshake.start(
        provider,
        static,
        vectors.values["S_r"],
        static.exchange(vectors.values["S_r"]),
        ephemeral=vectors.private("e_i"),
        sender_index=vectors.initiator_index,
        timestamp=vectors.values["timestamp"],
    )


def respond(vectors: Session, provider: PycaProvider) -> tuple[bytes, TransportKeys]:
    static = vectors.private("s_r")
    received = ReceivedInitiation.open(provider, static, vectors.values["initiation"])
    assert received.remote_static == vectors.values["S_i"]
    assert received.remote_index == vectors.initiator_index
    timestamp = received.open_timestamp(static.exchange(received.remote_static))
    assert timestamp == vectors.values["timestamp"]
    return received.respond(
        ephemeral=vectors.private("e_r"), sender_index=vectors.responder_index, preshared_key=vectors.psk
    )


def assert_passes_through(provider: RecordingProvider, vectors: Session, part: str, names: list[str]) -> None:
    reached = {step[part] for step in provider.steps}
    for name in names:
        if name in vectors.values:
            assert vectors.values[name] in reached, name


def test_public_keys(vectors: Session) -> None:
    for private, public in (("s_i", "S_i"), ("s_r", "S_r"), ("e_i", "E_i"), ("e_r", "E_r")):
        if public in vectors.values:
            assert vectors.private(private).public == vectors.values[public]
            assert bytes(PrivateKey(vectors.values[private]).public_key()) == vectors.values[public]


def test_diffie_hellman(vectors: Session) -> None:
    e_i, e_r = vectors.private("e_i").public, vectors.private("e_r").public
    values = vectors.values
    for private, public, name in (
        ("e_i", values["S_r"], "DH(e_i,S_r)"),
        ("s_r", e_i, "DH(e_i,S_r)"),
        ("s_i", values["S_r"], "DH(s_i,S_r)"),
        ("s_r", values["S_i"], "DH(s_i,S_r)"),
        ("e_r", e_i, "DH(e_r,E_i)"),
        ("e_i", e_r, "DH(e_r,E_i)"),
        ("e_r", values["S_i"], "DH(e_r,S_i)"),
        ("s_i", e_r, "DH(e_r,S_i)"),
    ):
        assert vectors.private(private).exchange(public).value == values[name]


def test_initiation_is_built_byte_for_byte(vectors: Session) -> None:
    provider = RecordingProvider()
    _, message = initiate(vectors, provider)
    assert MacGenerator(vectors.values["S_r"]).append_macs(0, message, LIFETIME) == vectors.values["initiation"]
    assert_passes_through(provider, vectors, "ck", ["ck after e", "ck after es", "ck after ss"])
    assert_passes_through(provider, vectors, "k", ["k static", "k timestamp"])
    assert_passes_through(provider, vectors, "h", ["h0", "h after e", "h after static", "h after timestamp"])


RESPONSE_CK = ["ck after e_r", "ck after ee", "ck after se"]
RESPONSE_H = ["h after e_r", "h after tau", "h final"]


def test_response_is_built_byte_for_byte(vectors: Session) -> None:
    provider = RecordingProvider()
    message, _ = respond(vectors, provider)
    assert MacGenerator(vectors.values["S_i"]).append_macs(0, message, LIFETIME) == vectors.values["response"]
    assert_passes_through(provider, vectors, "ck", ["ck after es", "ck after ss", *RESPONSE_CK])
    assert_passes_through(provider, vectors, "h", ["h after timestamp", *RESPONSE_H])


def test_response_is_consumed_and_gives_the_transport_keys(vectors: Session) -> None:
    provider = RecordingProvider()
    handshake, _ = initiate(vectors, provider)
    keys = handshake.consume_response(vectors.values["response"], vectors.psk)
    assert_passes_through(provider, vectors, "ck", RESPONSE_CK)
    assert_passes_through(provider, vectors, "h", RESPONSE_H)
    _, responder_keys = respond(vectors, provider)
    for name, aead in (
        ("key to responder", keys.send),
        ("key to initiator", keys.receive),
        ("key to responder", responder_keys.receive),
        ("key to initiator", responder_keys.send),
    ):
        expected = provider.aead(vectors.values[name])
        assert aead.encrypt(bytes(12), b"x", None) == expected.encrypt(bytes(12), b"x", None), name


def test_mac1_of_both_messages(vectors: Session) -> None:
    for static, message in (("S_r", "initiation"), ("S_i", "response")):
        assert MacChecker(vectors.values[static]).check_mac1(vectors.values[message])
        other = "S_i" if static == "S_r" else "S_r"
        assert not MacChecker(vectors.values[other]).check_mac1(vectors.values[message])


class OpenFilter:
    def set_public_key(self, public_key: bytes | None) -> None:
        pass

    def admit(self, now: int, message: bytes, address: SocketAddress, backlog: int) -> DropReason | bytes | None:
        return None


def test_transport_messages_of_both_sides(vectors: Session) -> None:
    """The engine seals and opens the very bytes of the vectors."""
    provider = PycaProvider()
    values = vectors.values
    paths = Path(("192.0.2.1", 1)), Path(("192.0.2.2", 2))
    hearts = []
    for initiator in (True, False):
        heart = Heart(OpenFilter(), InvalidTag)
        heart.add_peer(1)
        heart.insert_allowed_ip(1, AllowedIP.parse("0.0.0.0/0"))
        heart.set_path(1, paths[initiator])
        heart.set_up(True)
        keys = [provider.aead(values["key to responder"]), provider.aead(values["key to initiator"])]
        indices = [vectors.initiator_index, vectors.responder_index]
        if not initiator:
            keys.reverse()
            indices.reverse()
        heart.install_keypair(0, 1, Keypair(keys[0], keys[1], indices[0], indices[1], initiator))
        hearts.append(heart)
    first, second = hearts
    if "keepalive from initiator" in values:
        first.send_keepalive(0, 1)
        assert first.datagrams == [(values["keepalive from initiator"], paths[True], 0)]
        second.inbound(0, values["keepalive from initiator"], paths[False])
        assert not second.packets
    packets = (
        values.get("packet from initiator", values.get("packet", b"")),
        values.get("packet from responder", values.get("packet", b"")),
    )
    first.datagrams.clear()
    for sender, receiver, packet, name in (
        (first, second, packets[0], "transport from initiator"),
        (second, first, packets[1], "transport from responder"),
    ):
        packet = packet[: int.from_bytes(packet[2:4], "big")]  # the captured ones are shown with their padding
        sender.outbound(0, packet)
        assert [datagram for datagram, _, _ in sender.datagrams] == [values[name]]
        receiver.inbound(0, values[name], Path(("192.0.2.9", 9)))
        assert [bytes(received) for received in receiver.packets] == [packet]


@pytest.mark.parametrize(
    ("name", "ephemeral", "public", "timestamp"),
    [
        (
            "session 2 initiation",
            "50bbfcdc3fb2def034b769a0993996cfefa5a55b2b3fb8b8c0d69410ada85f41",
            "a1e1ef034d269e52fcda161747e7d7b412165ff3f723ebd205e32b4a87868634",
            "400000005b5265071d3ca7b4",
        ),
        (
            "psk A initiation",
            "882bf65538bf042fead1e814f77d4a5ebad0e134b05da7b3320ae187bb826d7b",
            "f30ceb67148dd27c78d52d0196b6b78b71542986f563ac898879353f022f1747",
            "400000005b60ed663156716e",
        ),
    ],
)
def test_further_captured_initiations(name: str, ephemeral: str, public: str, timestamp: str) -> None:
    message = load("more_initiations")[name]
    capture = session("capture1")
    static = capture.private("s_r")
    assert MacChecker(static.public).check_mac1(message)
    received = ReceivedInitiation.open(PycaProvider(), static, message)
    assert received.remote_static == capture.values["S_i"]
    assert received.open_timestamp(static.exchange(received.remote_static)).hex() == timestamp
    assert bytes.fromhex(timestamp) > capture.values["timestamp"]
    private = PycaProvider().load_private(bytes.fromhex(ephemeral))
    assert private.public.hex() == public
    initiator = capture.private("s_i")
    _, rebuilt = InitiatorHandshake.start(
        PycaProvider(),
        initiator,
        static.public,
        initiator.exchange(static.public),
        ephemeral=private,
        sender_index=int.from_bytes(message[4:8], "little"),
        timestamp=bytes.fromhex(timestamp),
    )
    assert MacGenerator(static.public).append_macs(0, rebuilt, LIFETIME) == message


@pytest.mark.parametrize(
    ("private", "public"),
    [
        (
            "f8c1e8f6c7e48cfb230b1ee56d58512c3bccc58bd38ab39014349dcc05ba9144",
            "7f9aecc33acf8d57174635fc84e3745bcbc6599649c376ca1271ca9d59bf2022",
        ),
        (
            "b01bf5761b26eb771bbd632ffd730bf9bbf29c1a7d3d3758f55be9b6edc74258",
            "2cf0e5dc16a9af302686f15e57cb5ae9820616cea59b8d0b5466543a4f4e2609",
        ),
        (
            "f06d4ddcb9c4a980bbf8d5bf6fa9aa71e55420604c0194a6f88a701b55348f4c",
            "394ce1067faccdff74d71ddde6450ccedb94839008a7a2c0cdb0b4abe080565b",
        ),
        (
            "d06eade63d41fd67bae4c5d5101206b9119869dc01d884ddbc9a2fb40b804e67",
            "c8f740920d26daf84116f77732d38500052eb95a6f9dcd9117a2af3d0f041261",
        ),
    ],
)
def test_further_captured_ephemeral_keys(private: str, public: str) -> None:
    assert PycaProvider().load_private(bytes.fromhex(private)).public.hex() == public


@pytest.mark.parametrize(("family", "host"), [("ipv4", "192.0.2.1"), ("ipv6", "2001:db8::1")])
def test_cookies(family: str, host: str) -> None:
    values = load("deterministic")
    source = cookie_source(host, 51820)
    assert source == values[f"{family} source"]
    drawn: list[bytes] = [values["nonce"], values["cookie secret"]]
    random: Callable[[int], bytes] = lambda size: drawn.pop()  # noqa: E731
    checker = MacChecker(values["S_r"], random)
    initiation = values["initiation"]
    reply = checker.create_cookie_reply(0, initiation, source, LIFETIME)
    assert reply == values[f"{family} cookie reply"]
    generator = MacGenerator(values["S_r"])
    first = generator.append_macs(0, initiation[:-32], LIFETIME)
    assert first == initiation
    generator.consume_cookie_reply(0, reply)
    second = generator.append_macs(1, initiation[:-32], LIFETIME)
    assert second == initiation[:-16] + values[f"{family} mac2"]
    assert checker.check_mac2(1, second, source, LIFETIME)
    assert not checker.check_mac2(1, initiation, source, LIFETIME)
    assert not checker.check_mac2(1, second, cookie_source(host, 51821), LIFETIME)
    assert not checker.check_mac2(1, second, cookie_source("192.0.2.77", 51820), LIFETIME)
    assert generator.append_macs(LIFETIME, initiation[:-32], LIFETIME) == initiation, "an old cookie is not used"


def test_a_cookie_reply_needs_the_last_message_it_answers() -> None:
    values = load("deterministic")
    generator = MacGenerator(values["S_r"])
    with pytest.raises(HandshakeError):
        generator.consume_cookie_reply(0, values["ipv4 cookie reply"])
    generator.append_macs(0, values["initiation"][:-32], LIFETIME)
    generator.append_macs(0, values["initiation"][:-33] + b"x", LIFETIME)
    with pytest.raises(HandshakeError):
        generator.consume_cookie_reply(0, values["ipv4 cookie reply"])


def test_cookies_outlive_the_change_of_their_secret() -> None:
    values = load("deterministic")
    checker = MacChecker(values["S_r"])
    source = cookie_source("192.0.2.1", 1)
    message = values["initiation"]
    generator = MacGenerator(values["S_r"])
    generator.append_macs(0, message[:-32], LIFETIME)
    almost = LIFETIME - 1
    checker.create_cookie_reply(0, message, source, LIFETIME)
    generator.consume_cookie_reply(almost, checker.create_cookie_reply(almost, message, source, LIFETIME))
    sealed = generator.append_macs(LIFETIME + 1, message[:-32], LIFETIME)
    checker.create_cookie_reply(LIFETIME + 1, message, source, LIFETIME)
    assert checker.check_mac2(LIFETIME + 1, sealed, source, LIFETIME)
    assert not checker.check_mac2(2 * LIFETIME, sealed, source, LIFETIME)


def test_secrets_do_not_show_themselves() -> None:
    capture = session("capture1")
    secret = capture.private("e_i").exchange(capture.values["S_r"])
    assert isinstance(secret, PycaSecret)
    handshake, _ = initiate(capture, PycaProvider())
    for thing in (secret, handshake, capture.private("s_i"), PycaSymmetricState(), MacGenerator(capture.values["S_r"])):
        shown = repr(thing) + str(thing)
        for value in (secret.value, capture.values["s_i"], capture.values["e_i"]):
            assert value.hex() not in shown
            assert repr(value)[2:-1] not in shown
