"""When each peer wants to be woken: a heap with lazy deletion."""

from __future__ import annotations

import heapq
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from wgtun.protocol.peer import Peer


class Schedule:
    """One deadline per peer; setting another one replaces it."""

    def __init__(self) -> None:
        self._heap: list[tuple[int, int]] = []
        self._deadlines: dict[int, tuple[int, Peer]] = {}

    def set(self, peer: Peer, deadline: int | None) -> None:
        """Wake the peer at `deadline` (None: not at all)."""
        known = self._deadlines.get(peer.id)
        if deadline is None:
            self._deadlines.pop(peer.id, None)
        elif known is None or known[0] != deadline:
            self._deadlines[peer.id] = (deadline, peer)
            heapq.heappush(self._heap, (deadline, peer.id))
            if len(self._heap) > 2 * len(self._deadlines) + 64:  # mostly stale entries
                self._heap = [(deadline, id_) for id_, (deadline, _) in self._deadlines.items()]
                heapq.heapify(self._heap)

    def next(self) -> int | None:
        """The earliest deadline."""
        heap = self._heap
        while heap:
            deadline, peer_id = heap[0]
            known = self._deadlines.get(peer_id)
            if known is not None and known[0] == deadline:
                return deadline
            heapq.heappop(heap)
        return None

    def pop_due(self, now: int) -> Peer | None:
        """A peer whose deadline has passed; it has none any more."""
        deadline = self.next()
        if deadline is None or deadline > now:
            return None
        _, peer_id = heapq.heappop(self._heap)
        return self._deadlines.pop(peer_id)[1]
