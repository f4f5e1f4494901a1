"""The crypto provider over `cryptography` (PyCA).

Python can't promise to wipe what it held; the native provider does.
"""

from __future__ import annotations

import hmac
from hashlib import blake2s

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.backends.openssl import backend as _  # noqa: F401  # at first use it may be out of reach
from cryptography.hazmat.primitives.asymmetric.x25519 import X25519PrivateKey, X25519PublicKey
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from wgtun.dataplane import Aead
from wgtun.errors import HandshakeError
from wgtun.noise.provider import Secret

_CONSTRUCTION = b"Noise_IKpsk2_25519_ChaChaPoly_BLAKE2s"
_IDENTIFIER = b"WireGuard v1 zx2c4 Jason@zx2c4.com"
_NONCE = bytes(12)  # each key of a handshake encrypts once


def _hash(data: bytes) -> bytes:
    return blake2s(data).digest()


def _hmac(key: bytes, data: bytes) -> bytes:
    return hmac.digest(key, data, blake2s)


def kdf(key: bytes, material: bytes, count: int) -> list[bytes]:
    """HKDF over HMAC-BLAKE2s: `count` outputs of 32 bytes."""
    secret = _hmac(key, material)
    outputs: list[bytes] = []
    previous = b""
    for number in range(1, count + 1):
        previous = _hmac(secret, previous + bytes((number,)))
        outputs.append(previous)
    return outputs


_INITIAL_KEY = _hash(_CONSTRUCTION)
_INITIAL_HASH = _hash(_INITIAL_KEY + _IDENTIFIER)


class PycaSecret:
    """A shared secret that does not show itself."""

    __slots__ = ("value",)

    def __init__(self, value: bytes) -> None:
        self.value = value


class PycaPrivate:
    """A private key held by `cryptography`."""

    __slots__ = ("_key", "public")

    def __init__(self, key: X25519PrivateKey) -> None:
        self._key = key
        self.public = key.public_key().public_bytes_raw()

    def exchange(self, public: bytes) -> PycaSecret:
        try:
            value = self._key.exchange(X25519PublicKey.from_public_bytes(public))
        except ValueError:  # the library refuses an all-zero result
            raise HandshakeError("invalid public key") from None
        return PycaSecret(value)


class PycaSymmetricState:
    """See `provider.SymmetricState`."""

    __slots__ = ("_chaining_key", "_cipher_key", "_hash")

    def __init__(
        self, chaining_key: bytes = _INITIAL_KEY, hash_: bytes = _INITIAL_HASH, cipher_key: bytes = b""
    ) -> None:
        self._chaining_key = chaining_key
        self._hash = hash_
        self._cipher_key = cipher_key

    def mix_hash(self, data: bytes) -> None:
        self._hash = _hash(self._hash + data)

    def mix_key(self, input_key_material: bytes | Secret) -> None:
        self._chaining_key, self._cipher_key = kdf(self._chaining_key, _material(input_key_material), 2)

    def mix_key_and_hash(self, input_key_material: bytes) -> None:
        self._chaining_key, hash_input, self._cipher_key = kdf(self._chaining_key, input_key_material, 3)
        self.mix_hash(hash_input)

    def encrypt_and_hash(self, plaintext: bytes) -> bytes:
        ciphertext = ChaCha20Poly1305(self._cipher_key).encrypt(_NONCE, plaintext, self._hash)
        self.mix_hash(ciphertext)
        return ciphertext

    def decrypt_and_hash(self, ciphertext: bytes) -> bytes:
        try:
            plaintext = ChaCha20Poly1305(self._cipher_key).decrypt(_NONCE, ciphertext, self._hash)
        except InvalidTag:
            raise HandshakeError("a handshake message that is not authentic") from None
        self.mix_hash(ciphertext)
        return plaintext

    def split(self) -> tuple[Aead, Aead]:
        first, second = kdf(self._chaining_key, b"", 2)
        return ChaCha20Poly1305(first), ChaCha20Poly1305(second)

    def copy(self) -> PycaSymmetricState:
        return PycaSymmetricState(self._chaining_key, self._hash, self._cipher_key)


def _material(input_key_material: bytes | Secret) -> bytes:
    if isinstance(input_key_material, PycaSecret):
        return input_key_material.value
    assert isinstance(input_key_material, bytes)  # a secret of another provider is a bug
    return input_key_material


class PycaProvider:
    """See `provider.CryptoProvider`."""

    name = "pyca"
    invalid_tag: type[Exception] = InvalidTag

    def load_private(self, key: bytes) -> PycaPrivate:
        return PycaPrivate(X25519PrivateKey.from_private_bytes(key))

    def generate_private(self) -> PycaPrivate:
        return PycaPrivate(X25519PrivateKey.generate())

    def symmetric_state(self) -> PycaSymmetricState:
        return PycaSymmetricState()

    def aead(self, key: bytes) -> Aead:
        return ChaCha20Poly1305(key)
