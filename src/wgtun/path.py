"""How datagrams reach a peer: its address, and the local address that it knows us by."""

from __future__ import annotations

from typing import NamedTuple

from wgtun.endpoint import SocketAddress


class Source(NamedTuple):
    """The local address that a peer addressed, so that answers leave from it."""

    local: bytes  # the address, 4 or 16 bytes
    interface: int  # index of the interface that the peer's datagrams came in by


class Path(NamedTuple):
    """How datagrams reach a peer."""

    address: SocketAddress
    source: Source | None = None
