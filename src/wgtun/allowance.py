"""How often something may happen: so many times a second on average, with a burst."""

from __future__ import annotations

from wgtun.constants import SECOND


class Allowance:
    """`per_second` times a second, and `burst` times at once after a pause."""

    def __init__(self, per_second: int, burst: int) -> None:
        self._interval = SECOND // per_second
        self._burst = burst
        self._paid_until = 0  # each time moves this on by the interval

    def take(self, now: int) -> bool:
        """Whether it may happen once more."""
        begin = max(self._paid_until, now - self._burst * self._interval)
        if begin > now:
            return False
        self._paid_until = begin + self._interval
        return True
