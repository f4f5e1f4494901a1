"""Both crypto providers: the same vectors, and each against the other."""

from __future__ import annotations

import os
import pickle
import random
from typing import TYPE_CHECKING, Any

import pytest

from tests.unit.test_noise_primitives import LOW_ORDER
from tests.vectors import load
from wgtun.errors import HandshakeError
from wgtun.noise.handshake import InitiatorHandshake, ReceivedInitiation, TransportKeys
from wgtun.noise.macs import MacGenerator
from wgtun.noise.pyca import PycaProvider

wgtun_native = pytest.importorskip("wgtun_native", reason="the native half is not built")

if TYPE_CHECKING:
    from wgtun.noise.provider import CryptoProvider

SEED = int(os.environ.get("WGTUN_SEED", "1"))
PROVIDERS: list[CryptoProvider] = [PycaProvider(), wgtun_native.Provider()]
BOTH = pytest.mark.parametrize("provider", PROVIDERS, ids=["pyca", "native"])


def handshake(
    ours: CryptoProvider,
    theirs: CryptoProvider,
    keys: dict[str, bytes],
    psk: bytes,
    timestamp: bytes,
    indices: list[int],
) -> tuple[bytes, bytes, TransportKeys, TransportKeys]:
    """One handshake: both messages without macs, and the transport keys of initiator and responder."""
    ours_static, theirs_static = ours.load_private(keys["s_i"]), theirs.load_private(keys["s_r"])
    initiator, initiation = InitiatorHandshake.start(
        ours,
        ours_static,
        theirs_static.public,
        ours_static.exchange(theirs_static.public),
        ephemeral=ours.load_private(keys["e_i"]),
        sender_index=indices[0],
        timestamp=timestamp,
    )
    received = ReceivedInitiation.open(theirs, theirs_static, initiation + bytes(32))
    assert received.remote_static == ours_static.public
    assert received.open_timestamp(theirs_static.exchange(ours_static.public)) == timestamp
    response, responder_keys = received.respond(
        ephemeral=theirs.load_private(keys["e_r"]), sender_index=indices[1], preshared_key=psk
    )
    return initiation, response, initiator.consume_response(response + bytes(32), psk), responder_keys


def assert_same_keys(ours: TransportKeys, theirs: TransportKeys) -> None:
    for sender, receiver in ((ours.send, theirs.receive), (theirs.send, ours.receive)):
        nonce, data, extra = bytes(4) + os.urandom(8), os.urandom(100), os.urandom(12)
        sealed = sender.encrypt(nonce, data, extra)
        assert receiver.encrypt(nonce, memoryview(data), extra) == sealed
        assert receiver.decrypt(nonce, memoryview(sealed), extra) == data


@BOTH
@pytest.mark.parametrize("name", ["capture1", "deterministic"])
def test_the_vectors(provider: CryptoProvider, name: str) -> None:
    values = load(name)
    indices = [int.from_bytes(values[message][4:8], "little") for message in ("initiation", "response")]
    psk = values.get("psk", bytes(32))
    initiation, response, ours, theirs = handshake(provider, provider, values, psk, values["timestamp"], indices)
    assert MacGenerator(values["S_r"]).append_macs(0, initiation, 1) == values["initiation"]
    assert MacGenerator(values["S_i"]).append_macs(0, response, 1) == values["response"]
    to_responder, to_initiator = provider.aead(values["key to responder"]), provider.aead(values["key to initiator"])
    assert_same_keys(ours, TransportKeys(send=to_initiator, receive=to_responder))
    assert_same_keys(ours, theirs)


