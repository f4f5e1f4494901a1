"""The native engine on an asyncio event loop.

Packets are moved by the threads of `wgtun_native`, which never call Python: one descriptor becomes
readable when events wait.
"""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING

import wgtun_native

from wgtun.dataplane import DropReason, RingDevice, TunDevice

if TYPE_CHECKING:
    from asyncio import AbstractEventLoop
    from collections.abc import Callable

    from wgtun.constants import Timing
    from wgtun.dataplane import OuterSide, TunnelSide


class NativeEngine:
    """See `dataplane.AttachedEngine`. `notify` is called, within the loop, when events wait."""

    name = "native"

    def __init__(self, loop: AbstractEventLoop, notify: Callable[[], None], timing: Timing) -> None:
        self._loop = loop
        self._notify = notify
        self._native = native = wgtun_native.Engine(timing)
        self._loop.add_reader(native.fileno(), self._wake)
        # The rest of the interface is the native engine's own.
        self.set_public_key = native.set_public_key
        self.add_peer = native.add_peer
        self.remove_peer = native.remove_peer
        self.set_path = native.set_path
        self.narrow_path = native.narrow_path
        self.forget_source = native.forget_source
        self.refuse_source = native.refuse_source
        self.allow_source = native.allow_source
        self.insert_allowed_ip = native.insert_allowed_ip
        self.remove_allowed_ip = native.remove_allowed_ip
        self.clear_allowed_ips = native.clear_allowed_ips
        self.allowed_ips = native.allowed_ips
        self.install_keypair = native.install_keypair
        self.exhaust_keypairs = native.exhaust_keypairs
        self.erase_keypairs = native.erase_keypairs
        self.has_session = native.has_session
        self.send_handshake = native.send_handshake
        self.handshake_authenticated = native.handshake_authenticated
        self.send_keepalive = native.send_keepalive
        self.drop_staged = native.drop_staged
        self.activity = native.activity
        self.rearm_unanswered = native.rearm_unanswered
        self.rearm_unacknowledged = native.rearm_unacknowledged
        self.peer_status = native.peer_status
        self.count_drop = native.count_drop
        self.holdings = native.holdings
        self.set_mtu = native.set_mtu
        self.set_up = native.set_up
        self.poll_event = native.poll_event
        self.detach_tunnel = native.detach_tunnel
        self.detach_sockets = native.detach_sockets
        self.sends_trains = native.sends_trains

    def attach_tunnel(self, tunnel: TunnelSide | RingDevice) -> None:
        """Read from and write to this tunnel from now on; the caller keeps owning it."""
        if isinstance(tunnel, RingDevice):
            self._native.attach_ring(*tunnel.ring)
        elif not isinstance(tunnel, TunDevice):
            self._native.attach_plain([tunnel.fileno()])
        elif tunnel.virtio is None:
            self._native.attach_plain(tunnel.filenos(), tunnel.family)
        else:
            self._native.attach_virtio(tunnel.filenos(), "tso" in tunnel.virtio, "uso" in tunnel.virtio)

    def attach_sockets(self, outer: OuterSide) -> None:
        """Send and receive here from now on; replaces the sockets attached before."""
        self._native.attach_sockets(outer.filenos(), "gso" in outer.offloads)
        self.sockets_changed(outer)

    def sockets_changed(self, outer: OuterSide) -> None:
        """Let the threads know which families go nowhere."""
        self._native.set_blackhole(socket.AF_INET in outer.blackholes, socket.AF_INET6 in outer.blackholes)

    def drops(self, peer: int | None = None) -> dict[DropReason, int]:
        return {DropReason(name): count for name, count in self._native.drops(peer).items()}

    def flush(self) -> None:
        """Let the threads see what changed, send what is to be sent, and tell of waiting events."""
        self._native.flush()
        if self._native.has_events():
            self._notify()

    def close(self) -> None:
        """End the threads."""
        self.detach_sockets()
        self.detach_tunnel()
        self._loop.remove_reader(self._native.fileno())

    def _wake(self) -> None:
        self._native.acknowledge()
        self._notify()
