"""XChaCha20-Poly1305, which seals cookies: ChaCha20-Poly1305 under a key that HChaCha20 makes from 16 bytes of nonce.

Source: draft-irtf-cfrg-xchacha.
"""

from __future__ import annotations

from struct import Struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers import Cipher
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305
from cryptography.hazmat.primitives.ciphers.algorithms import ChaCha20

from wgtun.errors import HandshakeError

_WORDS = Struct("<16I")
_CONSTANTS = Struct("<4I").pack(0x61707865, 0x3320646E, 0x79622D32, 0x6B206574)


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    """A subkey of 32 bytes from a key of 32 and a nonce of 16 bytes.

    It is the first and last row of the state after ChaCha20's rounds. The cipher gives their sum with the state before,
    of which these rows are known: the constants, and the nonce.
    """
    summed = _WORDS.unpack(Cipher(ChaCha20(key, nonce), None).encryptor().update(bytes(_WORDS.size)))
    before = _WORDS.unpack(_CONSTANTS + bytes(32) + nonce)
    state = _WORDS.pack(*((after - word) & 0xFFFFFFFF for after, word in zip(summed, before, strict=True)))
    return state[:16] + state[48:]


def seal(key: bytes, nonce: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
    """Encrypt under a nonce of 24 bytes; the tag is the last 16 bytes."""
    return ChaCha20Poly1305(hchacha20(key, nonce[:16])).encrypt(bytes(4) + nonce[16:], plaintext, associated_data)


def open_sealed(key: bytes, nonce: bytes, ciphertext: bytes, associated_data: bytes) -> bytes:
    """Decrypt what `seal` made. Raises HandshakeError."""
    try:
        return ChaCha20Poly1305(hchacha20(key, nonce[:16])).decrypt(bytes(4) + nonce[16:], ciphertext, associated_data)
    except InvalidTag:
        raise HandshakeError("a cookie that is not authentic") from None
