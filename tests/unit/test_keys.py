"""Keys: spelling, clamping, comparison, silence."""

from __future__ import annotations

import copy
import json
import pickle
import shutil
import subprocess

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wgtun import InvalidKey, PresharedKey, PrivateKey, PublicKey

KINDS = [PrivateKey, PublicKey, PresharedKey]
SECRETS = [PrivateKey, PresharedKey]
RAW = bytes.fromhex("e84b5a6d2717c1003a13b431570353dbaca9146cf150c5f8575680feba52027a")
GOOD = "6EtabScXwQA6E7QxVwNT26ypFGzxUMX4V1aA/rpSAno="

BAD_BASE64 = [
    "", "=", GOOD[:-1], GOOD + "=", GOOD + "\n", " " + GOOD, GOOD[:-2] + "==", GOOD[:-2] + "p=",
    GOOD.replace("/", "_"), GOOD.replace("E", "é"), GOOD[:42] + "o", "A" * 44, "A" * 43, GOOD[:-1] + "A",
]  # fmt: skip
BAD_HEX = ["", "0" * 63, "0" * 65, "g" * 64, " " + "0" * 63, "0x" + "0" * 62, "\u0660" * 64, "0" * 64 + "\n"]

Kind = type[PrivateKey] | type[PublicKey] | type[PresharedKey]


@pytest.mark.parametrize("kind", KINDS)
def test_base64_and_hex_both_ways(kind: Kind) -> None:
    key = kind(RAW)
    assert key.base64() == GOOD
    assert key.hex() == RAW.hex()
    assert kind.from_base64(GOOD) == kind.from_hex(RAW.hex()) == kind.from_hex(RAW.hex().upper()) == key
    assert bytes(key) == key.raw == RAW


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", BAD_BASE64)
def test_bad_base64_is_refused_without_being_repeated(kind: Kind, text: str) -> None:
    with pytest.raises(InvalidKey) as caught:
        kind.from_base64(text)
    assert len(text) < 8 or text not in str(caught.value)


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("text", BAD_HEX)
def test_bad_hex_is_refused(kind: Kind, text: str) -> None:
    with pytest.raises(InvalidKey):
        kind.from_hex(text)


@pytest.mark.parametrize("size", [0, 31, 33])
def test_keys_have_32_bytes(size: int) -> None:
    with pytest.raises(InvalidKey):
        PublicKey(bytes(size))


@given(st.binary(min_size=32, max_size=32).filter(any))
def test_private_keys_are_clamped_when_made(raw: bytes) -> None:
    key = PrivateKey(raw).raw
    assert key[0] & 7 == 0
    assert key[31] & 128 == 0
    assert key[31] & 64
    assert key[1:31] == raw[1:31]
    assert PrivateKey(key).raw == key


def test_the_zero_key_stands_for_none() -> None:
    for kind in KINDS:
        assert kind(bytes(32)).is_zero()
        assert not kind(RAW).is_zero()
    assert PrivateKey(bytes(32)).raw == bytes(32)


def test_generated_keys_differ_and_are_clamped() -> None:
    assert PrivateKey.generate() != PrivateKey.generate()
    assert PresharedKey.generate() != PresharedKey.generate()
    generated = PrivateKey.generate()
    assert PrivateKey(generated.raw) == generated


def test_public_key() -> None:
    counting = bytes(range(1, 33))
    expected = "07a37cbc142093c8b755dc1b10e86cb426374ad16aa853ed0bdfc0b2b86d1c7c"
    assert PrivateKey(counting).public_key().hex() == expected


def test_only_keys_of_one_kind_are_equal() -> None:
    assert PrivateKey(RAW) == PrivateKey(RAW)
    assert PublicKey(RAW) != PublicKey(bytes(32))
    assert PublicKey(RAW) != PresharedKey(RAW)
    assert PublicKey(RAW) != RAW
    assert len({PublicKey(RAW), PublicKey(RAW)}) == 1


@pytest.mark.parametrize("kind", SECRETS)
def test_secrets_are_silent(kind: type[PrivateKey] | type[PresharedKey]) -> None:
    key = kind(RAW)
    for text in (repr(key), str(key), f"{key}", "%s" % key, repr([key]), repr({"key": key})):  # noqa: UP031
        assert GOOD not in text
        assert RAW.hex() not in text
        assert "hidden" in text
    with pytest.raises(TypeError):
        pickle.dumps(key)
    with pytest.raises(TypeError):
        json.dumps(key)
    with pytest.raises(TypeError):
        hash(key)
    assert copy.copy(key) is copy.deepcopy(key) is key


@pytest.mark.parametrize("kind", KINDS)
def test_keys_are_immutable(kind: Kind) -> None:
    key = kind(RAW)
    with pytest.raises(AttributeError):
        key._raw = bytes(32)
    with pytest.raises(AttributeError):
        del key._raw
    with pytest.raises(AttributeError):
        key.other = 1


def test_public_keys_show_pickle_and_abbreviate() -> None:
    key = PublicKey(RAW)
    assert GOOD in repr(key)
    assert str(key) == GOOD
    assert pickle.loads(pickle.dumps(key)) == key
    assert key.short() == f"{GOOD[:4]}…{GOOD[39:43]}"


@pytest.mark.skipif(shutil.which("wg") is None, reason="needs wg")
@pytest.mark.parametrize("text", [GOOD, *[bad for bad in BAD_BASE64 if bad.strip() == bad and bad]])
def test_wg_accepts_the_same_texts(text: str) -> None:
    theirs = subprocess.run(["wg", "pubkey"], input=text, capture_output=True, text=True, check=False)
    try:
        ours = PrivateKey.from_base64(text).public_key().base64()
    except InvalidKey:
        assert theirs.returncode != 0
    else:
        assert theirs.stdout.strip() == ours
