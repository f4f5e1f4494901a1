"""mac1, mac2 and cookies: cheap proofs that come before any Diffie-Hellman.

mac1 proves that the sender knows our public key, mac2 that it receives at the address it sends
from. Source: WireGuard paper, 5.4.4 to 5.4.7.
"""

from __future__ import annotations

import hmac
import os
import socket
from collections.abc import Callable
from hashlib import blake2s

from wgtun.constants import MAC_SIZE
from wgtun.errors import HandshakeError
from wgtun.noise import xchacha
from wgtun.noise.messages import MACS_SIZE, CookieReply

_LABEL_MAC1 = b"mac1----"
_LABEL_COOKIE = b"cookie--"
_NO_MAC2 = bytes(MAC_SIZE)  # of whoever has no cookie


def _hash(data: bytes) -> bytes:
    return blake2s(data).digest()


def _mac(key: bytes, data: bytes) -> bytes:
    return blake2s(data, key=key, digest_size=MAC_SIZE).digest()


def mac1_key(static: bytes) -> bytes:
    """The key of mac1 in messages to whoever has this public key: 32 bytes."""
    return _hash(_LABEL_MAC1 + static)


def cookie_source(host: str, port: int) -> bytes:
    """What a cookie is bound to: the address, 4 or 16 bytes, and the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return socket.inet_pton(family, host) + port.to_bytes(2, "little")


class MacGenerator:
    """Makes the macs of messages to one peer, and keeps the cookie that the peer gave us."""

    def __init__(self, remote_static: bytes) -> None:
        self._mac1_key = mac1_key(remote_static)
        self._cookie_key = _hash(_LABEL_COOKIE + remote_static)
        self._last_mac1: bytes | None = None
        self._cookie: tuple[bytes, int] | None = None  # and when it came

    def append_macs(self, now: int, message: bytes, cookie_lifetime: int) -> bytes:
        """The message with mac1 and mac2; mac2 is zero without a cookie younger than `cookie_lifetime` (ns)."""
        mac1 = self._last_mac1 = _mac(self._mac1_key, message)
        message += mac1
        if self._cookie is not None and now - self._cookie[1] < cookie_lifetime:
            return message + _mac(self._cookie[0], message)
        return message + _NO_MAC2

    def consume_cookie_reply(self, now: int, message: bytes) -> None:
        """Keep a cookie, if it answers the last message we made. Raises HandshakeError."""
        reply = CookieReply.parse(message)
        if self._last_mac1 is None:
            raise HandshakeError("a cookie reply that nobody waits for")
        cookie = xchacha.open_sealed(self._cookie_key, reply.nonce, reply.encrypted_cookie, self._last_mac1)
        self._cookie = (cookie, now)


class MacChecker:
    """Checks the macs of messages to us, and makes cookies.

    The secret behind the cookies changes when it is older than the cookie lifetime at the moment
    a cookie is made. The one before it stays good for as long again, so that a cookie is worth
    its whole lifetime to whoever got it just before the change.
    """

    def __init__(self, local_static: bytes, random: Callable[[int], bytes] = os.urandom) -> None:
        self._mac1_key = mac1_key(local_static)
        self._cookie_key = _hash(_LABEL_COOKIE + local_static)
        self._random = random
        self._secrets: list[tuple[bytes, int]] = []  # the newest first, and when each was made

    def check_mac1(self, message: bytes) -> bool:
        """Whether the message, macs included, was made for our public key."""
        return hmac.compare_digest(_mac(self._mac1_key, message[:-MACS_SIZE]), message[-MACS_SIZE:-MAC_SIZE])

    def check_mac2(self, now: int, message: bytes, source: bytes, cookie_lifetime: int) -> bool:
        """Whether the message carries a cookie that we gave to this source (see `cookie_source`)."""
        if message[-MAC_SIZE:] == _NO_MAC2:  # says so itself; in a flood that is what most cost us
            return False
        good = False
        for secret, made in self._secrets:
            if now - made < 2 * cookie_lifetime:
                expected = _mac(_mac(secret, source), message[:-MAC_SIZE])
                good |= hmac.compare_digest(expected, message[-MAC_SIZE:])
        return good

    def create_cookie_reply(self, now: int, message: bytes, source: bytes, cookie_lifetime: int) -> bytes:
        """The reply, 64 bytes, that gives this source its cookie."""
        if not self._secrets or now - self._secrets[0][1] >= cookie_lifetime:
            self._secrets = [(self._random(32), now), *self._secrets[:1]]
        cookie = _mac(self._secrets[0][0], source)
        nonce = self._random(24)
        sealed = xchacha.seal(self._cookie_key, nonce, cookie, message[-MACS_SIZE:-MAC_SIZE])
        return CookieReply(int.from_bytes(message[4:8], "little"), nonce, sealed).pack()
