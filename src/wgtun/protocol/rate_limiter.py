"""A token bucket per source address, for handshake messages of a device under load.

20 messages a second with a burst of 5 (reference 3.13). IPv4 counts by address, IPv6 by /64,
since whoever has one IPv6 address has a /64 of them.
"""

from __future__ import annotations

from wgtun.constants import SECOND

_COST = SECOND // 20
_CAPACITY = 5 * _COST
_FORGET_AFTER = SECOND
MAX_SOURCES = 65536


class RateLimiter:
    """Buckets of the sources seen during the last second; at most `MAX_SOURCES` of them."""

    def __init__(self) -> None:
        self._buckets: dict[bytes, tuple[int, int]] = {}  # source -> (tokens, time of the last message)
        self._swept = 0

    def allow(self, now: int, address: bytes) -> bool:
        """Whether one more message from this address (4 or 16 bytes) may pass."""
        source = address[:8] if len(address) == 16 else address
        if now - self._swept > _FORGET_AFTER:
            self.sweep(now)
        if source not in self._buckets and len(self._buckets) >= MAX_SOURCES:
            return False
        tokens, last = self._buckets.get(source, (_CAPACITY, now))
        tokens = min(_CAPACITY, tokens + now - last)
        allowed = tokens >= _COST
        self._buckets[source] = (tokens - _COST if allowed else tokens, now)
        return allowed

    def sweep(self, now: int) -> None:
        """Forget the sources that were silent for a second; their buckets are full again."""
        self._swept = now
        self._buckets = {source: bucket for source, bucket in self._buckets.items() if now - bucket[1] <= _FORGET_AFTER}

    def __len__(self) -> int:
        return len(self._buckets)
