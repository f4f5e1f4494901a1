"""What the demo says at its end, from what the devices themselves report."""

from __future__ import annotations

import time

from wgtun.backend import backend
from wgtun.uapi.model import DeviceState


def step(text: str) -> None:
    """Say what happens now."""
    print(f"  * {text}", flush=True)


def summary(first: DeviceState, second: DeviceState, transfer: str) -> int:
    """Print the result; the exit status tells whether a handshake and traffic were seen."""
    peers = [peer for device in (first, second) for peer in device.peers]
    good = len(peers) == 2 and all(peer.last_handshake and peer.tx_bytes and peer.rx_bytes for peer in peers)
    print("\nSummary")
    for name, peer in zip(("first ", "second"), peers, strict=False):
        age = (time.time_ns() - peer.last_handshake) / 1e9
        print(
            f"  {name} device: peer {peer.public_key.short()} at {peer.endpoint}, "
            f"handshake {age:.1f} s ago, {peer.tx_bytes:,} bytes sent, {peer.rx_bytes:,} received"
        )
    print(f"  transfer through the tunnel: {transfer}, with the {backend()} engine")
    print("  It works." if good else "  It does NOT work.")
    return 0 if good else 1
