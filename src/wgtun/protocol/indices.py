"""Receiver indices: random numbers that name a handshake or a keypair of this device."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from random import Random

    from wgtun.protocol.peer import Peer


class IndexTable:
    """Indices in use and the peers that they belong to. 32 bits, unpredictable, never reused while in use."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._peers: dict[int, Peer] = {}

    def allocate(self, peer: Peer) -> int:
        while True:
            index = self._rng.getrandbits(32)
            if index not in self._peers:
                self._peers[index] = peer
                return index

    def release(self, index: int) -> None:
        del self._peers[index]

    def get(self, index: int) -> Peer | None:
        return self._peers.get(index)

    def __contains__(self, index: object) -> bool:
        return index in self._peers

    def __len__(self) -> int:
        return len(self._peers)
