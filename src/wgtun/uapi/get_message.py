"""The body of a get's answer: a `DeviceState` to ``key=value`` lines and back."""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator
from typing import TypeVar

from wgtun.allowed_ip import AllowedIP
from wgtun.constants import SECOND
from wgtun.endpoint import Endpoint
from wgtun.errors import UapiError
from wgtun.keys import PresharedKey, PrivateKey, PublicKey
from wgtun.uapi.model import DeviceState, PeerState

_T = TypeVar("_T")
_D = TypeVar("_D")
_NO_PRESHARED_KEY = PresharedKey(bytes(32))


def format_get(device: DeviceState) -> bytes:
    """The lines of an answer, without the ``errno=0`` and the blank line."""
    return "".join(_device_lines(device)).encode("utf-8", "surrogateescape")


def parse_get(text: bytes) -> DeviceState:
    """Read the lines of an answer, without its ``errno``. Unknown keys are skipped. Raises UapiError (EPROTO)."""
    device: dict[str, str] = {}
    peers: list[PeerState] = []
    section = device
    allowed_ips: list[AllowedIP] = []
    try:
        for line in text.decode("utf-8", "surrogateescape").split("\n"):
            if not line:
                continue
            key, equals, value = line.partition("=")
            if not equals:
                raise ValueError("a line without '='")
            if key == "public_key":
                if section is not device:
                    peers.append(_peer_state(section, allowed_ips))
                section, allowed_ips = {}, []
            if key == "allowed_ip":
                allowed_ips.append(AllowedIP.parse(value))
            else:
                section[key] = value
        if section is not device:
            peers.append(_peer_state(section, allowed_ips))
        return DeviceState(
            private_key=_read(device, "private_key", PrivateKey.from_hex, None),
            listen_port=_read(device, "listen_port", int, 0),
            fwmark=_read(device, "fwmark", int, 0),
            peers=peers,
        )
    except ValueError as error:
        raise UapiError(errno.EPROTO, f"the daemon's answer can't be read: {error}") from None


def _device_lines(device: DeviceState) -> Iterator[str]:
    if device.private_key is not None:
        yield f"private_key={device.private_key.hex()}\n"
    if device.listen_port:
        yield f"listen_port={device.listen_port}\n"
    if device.fwmark:
        yield f"fwmark={device.fwmark}\n"
    for peer in device.peers:
        yield from _peer_lines(peer)


def _peer_lines(peer: PeerState) -> Iterator[str]:
    seconds, nanoseconds = divmod(peer.last_handshake, SECOND)
    yield f"public_key={peer.public_key.hex()}\npreshared_key={peer.preshared_key.hex()}\nprotocol_version=1\n"
    if peer.endpoint is not None:
        yield f"endpoint={peer.endpoint}\n"
    yield (
        f"last_handshake_time_sec={seconds}\nlast_handshake_time_nsec={nanoseconds}\n"
        f"tx_bytes={peer.tx_bytes}\nrx_bytes={peer.rx_bytes}\n"
        f"persistent_keepalive_interval={peer.persistent_keepalive}\n"
    )
    for prefix in peer.allowed_ips:
        yield f"allowed_ip={prefix}\n"


def _peer_state(section: dict[str, str], allowed_ips: list[AllowedIP]) -> PeerState:
    return PeerState(
        public_key=PublicKey.from_hex(section["public_key"]),
        preshared_key=_read(section, "preshared_key", PresharedKey.from_hex, _NO_PRESHARED_KEY),
        endpoint=_read(section, "endpoint", Endpoint.parse, None),
        last_handshake=_read(section, "last_handshake_time_sec", int, 0) * SECOND
        + _read(section, "last_handshake_time_nsec", int, 0),
        tx_bytes=_read(section, "tx_bytes", int, 0),
        rx_bytes=_read(section, "rx_bytes", int, 0),
        persistent_keepalive=_read(section, "persistent_keepalive_interval", int, 0),
        allowed_ips=allowed_ips,
    )


def _read(section: dict[str, str], key: str, parse: Callable[[str], _T], default: _D) -> _T | _D:
    value = section.get(key)
    if value is None:
        return default
    try:
        return parse(value)
    except ValueError as error:
        raise ValueError(f"{key}: {error}") from None
