"""The native engine's heart, without its threads, in the clothes of the Python heart."""

from __future__ import annotations

from typing import TYPE_CHECKING

import wgtun_native

from wgtun.constants import DEFAULT_TIMING, Timing
from wgtun.dataplane import DropReason

if TYPE_CHECKING:
    from wgtun.path import Path


class NativeHeart(wgtun_native.Engine):
    """See `engine.python.heart.Heart`; it has its own handshake filter."""

    name = "native"
    datagrams: list[tuple[bytes, Path, int]]
    packets: list[bytes | memoryview]

    def __new__(cls, timing: Timing = DEFAULT_TIMING) -> NativeHeart:
        self = super().__new__(cls, timing, sans_io=True)
        assert isinstance(self, cls)
        self.datagrams, self.packets = [], []
        return self

    def _collect(self) -> None:
        datagrams, packets = self.take()
        self.datagrams += datagrams
        self.packets += packets

    def outbound(self, now: int, packet: bytes) -> None:
        super().outbound(now, packet)
        self._collect()

    def inbound(  # type: ignore[override]  # one datagram, as the Python heart takes them
        self, now: int, datagram: bytes | memoryview, path: Path, traffic_class: int = 0
    ) -> None:
        super().inbound(now, bytes(datagram), len(datagram), path, traffic_class)
        self._collect()

    def inbound_train(self, now: int, datagrams: list[bytes], path: Path, traffic_class: int) -> None:
        """Datagrams of one size that one receive call brought."""
        super().inbound(now, b"".join(datagrams), len(datagrams[0]), path, traffic_class)
        self._collect()

    def send_handshake(self, now: int, peer: int, message: bytes) -> None:
        super().send_handshake(now, peer, message)
        self._collect()

    def send_keepalive(self, now: int, peer: int) -> None:
        super().send_keepalive(now, peer)
        self._collect()

    def drops(self, peer: int | None = None) -> dict[DropReason, int]:  # type: ignore[override]
        return {DropReason(name): count for name, count in super().drops(peer).items()}
