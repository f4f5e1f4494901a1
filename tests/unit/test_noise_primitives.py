"""Primitives, refusals, timestamps: reference 11.2, 11.6 and 11.11."""

from __future__ import annotations

import hmac
import random
from hashlib import blake2s

import pytest
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from wgtun.constants import SECOND
from wgtun.errors import HandshakeError
from wgtun.noise import messages, tai64n, xchacha
from wgtun.noise.blake2s import compress, keyed_state
from wgtun.noise.handshake import InitiatorHandshake, ReceivedInitiation
from wgtun.noise.pyca import PycaProvider, PycaSymmetricState, kdf

COUNTING = bytes(range(32))

LOW_ORDER = [
    "00" * 32,
    "01" + "00" * 31,
    "e0eb7a7c3b41b8ae1656e3faf19fc46ada098deb9c32b1fd866205165f49b800",
    "5f9c95bca3508c24b1d0b1559c83ef5b04445cc4581c8e86d8224eddd09f1157",
    "ecffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "edffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
    "eeffffffffffffffffffffffffffffffffffffffffffffffffffffffffffff7f",
]


@pytest.mark.parametrize(
    ("key", "material", "outputs"),
    [
        (
            b"test-key",
            b"test-input",
            [
                "6f0e5ad38daba1bea8a0d213688736f19763239305e0f58aba697f9ffc41c633",
                "df1194df20802a4fe594cde27e92991c8cae66c366e8106aaa937a55fa371e8a",
                "fac6e2745a325f5dc5d11a5b165aad08b0ada28e7b4e666b7c077934a4d76c24",
            ],
        ),
        (
            b"wireguard",
            b"wireguard",
            [
                "491d43bbfdaa8750aaf535e334ecbfe5129967cd64635101c566d4caefda96e8",
                "1e71a379baefd8a79aa4662212fcafe19a23e2b609a3db7d6bcba8f560e3d25f",
                "31e1ae48bddfbe5de38f295e5452b1909a1b4e38e183926af3780b0c1e1f0160",
            ],
        ),
        (
            b"",
            b"",
            [
                "8387b46bf43eccfcf349552a095d8315c4055beb90208fb1be23b894bc2ed5d0",
                "58a0e5f6faefccf4807bff1f05fa8a9217945762040bcec2f4b4a62bdfe0e86e",
                "0ce6ea98ec548f8e281e93e32db65621c45eb18dc6f0a7ad94178610a2f7338e",
            ],
        ),
    ],
)
def test_kdf(key: bytes, material: bytes, outputs: list[str]) -> None:
    for count in (1, 2, 3):
        assert [output.hex() for output in kdf(key, material, count)] == outputs[:count]


def test_initial_state() -> None:
    state = PycaSymmetricState()
    assert state._chaining_key.hex() == "60e26daef327efc02ec335e2a025d2d016eb4206f87277f52d38d1988b78cd36"
    assert state._hash.hex() == "2211b361081ac566691243db458ad5322d9c6c662293e8b70ee19c65ba079ef3"


def test_blake2s() -> None:
    assert blake2s(b"").hexdigest() == "69217a3079908094e11121d042354a7c1f55b6482ca1a51e1b250dfd1ed0eef9"
    assert blake2s(b"abc").hexdigest() == "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982"
    for key, data, expected in (
        (COUNTING, b"", "9536f9b267655743dee97b8a670f9f53"),
        (COUNTING, bytes(range(64)), "f1efa90d2547036841ecd3627fafbc36"),
        (COUNTING[:16], b"abc", "75296c2d2c0f51210b383f386bc8b1ff"),
    ):
        assert blake2s(data, key=key, digest_size=16).hexdigest() == expected


def test_hmac_blake2s() -> None:
    for key, data, expected in (
        (b"", b"", "eaf4bb25938f4d20e72656bbbc7a9bf63c0c18537333c35bdb67db1402661acd"),
        (
            b"key",
            b"The quick brown fox jumps over the lazy dog",
            "f93215bb90d4af4c3061cd932fb169fb8bb8a91d0b4022baea1271e1323cd9a0",
        ),
    ):
        assert hmac.digest(key, data, blake2s).hex() == expected


