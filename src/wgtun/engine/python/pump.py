"""The Python engine's I/O: moves what the heart takes and gives, on an asyncio event loop.

Each wake-up works through a bounded batch, so that neither direction, nor the control plane,
can starve the others. Nothing blocks: what the system refuses is counted and lost, as on any
network.
"""

from __future__ import annotations

from functools import partial
from itertools import groupby
from operator import itemgetter
from typing import TYPE_CHECKING

from wgtun.constants import DEFAULT_TIMING, Timing
from wgtun.dataplane import Clock, DropReason, HandshakeFilter, OuterSide, RingDevice, TunnelRemoved, TunnelSide
from wgtun.engine.python.heart import Heart
from wgtun.engine.python.tunnel import DescriptorTunnel
from wgtun.errors import TunnelGone

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

    from wgtun.path import Path

_TUN_BATCH = 64  # packets read per wake-up; also what one UDP_SEGMENT train can take
_RECEIVE_BATCH = 16  # receive calls per wake-up
_BACK_OFF = 0.333  # seconds; a descriptor in error must not spin the loop

_way = itemgetter(1, 2)  # what may leave together


class PythonEngine(Heart):
    """`Heart` with a tunnel side and an outer side attached.

    `notify` is called, within the loop, when events wait for the control plane.
    """

    def __init__(
        self,
        loop: AbstractEventLoop,
        clock: Clock,
        notify: Callable[[], None],
        handshake_filter: HandshakeFilter,
        invalid_tag: type[Exception],
        timing: Timing = DEFAULT_TIMING,
    ) -> None:
        super().__init__(handshake_filter, invalid_tag, timing)
        self._loop = loop
        self._clock = clock
        self._notify = notify
        self._tunnel: DescriptorTunnel | RingDevice | None = None
        self._outer: OuterSide | None = None

    # --- what is attached ----------------------------------------------------------------------

    def attach_tunnel(self, tunnel: TunnelSide | RingDevice) -> None:
        """Read from and write to this TUN from now on; the caller keeps owning it."""
        self._tunnel = tunnel if isinstance(tunnel, RingDevice) else DescriptorTunnel(tunnel)
        self._tunnel.watch(self._loop, partial(self._read_tunnel, self._tunnel))

    def detach_tunnel(self) -> None:
        if self._tunnel is not None:
            self._tunnel.unwatch()
            self._tunnel = None

    def attach_sockets(self, outer: OuterSide) -> None:
        """Send and receive here from now on; replaces the sockets attached before."""
        self.detach_sockets()
        self._outer = outer
        for fileno in outer.filenos():
            self._loop.add_reader(fileno, self._read_socket, outer, fileno)

    def detach_sockets(self) -> None:
        if self._outer is not None:
            for fileno in self._outer.filenos():
                self._loop.remove_reader(fileno)
            self._outer = None

    def sockets_changed(self, outer: OuterSide) -> None:
        """Nothing to do: they look for themselves when they send."""

    def sends_trains(self) -> bool:
        return self._outer is not None and "gso" in self._outer.offloads

    def close(self) -> None:
        self.detach_sockets()
        self.detach_tunnel()

    # --- the two directions --------------------------------------------------------------------

    def _read_tunnel(self, tunnel: DescriptorTunnel | RingDevice) -> None:
        now = self._clock()
        try:
            for _ in range(_TUN_BATCH):
                self.outbound(now, tunnel.read())
        except BlockingIOError:
            pass
        except TunnelGone as error:
            self.detach_tunnel()
            self._events.append(TunnelRemoved(str(error)))
        except OSError:
            self.count_drop(DropReason.RECEIVE_ERROR)
            tunnel.unwatch()
            self._loop.call_later(_BACK_OFF, self._resume_tunnel, tunnel)
        self.flush()

    def _resume_tunnel(self, tunnel: DescriptorTunnel | RingDevice) -> None:
        if self._tunnel is tunnel:
            tunnel.watch(self._loop, partial(self._read_tunnel, tunnel))

    def _read_socket(self, outer: OuterSide, fileno: int) -> None:
        now = self._clock()
        try:
            for _ in range(_RECEIVE_BATCH):
                batch = outer.receive(fileno)
                if not batch:
                    break
                for datagram, path, traffic_class in batch:
                    self.inbound(now, datagram, path, traffic_class)
        except OSError:
            # Whatever it is (ENOMEM, a reported ICMP error), the socket stays in use.
            self.count_drop(DropReason.RECEIVE_ERROR)
            self._loop.remove_reader(fileno)
            self._loop.call_later(_BACK_OFF, self._resume_socket, outer, fileno)
        self.flush()

    def _resume_socket(self, outer: OuterSide, fileno: int) -> None:
        if self._outer is outer:
            self._loop.add_reader(fileno, self._read_socket, outer, fileno)

    def flush(self) -> None:
        """Write and send what the heart left, then tell of waiting events."""
        if self.packets:
            packets, self.packets = self.packets, []
            self._write_tunnel(packets)
        if self.datagrams:
            datagrams, self.datagrams = self.datagrams, []
            self._send(datagrams)
        if self._events or self._handshakes:
            self._notify()

    def _write_tunnel(self, packets: list[bytes | memoryview]) -> None:
        tunnel = self._tunnel
        if tunnel is None:
            self.count_drop(DropReason.TUN_WRITE_FAILED, len(packets))
            return
        for packet in packets:
            try:
                tunnel.write(packet)
            except OSError:
                self.count_drop(DropReason.TUN_WRITE_FAILED)

    def _send(self, datagrams: list[tuple[bytes, Path, int]]) -> None:
        for (path, traffic_class), run in groupby(datagrams, _way):
            batch = [datagram for datagram, _, _ in run]
            refused = len(batch) if self._outer is None else self._outer.send(batch, path, traffic_class)
            for address, mtu in () if self._outer is None else self._outer.take_narrow():
                self.narrow_path(self._clock(), address, mtu)
            if refused:
                self.count_drop(DropReason.SEND_FAILED, refused)
