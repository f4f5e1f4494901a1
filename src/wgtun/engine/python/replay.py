"""The sliding window that accepts each counter of a session once (RFC 6479, reference 4.4)."""

from __future__ import annotations

from wgtun.constants import REJECT_AFTER_MESSAGES, REPLAY_WINDOW

_WORDS = REPLAY_WINDOW // 64 + 1  # a ring: the word being filled, and the window behind it


class ReplayWindow:
    """Remembers which of the last 8128 counters were seen."""

    __slots__ = ("_highest", "_ring")

    def __init__(self) -> None:
        self._highest = 0
        self._ring = [0] * _WORDS

    def accept(self, counter: int) -> bool:
        """Whether the counter is new; it is seen from now on. Ask only for authenticated packets."""
        if counter >= REJECT_AFTER_MESSAGES:
            return False
        ring = self._ring
        word = counter >> 6
        if counter > self._highest:
            # Words are cleared when the window enters them, at most once around the ring.
            first = (self._highest >> 6) + 1
            for entered in range(first, min(word, first + _WORDS - 1) + 1):
                ring[entered % _WORDS] = 0
            self._highest = counter
        elif self._highest - counter > REPLAY_WINDOW:
            return False
        bit = 1 << (counter & 63)
        if ring[word % _WORDS] & bit:
            return False
        ring[word % _WORDS] |= bit
        return True