def test_transport_aead() -> None:
    aead = PycaProvider().aead(COUNTING)
    assert aead.encrypt(bytes(12), b"", None).hex() == "10324f800a160bd9a1794255be7ec29d"
    nonce = bytes(4) + 0x0102030405060708.to_bytes(8, "little")
    assert aead.encrypt(nonce, b"abc", None).hex() == "912bcecce42fd8b8925c23e9d6e58ac22209b8"
    with pytest.raises(PycaProvider.invalid_tag):
        aead.decrypt(nonce, bytes(19), None)


def test_hchacha20() -> None:
    nonce = bytes.fromhex("000000090000004a0000000031415927")
    expected = "82413b4227b27bfed30e42508a877d73a0f9e4d58a74a853c12ec41326d3ecdc"
    assert xchacha.hchacha20(COUNTING, nonce).hex() == expected


def test_xchacha20_poly1305() -> None:
    key, nonce = bytes(range(0x80, 0xA0)), bytes(range(0x40, 0x58))
    associated = bytes.fromhex("50515253c0c1c2c3c4c5c6c7")
    text = (
        b"Ladies and Gentlemen of the class of '99: If I could offer you only one tip for the future, "
        b"sunscreen would be it."
    )
    sealed = xchacha.seal(key, nonce, text, associated)
    assert sealed.hex() == (
        "bd6d179d3e83d43b9576579493c0e939572a1700252bfaccbed2902c21396cbb731c7f1b0b4aa6440bf3a82f4eda7e39"
        "ae64c6708c54c216cb96b72e1213b4522f8c9ba40db5d945b11b69b982c1bb9e3f3fac2bc369488f76b2383565d3fff9"
        "21f9664c97637da9768812f615c68b13b52ec0875924c1c7987947deafd8780acf49"
    )
    assert xchacha.open_sealed(key, nonce, sealed, associated) == text
    with pytest.raises(HandshakeError):
        xchacha.open_sealed(key, nonce, sealed, b"")


def test_public_key_of_the_zero_scalar() -> None:
    expected = "2fe57da347cd62431528daac5fbb290730fff684afc4cfc2ed90995f58cb3b74"
    assert PycaProvider().load_private(bytes(32)).public.hex() == expected


def test_chacha20_poly1305_rfc_8439() -> None:
    key, nonce = bytes(range(0x80, 0xA0)), bytes.fromhex("070000004041424344454647")
    sealed = ChaCha20Poly1305(key).encrypt(nonce, b"Ladies and Gentlemen", b"PQRS\xc0\xc1\xc2\xc3\xc4\xc5\xc6\xc7")
    assert sealed[:20].hex() == "d31a8d34648e60db7b86afbc53ef7ec2a4aded51"


@pytest.mark.parametrize("point", LOW_ORDER)
def test_low_order_points_are_refused_in_every_use(point: str) -> None:
    provider = PycaProvider()
    public = bytes.fromhex(point)
    ours, theirs = provider.generate_private(), provider.generate_private()
    with pytest.raises(HandshakeError):
        ours.exchange(public)
    with pytest.raises(HandshakeError):
        InitiatorHandshake.start(
            provider, ours, public, ours.exchange(theirs.public),
            ephemeral=provider.generate_private(), sender_index=1, timestamp=bytes(12),
        )  # fmt: skip
    initiation = messages.Initiation(1, public, bytes(48), bytes(28)).pack() + bytes(32)
    with pytest.raises(HandshakeError):
        ReceivedInitiation.open(provider, ours, initiation)
    handshake, _ = InitiatorHandshake.start(
        provider, ours, theirs.public, ours.exchange(theirs.public),
        ephemeral=provider.generate_private(), sender_index=1, timestamp=bytes(12),
    )  # fmt: skip
    with pytest.raises(HandshakeError):
        handshake.consume_response(messages.Response(1, 1, public, bytes(16)).pack() + bytes(32), bytes(32))


