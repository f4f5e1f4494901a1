"""The handshake messages on the wire. Numbers are little endian. Source: WireGuard paper, 5.4.2 to 5.4.7."""

from __future__ import annotations

from struct import Struct
from typing import NamedTuple

from wgtun.constants import (
    COOKIE_REPLY_SIZE,
    INITIATION_SIZE,
    MAC_SIZE,
    RESPONSE_SIZE,
    TYPE_COOKIE_REPLY,
    TYPE_INITIATION,
    TYPE_RESPONSE,
)
from wgtun.errors import HandshakeError

_INITIATION = Struct("<II32s48s28s")
_RESPONSE = Struct("<III32s16s")
_COOKIE_REPLY = Struct("<II24s32s")

# Both handshake messages end in mac1 and mac2.
MACS_SIZE = 2 * MAC_SIZE


def _check(message: bytes, kind: int, size: int) -> None:
    if len(message) != size or message[:4] != kind.to_bytes(4, "little"):
        raise HandshakeError("not a message of the expected type and length")


class Initiation(NamedTuple):
    """Message 1, 148 bytes.

    ======  ======  ====================================
    offset  length  field
    ======  ======  ====================================
    0       4       type, 1
    4       4       sender index
    8       32      ephemeral public key
    40      48      static public key, encrypted
    88      28      TAI64N timestamp, encrypted
    116     16      mac1
    132     16      mac2
    ======  ======  ====================================
    """

    sender_index: int
    ephemeral: bytes
    encrypted_static: bytes
    encrypted_timestamp: bytes

    @classmethod
    def parse(cls, message: bytes) -> Initiation:
        """Read a message with its macs, which are not looked at. Raises HandshakeError."""
        _check(message, TYPE_INITIATION, INITIATION_SIZE)
        return cls(*_INITIATION.unpack_from(message)[1:])

    def pack(self) -> bytes:
        """The message without its macs, 116 bytes."""
        return _INITIATION.pack(TYPE_INITIATION, *self)


class Response(NamedTuple):
    """Message 2, 92 bytes.

    ======  ======  ====================================
    offset  length  field
    ======  ======  ====================================
    0       4       type, 2
    4       4       sender index
    8       4       receiver index
    12      32      ephemeral public key
    44      16      nothing, encrypted
    60      16      mac1
    76      16      mac2
    ======  ======  ====================================
    """

    sender_index: int
    receiver_index: int
    ephemeral: bytes
    encrypted_nothing: bytes

    @classmethod
    def parse(cls, message: bytes) -> Response:
        """Read a message with its macs, which are not looked at. Raises HandshakeError."""
        _check(message, TYPE_RESPONSE, RESPONSE_SIZE)
        return cls(*_RESPONSE.unpack_from(message)[1:])

    def pack(self) -> bytes:
        """The message without its macs, 60 bytes."""
        return _RESPONSE.pack(TYPE_RESPONSE, *self)


class CookieReply(NamedTuple):
    """Message 3, 64 bytes.

    ======  ======  ====================================
    offset  length  field
    ======  ======  ====================================
    0       4       type, 3
    4       4       receiver index
    8       24      nonce
    32      32      cookie, encrypted
    ======  ======  ====================================
    """

    receiver_index: int
    nonce: bytes
    encrypted_cookie: bytes

    @classmethod
    def parse(cls, message: bytes) -> CookieReply:
        """Read a message. Raises HandshakeError."""
        _check(message, TYPE_COOKIE_REPLY, COOKIE_REPLY_SIZE)
        return cls(*_COOKIE_REPLY.unpack_from(message)[1:])

    def pack(self) -> bytes:
        return _COOKIE_REPLY.pack(TYPE_COOKIE_REPLY, *self)
