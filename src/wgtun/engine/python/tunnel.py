"""The tunnel side as the Python engine uses it: packets out of and into a descriptor, without what stands before them.

A `dataplane.RingDevice` offers the same by itself.
"""

from __future__ import annotations

import errno
import os
from typing import TYPE_CHECKING

from wgtun.dataplane import TunDevice
from wgtun.errors import TunnelGone

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

    from wgtun.dataplane import TunnelSide

_PACKET_SIZE = 65535
# What reading says after the interface was deleted under the descriptor: EBADFD on Linux, ENXIO on the BSDs.
_REMOVED = {errno.EBADF, getattr(errno, "EBADFD", errno.EBADF), errno.ENXIO}


class DescriptorTunnel:
    """A tunnel side with a descriptor in non-blocking mode. No header, or the address family, is before a packet."""

    def __init__(self, tunnel: TunnelSide) -> None:
        self._fileno = tunnel.fileno()
        self._prefixes = tunnel.family if isinstance(tunnel, TunDevice) else None
        self._loop: AbstractEventLoop | None = None

    def read(self) -> bytes:
        """See `dataplane.RingDevice`."""
        try:
            packet = os.read(self._fileno, _PACKET_SIZE)
        except OSError as error:
            if error.errno in _REMOVED:
                raise TunnelGone("the TUN interface was removed") from error
            raise
        if not packet:
            raise TunnelGone("the program closed its end of the tunnel")
        return packet if self._prefixes is None else packet[4:]

    def write(self, packet: bytes | memoryview) -> None:
        if self._prefixes is None:
            os.write(self._fileno, packet)
        else:
            os.write(self._fileno, self._prefixes[packet[0] >> 4 == 6] + packet)

    def watch(self, loop: AbstractEventLoop, ready: Callable[[], None]) -> None:
        self._loop = loop
        loop.add_reader(self._fileno, ready)

    def unwatch(self) -> None:
        if self._loop is not None:
            self._loop.remove_reader(self._fileno)
            self._loop = None