@pytest.mark.parametrize("seed", range(5))
def test_random_handshakes_agree_and_every_flipped_bit_is_refused(seed: int) -> None:
    rng = random.Random(seed)
    provider = PycaProvider()
    alice, bob = (provider.load_private(rng.randbytes(32)) for _ in range(2))
    psk = rng.randbytes(32)
    stamp = tai64n.stamp(rng.randrange(10**18))
    handshake, initiation = InitiatorHandshake.start(
        provider, alice, bob.public, alice.exchange(bob.public),
        ephemeral=provider.generate_private(), sender_index=7, timestamp=stamp,
    )  # fmt: skip
    initiation += bytes(32)

    def receive(message: bytes) -> ReceivedInitiation:
        received = ReceivedInitiation.open(provider, bob, message)
        assert received.open_timestamp(bob.exchange(received.remote_static)) == stamp
        return received

    for position in range(8, 116):  # from the ephemeral key to the timestamp
        flipped = bytearray(initiation)
        flipped[position] ^= 1 << rng.randrange(7)  # X25519 ignores the highest bit of a public key
        with pytest.raises(HandshakeError):
            receive(bytes(flipped))

    response, responder = receive(initiation).respond(
        ephemeral=provider.generate_private(), sender_index=9, preshared_key=psk
    )
    response += bytes(32)
    for position in range(12, 60):
        flipped = bytearray(response)
        flipped[position] ^= 1 << rng.randrange(7)
        with pytest.raises(HandshakeError):
            handshake.consume_response(bytes(flipped), psk)
    with pytest.raises(HandshakeError):
        handshake.consume_response(response, bytes(32))
    keys = handshake.consume_response(response, psk)  # all of that left the handshake intact
    for sender, receiver in ((keys.send, responder.receive), (responder.send, keys.receive)):
        assert receiver.decrypt(bytes(12), sender.encrypt(bytes(12), b"hello", None), None) == b"hello"


@pytest.mark.parametrize("parse", [messages.Initiation.parse, messages.Response.parse, messages.CookieReply.parse])
def test_messages_of_another_type_or_length_are_refused(parse: object) -> None:
    assert callable(parse)
    for size in (0, 3, 4, 63, 64, 65, 91, 92, 93, 147, 148, 149):
        for kind in (0, 1, 2, 3, 4, 0x01000001):
            message = kind.to_bytes(4, "little") + bytes(max(0, size - 4))
            if (kind, len(message)) not in ((1, 148), (2, 92), (3, 64)):
                with pytest.raises(HandshakeError):
                    parse(message[:size])


def test_tai64n() -> None:
    assert tai64n.stamp(0).hex() == "400000000000000a00000000"
    assert tai64n.stamp(1_700_000_000 * SECOND + 360_000_000).hex() == "400000006553f10a15000000"
    base = tai64n.stamp(123_456_789)
    for later in (10, 10_000, 1_000_000, 10_000_000):
        assert tai64n.stamp(123_456_789 + later) <= base
    assert tai64n.stamp(123_456_789 + 20_000_000) > base
    assert tai64n.stamp(5 * SECOND, base) == tai64n.stamp(5 * SECOND), "time goes on: nothing to do"
    for seconds_back in range(100):  # the clock stands, or goes back
        following = tai64n.stamp(123_456_789 - seconds_back * SECOND, base)
        assert following > base
        assert following[8:] < SECOND.to_bytes(4, "big")
        assert not int.from_bytes(following[8:], "big") & 0xFFFFFF
        base = following
    assert base <= tai64n.stamp(123_456_789 + 100 * 17_000_000)


@pytest.mark.parametrize("size", [1, 31, 32])
def test_the_inside_of_blake2s_agrees_with_the_outside(size: int) -> None:
    key, data = COUNTING[:size], COUNTING[:7]
    state = compress(keyed_state(key, 16), data.ljust(64, b"\0"), 64 + len(data), is_last=True)
    assert (
        b"".join(word.to_bytes(4, "little") for word in state)[:16] == blake2s(data, key=key, digest_size=16).digest()
    )
