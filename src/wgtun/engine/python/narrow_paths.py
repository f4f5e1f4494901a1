"""Ways to peers that are too narrow for a packet of the tunnel's MTU, as ICMP told the kernel.

What is too big is fragmented outside, which works but is slow. Who sends it is told, and sends less.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from wgtun.constants import PADDING, SECOND, TRANSPORT_OVERHEAD

if TYPE_CHECKING:
    from wgtun.endpoint import SocketAddress

_LIFETIME = 60 * SECOND  # until what was learned is forgotten: paths change
_MAX_LEARNED = 1024
_MIN_MTU = 68  # of IPv4: nobody can send less
_HEADERS4, _HEADERS6 = 28, 48  # IP and UDP


class NarrowPaths:
    def __init__(self) -> None:
        self._limits: dict[SocketAddress, tuple[int, int]] = {}  # bytes of the biggest packet, and until when

    def learn(self, now: int, address: SocketAddress, mtu: int) -> None:
        """The MTU of the way to this address, for the packets outside."""
        headers = _HEADERS6 if len(address) == 4 else _HEADERS4
        limit = (mtu - headers - TRANSPORT_OVERHEAD) // PADDING * PADDING  # with its padding
        if limit < _MIN_MTU:
            return
        if len(self._limits) >= _MAX_LEARNED:
            self._limits.clear()
        self._limits[address] = (limit, now + _LIFETIME)

    def limit(self, now: int, address: SocketAddress, packet: bytes) -> int:
        """How many bytes a packet for this address may have, if this one has more; else 0."""
        limit, until = self._limits.get(address, (0, 0))
        return limit if now < until and len(packet) > limit else 0
