"""How datagrams reach a peer: its address, and the local address that it knows us by."""

from __future__ import annotations

import enum
from typing import NamedTuple

from wgtun.endpoint import SocketAddress


class Source(NamedTuple):
    """The local address that a peer addressed, so that answers leave from it."""

    local: bytes  # the address, 4 or 16 bytes
    interface: int  # index of the interface that the peer's datagrams came in by


class SourceState(enum.Enum):
    """What a source is good for after routes or addresses have changed."""

    CURRENT = enum.auto()  # datagrams leave by the interface that it is for
    ELSEWHERE = enum.auto()  # they leave by another, where it may be taken for forged
    GONE = enum.auto()  # none can leave from it

    @classmethod
    def of(cls, source: Source, interface: int | None) -> SourceState:
        """`interface` is the index of the one by which datagrams leave now; None or 0 when none can."""
        if not interface:
            return cls.GONE
        return cls.CURRENT if interface == source.interface else cls.ELSEWHERE


class Path(NamedTuple):
    """How datagrams reach a peer."""

    address: SocketAddress
    source: Source | None = None
