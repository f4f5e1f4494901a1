"""Noise_IKpsk2 as WireGuard uses it, token by token.

    <- s
    ...
    -> e, es, s, ss, {timestamp}
    <- e, ee, se, psk, {}

In WireGuard `e` mixes the ephemeral public key into the chaining key too, as Noise does for
every pattern with a psk. Sources: Noise specification 7.5 and 9; WireGuard paper 5.4.2, 5.4.3.
"""

from __future__ import annotations

from typing import NamedTuple

from wgtun.dataplane import Aead
from wgtun.noise.messages import Initiation, Response
from wgtun.noise.provider import CryptoProvider, PrivateHandle, Secret, SymmetricState


class TransportKeys(NamedTuple):
    """The two directions of a new session."""

    send: Aead
    receive: Aead


class InitiatorHandshake:
    """A handshake that we started and that waits for its response."""

    def __init__(
        self, state: SymmetricState, static: PrivateHandle, ephemeral: PrivateHandle, local_index: int
    ) -> None:
        self._state = state
        self._static = static
        self._ephemeral = ephemeral
        self.local_index = local_index

    @classmethod
    def start(
        cls,
        provider: CryptoProvider,
        static: PrivateHandle,
        remote_static: bytes,
        static_static: Secret,
        *,
        ephemeral: PrivateHandle,
        sender_index: int,
        timestamp: bytes,
    ) -> tuple[InitiatorHandshake, bytes]:
        """Make an initiation: the handshake, and the 116 bytes before the macs.

        `static_static` is the secret of both static keys, `timestamp` a TAI64N of 12 bytes.
        Raises HandshakeError when the remote key is a low-order point.
        """
        state = provider.symmetric_state()
        state.mix_hash(remote_static)
        # e
        state.mix_hash(ephemeral.public)
        state.mix_key(ephemeral.public)
        # es
        state.mix_key(ephemeral.exchange(remote_static))
        # s
        encrypted_static = state.encrypt_and_hash(static.public)
        # ss
        state.mix_key(static_static)
        encrypted_timestamp = state.encrypt_and_hash(timestamp)
        message = Initiation(sender_index, ephemeral.public, encrypted_static, encrypted_timestamp)
        return cls(state, static, ephemeral, sender_index), message.pack()

    def consume_response(self, message: bytes, preshared_key: bytes) -> TransportKeys:
        """The session that a response completes.

        Raises HandshakeError; the handshake is unchanged then and can take the true response.
        """
        response = Response.parse(message)
        state = self._state.copy()
        # e
        state.mix_hash(response.ephemeral)
        state.mix_key(response.ephemeral)
        # ee
        state.mix_key(self._ephemeral.exchange(response.ephemeral))
        # se
        state.mix_key(self._static.exchange(response.ephemeral))
        # psk
        state.mix_key_and_hash(preshared_key)
        state.decrypt_and_hash(response.encrypted_nothing)
        to_responder, to_initiator = state.split()
        return TransportKeys(send=to_responder, receive=to_initiator)


class ReceivedInitiation:
    """An initiation of which we know who sent it, and not yet whether it is authentic."""

    def __init__(self, state: SymmetricState, message: Initiation, remote_static: bytes) -> None:
        self._state = state
        self._message = message
        self.remote_static = remote_static
        self.remote_index = message.sender_index

    @classmethod
    def open(cls, provider: CryptoProvider, static: PrivateHandle, message: bytes) -> ReceivedInitiation:
        """Read up to the sender's static key. Raises HandshakeError."""
        initiation = Initiation.parse(message)
        state = provider.symmetric_state()
        state.mix_hash(static.public)
        # e
        state.mix_hash(initiation.ephemeral)
        state.mix_key(initiation.ephemeral)
        # es
        state.mix_key(static.exchange(initiation.ephemeral))
        # s
        remote_static = state.decrypt_and_hash(initiation.encrypted_static)
        return cls(state, initiation, remote_static)

    def open_timestamp(self, static_static: Secret) -> bytes:
        """Authenticate the sender; returns the TAI64N, 12 bytes. Raises HandshakeError. Call it once."""
        # ss
        self._state.mix_key(static_static)
        return self._state.decrypt_and_hash(self._message.encrypted_timestamp)

    def respond(
        self, *, ephemeral: PrivateHandle, sender_index: int, preshared_key: bytes
    ) -> tuple[bytes, TransportKeys]:
        """The 60 bytes of the response before its macs, and the session. After `open_timestamp`, once.

        Raises HandshakeError when the sender's ephemeral key is a low-order point.
        """
        state = self._state
        # e
        state.mix_hash(ephemeral.public)
        state.mix_key(ephemeral.public)
        # ee
        state.mix_key(ephemeral.exchange(self._message.ephemeral))
        # se
        state.mix_key(ephemeral.exchange(self.remote_static))
        # psk
        state.mix_key_and_hash(preshared_key)
        encrypted_nothing = state.encrypt_and_hash(b"")
        response = Response(sender_index, self.remote_index, ephemeral.public, encrypted_nothing)
        to_responder, to_initiator = state.split()
        return response.pack(), TransportKeys(send=to_initiator, receive=to_responder)
