"""A device as programs read it; docs/uapi.md explains the fields that come from the daemon's status."""

from __future__ import annotations

from typing import Any

from wgtun.constants import SECOND
from wgtun.keys import PresharedKey
from wgtun.uapi.model import DeviceState, PeerState


def json_document(device: DeviceState, status: dict[str, Any], *, now: int) -> dict[str, Any]:
    """Everything but secrets. `now` is wall time in seconds; `status` is empty for another's daemon."""
    news = status.get("peers", {})
    document: dict[str, Any] = {
        "public_key": None if device.private_key is None else device.private_key.public_key().base64(),
        "listen_port": device.listen_port,
        "fwmark": device.fwmark,
    }
    document |= status
    document["peers"] = [_peer(peer, news.get(peer.public_key.base64(), {}), now) for peer in device.peers]
    return document


def _peer(peer: PeerState, news: dict[str, Any], now: int) -> dict[str, Any]:
    latest = peer.last_handshake // SECOND
    return {
        "public_key": peer.public_key.base64(),
        "has_preshared_key": peer.preshared_key != PresharedKey(bytes(32)),
        "endpoint": None if peer.endpoint is None else str(peer.endpoint),
        "allowed_ips": [str(prefix) for prefix in peer.allowed_ips],
        "latest_handshake": latest or None,
        "handshake_age": now - latest if latest else None,
        "rx_bytes": peer.rx_bytes,
        "tx_bytes": peer.tx_bytes,
        "persistent_keepalive": peer.persistent_keepalive,
        **news,
    }
