"""Trains: datagrams of one size leave in one call, where the system cuts them apart (Linux, Windows)."""

from __future__ import annotations

import errno
import socket
import time
from collections.abc import Iterator, Sequence

from wgtun.endpoint import SocketAddress
from wgtun.path import Path
from wgtun.platform import udp
from wgtun.platform.udp import ControlMessage

_MAX_SEGMENTS = 64
_MAX_TRAIN = {socket.AF_INET: 65507, socket.AF_INET6: 65527}
_RELEARN = 60.0  # seconds until what was refused is tried again: paths change
_HEADERS = (28, 48)  # bytes of IP and UDP, of the two families

_NO_TRAINS = {errno.EIO, errno.EOPNOTSUPP}  # the device can't, for any destination
_NO_TRAIN_HERE = {errno.EMSGSIZE, errno.EINVAL}  # segments don't fit this path


class TrainSockets(udp.UdpSockets):
    """See `dataplane.OuterSide`. Sends trains while "gso" is among the offloads."""

    def __init__(self, sockets: list[socket.socket]) -> None:
        super().__init__(sockets)
        self._path_mtus: dict[SocketAddress, tuple[int, float]] = {}  # too narrow for a big segment, and until when
        self._narrow: list[tuple[SocketAddress, int]] = []

    @staticmethod
    def segment_size(size: int) -> ControlMessage:
        """What tells the system where to cut."""
        raise NotImplementedError

    def path_mtu(self, address: SocketAddress) -> int:
        """What the system knows about the way that our datagrams take; 0 for nothing."""
        return 0

    def send(self, datagrams: Sequence[bytes], path: Path, traffic_class: int) -> int:
        """See `dataplane.OuterSide`."""
        address, source = path
        sender = self.for_address(address)
        if sender is None:  # the host does not have this family
            return len(datagrams)
        if sender.family in self.blackholes:
            return 0
        control = self.class_of(sender, traffic_class)
        refused = 0
        for train in _trains(datagrams, _MAX_TRAIN[sender.family]):
            if len(train) > 1 and "gso" in self.offloads and self._fits(train[0], address):
                segment = self.segment_size(len(train[0]))
                pinned = [self.pin(source)] if source is not None and self.is_alive(source) else []
                try:
                    self.send_message(sender, train, [*pinned, *control, segment], address)
                except OSError as error:
                    refused += self.send_singly(sender, train, path, control)
                    if not pinned or self.is_alive(source):
                        self._learn_from(error, address)
            else:
                refused += self.send_singly(sender, train, path, control)
        return refused

    def take_narrow(self) -> list[tuple[SocketAddress, int]]:
        """See `dataplane.OuterSide`."""
        taken, self._narrow = self._narrow, []
        return taken

    def _fits(self, datagram: bytes, address: SocketAddress) -> bool:
        mtu, until = self._path_mtus.get(address, (0, 0.0))
        return time.monotonic() >= until or len(datagram) + _HEADERS[len(address) == 4] <= mtu

    def _learn_from(self, error: OSError, address: SocketAddress) -> None:
        """A train was refused: remember whether to try one again."""
        if error.errno in _NO_TRAINS:
            self.offloads -= {"gso"}
            self.missing["gso"] = f"a network device refused it: {error.strerror}"
        elif error.errno in _NO_TRAIN_HERE:
            mtu = self.path_mtu(address)
            if len(self._path_mtus) >= udp.MAX_REMEMBERED:
                self._path_mtus.clear()
            self._path_mtus[address] = (mtu, time.monotonic() + _RELEARN)
            if mtu:
                self._narrow.append((address, mtu))


def _trains(datagrams: Sequence[bytes], limit: int) -> Iterator[Sequence[bytes]]:
    """Runs of datagrams of one size, of which only the last may be shorter."""
    start = 0
    while start < len(datagrams):
        size = len(datagrams[start])
        end = start + 1
        most = min(start + _MAX_SEGMENTS, start + max(1, limit // max(1, size)), len(datagrams))
        while end < most and len(datagrams[end - 1]) == size and 0 < len(datagrams[end]) <= size:
            end += 1
        yield datagrams[start:end]
        start = end