@pytest.mark.parametrize("seed", range(SEED, SEED + 40))
def test_random_handshakes_between_and_beside_each_other(seed: int) -> None:
    rng = random.Random(seed)
    keys = {name: rng.randbytes(32) for name in ("s_i", "s_r", "e_i", "e_r")}
    arguments: Any = (keys, rng.choice((bytes(32), rng.randbytes(32))), rng.randbytes(12), [rng.getrandbits(32), 7])
    runs = [handshake(ours, theirs, *arguments) for ours in PROVIDERS for theirs in PROVIDERS]
    for initiation, response, ours, theirs in runs:
        assert (initiation, response) == runs[0][:2]
        assert_same_keys(ours, theirs)
        assert_same_keys(ours, runs[0][3])


@pytest.mark.parametrize("seed", range(SEED, SEED + 40))
def test_the_aead_of_each_opens_what_the_other_sealed(seed: int) -> None:
    rng = random.Random(seed)
    key, nonce = rng.randbytes(32), rng.randbytes(12)
    data, extra = rng.randbytes(rng.choice((0, 1, 15, 16, 17, 1420, 9000))), rng.choice((None, rng.randbytes(20)))
    pyca, native = (provider.aead(key) for provider in PROVIDERS)
    sealed = pyca.encrypt(nonce, data, extra)
    assert native.encrypt(nonce, data, extra) == sealed
    assert native.decrypt(nonce, sealed, extra) == data
    spoilt = bytearray(sealed)
    spoilt[rng.randrange(len(spoilt))] ^= 1 << rng.randrange(8)
    for provider in PROVIDERS:
        with pytest.raises(provider.invalid_tag):
            provider.aead(key).decrypt(nonce, bytes(spoilt), extra)
        with pytest.raises(provider.invalid_tag):
            provider.aead(key).decrypt(nonce, sealed[:15], extra)


@pytest.mark.mistake("all-zero or low-order keys")
@BOTH
@pytest.mark.parametrize("point", LOW_ORDER)
def test_low_order_points_are_refused(provider: CryptoProvider, point: str) -> None:
    with pytest.raises(HandshakeError):
        provider.generate_private().exchange(bytes.fromhex(point))


@BOTH
def test_a_changed_handshake_message_is_refused_and_changes_nothing(provider: CryptoProvider) -> None:
    values = load("deterministic")
    static = provider.load_private(values["s_r"])
    for at in (8, 40, 87):
        spoilt = bytearray(values["initiation"])
        spoilt[at] ^= 1
        with pytest.raises(HandshakeError):
            ReceivedInitiation.open(provider, static, bytes(spoilt))
    state = provider.symmetric_state()
    state.mix_key(bytes(32))
    before = state.copy()
    with pytest.raises(HandshakeError):
        state.decrypt_and_hash(bytes(48))
    assert state.encrypt_and_hash(b"x") == before.encrypt_and_hash(b"x")


def test_native_objects_show_and_give_away_nothing() -> None:
    provider = wgtun_native.Provider()
    secret = bytes(range(200, 232))
    private = provider.load_private(secret)
    shared = private.exchange(provider.generate_private().public)
    for made in (private, shared, provider.symmetric_state(), provider.aead(secret)):
        assert secret.hex() not in repr(made) + str(made)
        assert not hasattr(made, "__dict__")
        with pytest.raises(TypeError):
            pickle.dumps(made)
        with pytest.raises(AttributeError):
            made.anything = 1
        with pytest.raises(TypeError):
            type("Sub", (type(made),), {})
        with pytest.raises(TypeError):
            bytes(made)


@pytest.mark.parametrize(
    ("call", "problem"),
    [
        (lambda provider: provider.load_private(bytes(31)), "a private key has 32 bytes, not 31"),
        (lambda provider: provider.aead(b""), "a key has 32 bytes, not 0"),
        (lambda provider: provider.generate_private().exchange(bytes(33)), "a public key has 32 bytes, not 33"),
        (lambda provider: provider.aead(bytes(32)).encrypt(bytes(8), b"", None), "a nonce has 12 bytes, not 8"),
    ],
)
def test_wrong_lengths_are_named(call: Any, problem: str) -> None:
    with pytest.raises(ValueError, match=problem):
        call(wgtun_native.Provider())
