"""Which handshake messages are worth a Diffie-Hellman: mac1, and under load mac2 and a rate per source."""

from __future__ import annotations

from typing import TYPE_CHECKING

from wgtun.allowance import Allowance
from wgtun.constants import COOKIE_REPLIES_PER_SECOND, UNDER_LOAD_HANDSHAKES, Timing
from wgtun.dataplane import DropReason
from wgtun.noise.macs import MacChecker, cookie_source
from wgtun.protocol.rate_limiter import RateLimiter

if TYPE_CHECKING:
    from random import Random

    from wgtun.endpoint import SocketAddress


class Admission:
    """The handshake filter of a device (`dataplane.HandshakeFilter`)."""

    def __init__(self, timing: Timing, rng: Random) -> None:
        self._timing = timing
        self._rng = rng
        self._checker: MacChecker | None = None
        self._limiter = RateLimiter()
        self._replies = Allowance(COOKIE_REPLIES_PER_SECOND, COOKIE_REPLIES_PER_SECOND // 10)
        self._under_load_until = 0

    def set_public_key(self, public_key: bytes | None) -> None:
        """The key that messages must be addressed to; None refuses all."""
        self._checker = None if public_key is None else MacChecker(public_key, self._rng.randbytes)

    def admit(self, now: int, message: bytes, address: SocketAddress, backlog: int) -> DropReason | bytes | None:
        """See `dataplane.HandshakeFilter`. `backlog` is the count of messages not yet worked on."""
        checker = self._checker
        if checker is None or not checker.check_mac1(message):
            return DropReason.BAD_MAC1
        if not self.is_under_load(now, backlog):
            return None
        lifetime = self._timing.cookie_lifetime
        host = address[0].partition("%")[0]
        source = cookie_source(host, address[1])
        if not checker.check_mac2(now, message, source, lifetime):
            if not self._replies.take(now):
                return DropReason.UNDER_LOAD
            return checker.create_cookie_reply(now, message, source, lifetime)
        if not self._limiter.allow(now, source[:-2]):
            return DropReason.RATE_LIMITED
        return None

    def is_under_load(self, now: int, backlog: int) -> bool:
        """Many messages wait, or did within the last second."""
        if backlog >= UNDER_LOAD_HANDSHAKES:
            self._under_load_until = now + self._timing.under_load
        return now < self._under_load_until
