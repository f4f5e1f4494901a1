"""XChaCha20-Poly1305, which seals cookies: ChaCha20-Poly1305 under a key that HChaCha20 makes from 16 bytes of nonce.

Source: draft-irtf-cfrg-xchacha. Speed does not matter here: a cookie reply is sent and read under load only.
"""

from __future__ import annotations

from struct import Struct

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import ChaCha20Poly1305

from wgtun.errors import HandshakeError

_WORDS = Struct("<8I")
_NONCE_WORDS = Struct("<4I")
_CONSTANTS = (0x61707865, 0x3320646E, 0x79622D32, 0x6B206574)
_MASK = 0xFFFFFFFF
# Columns, then diagonals, of the four by four state.
_QUARTERS = (
    (0, 4, 8, 12), (1, 5, 9, 13), (2, 6, 10, 14), (3, 7, 11, 15),
    (0, 5, 10, 15), (1, 6, 11, 12), (2, 7, 8, 13), (3, 4, 9, 14),
)  # fmt: skip


def hchacha20(key: bytes, nonce: bytes) -> bytes:
    """A subkey of 32 bytes from a key of 32 and a nonce of 16 bytes."""
    x = [*_CONSTANTS, *_WORDS.unpack(key), *_NONCE_WORDS.unpack(nonce)]
    for _ in range(10):
        for a, b, c, d in _QUARTERS:
            for left, right, target, turn in ((a, b, d, 16), (c, d, b, 12), (a, b, d, 8), (c, d, b, 7)):
                x[left] = (x[left] + x[right]) & _MASK
                mixed = x[target] ^ x[left]
                x[target] = (mixed << turn | mixed >> (32 - turn)) & _MASK
    return _WORDS.pack(*x[:4], *x[12:])


def seal(key: bytes, nonce: bytes, plaintext: bytes, associated_data: bytes) -> bytes:
    """Encrypt under a nonce of 24 bytes; the tag is the last 16 bytes."""
    return ChaCha20Poly1305(hchacha20(key, nonce[:16])).encrypt(bytes(4) + nonce[16:], plaintext, associated_data)


def open_sealed(key: bytes, nonce: bytes, ciphertext: bytes, associated_data: bytes) -> bytes:
    """Decrypt what `seal` made. Raises HandshakeError."""
    try:
        return ChaCha20Poly1305(hchacha20(key, nonce[:16])).decrypt(bytes(4) + nonce[16:], ciphertext, associated_data)
    except InvalidTag:
        raise HandshakeError("a cookie that is not authentic") from None
