"""What the handshake asks of a crypto provider.

A provider keeps shared secrets, chaining keys and transport keys to itself: Python code above
this interface holds opaque objects only.
"""

from __future__ import annotations

from typing import Protocol

from wgtun.dataplane import Aead


class Secret(Protocol):
    """A shared secret, opaque to everyone but the provider that made it."""


class PrivateHandle(Protocol):
    """A Curve25519 private key, opaque."""

    @property
    def public(self) -> bytes:
        """The public key, 32 bytes."""

    def exchange(self, public: bytes) -> Secret:
        """X25519 with a public key of 32 bytes. Raises HandshakeError when the result is all zero."""


class SymmetricState(Protocol):
    """The chaining key, hash and cipher key of a handshake. Source: Noise specification, 5.2."""

    def mix_hash(self, data: bytes) -> None: ...
    def mix_key(self, input_key_material: bytes | Secret) -> None: ...
    def mix_key_and_hash(self, input_key_material: bytes) -> None: ...
    def encrypt_and_hash(self, plaintext: bytes) -> bytes: ...

    def decrypt_and_hash(self, ciphertext: bytes) -> bytes:
        """Raises HandshakeError for a wrong tag."""

    def split(self) -> tuple[Aead, Aead]:
        """The transport keys: initiator to responder, responder to initiator."""

    def copy(self) -> SymmetricState: ...


class CryptoProvider(Protocol):
    """Makes the objects above."""

    name: str
    invalid_tag: type[Exception]

    def load_private(self, key: bytes) -> PrivateHandle: ...
    def generate_private(self) -> PrivateHandle: ...

    def symmetric_state(self) -> SymmetricState:
        """A state initialised with WireGuard's construction and identifier."""

    def aead(self, key: bytes) -> Aead:
        """A transport key from 32 bytes."""
