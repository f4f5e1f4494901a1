"""A device as people read it; the layout, the words and the colours of `wg show`."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from typing import Any, TextIO

from wgtun.constants import SECOND
from wgtun.endpoint import Endpoint
from wgtun.keys import PresharedKey, PrivateKey
from wgtun.uapi.model import DeviceState, PeerState

_RESET, _BOLD, _RED, _GREEN, _YELLOW, _CYAN = ("\033[0m", "\033[1m", "\033[31m", "\033[32m", "\033[33m", "\033[36m")
_UNITS = (("year", 365 * 86400), ("day", 86400), ("hour", 3600), ("minute", 60), ("second", 1))


def colours_wanted(stream: TextIO) -> bool:
    """Whether to colour: WG_COLOR_MODE (always, never, auto), or else if it is a terminal."""
    mode = os.environ.get("WG_COLOR_MODE")
    return mode == "always" or (mode != "never" and stream.isatty())


def device_text(
    interface: str, device: DeviceState, status: dict[str, Any], *, now: int, hide_keys: bool, colours: bool
) -> str:
    """The device, then its peers, the one with the latest handshake first. `now` is wall time in seconds.

    With the daemon's status (docs/uapi.md) there are lines that `wg show` does not have.
    """
    text = _RESET + "".join(_device_lines(interface, device, hide_keys)) + "".join(_status_lines(status, now))
    news = status.get("peers", {})
    for peer in sorted(device.peers, key=lambda peer: -peer.last_handshake):
        text += "\n" + "".join(_peer_lines(peer, now, hide_keys))
        text += "".join(_news_lines(news.get(peer.public_key.base64(), {})))
    return text if colours else _without_colours(text)


def endpoint_text(endpoint: Endpoint) -> str:
    """The endpoint; a numeric zone as the name of its interface, where the system does so."""
    address = endpoint.address()
    if len(address) == 4 and address[3]:
        host, _ = socket.getnameinfo(address, socket.NI_NUMERICHOST | socket.NI_NUMERICSERV)
        return f"[{host}]:{endpoint.port}"
    return str(endpoint)


def ago(seconds: int) -> str:
    """``1 minute, 4 seconds ago``"""
    if seconds < 0:
        return f"({_RED}System clock wound backward; connection problems may ensue.{_RESET})"
    return f"{duration(seconds)} ago" if seconds else "Now"


def duration(seconds: int) -> str:
    """``1 hour, 2 seconds``"""
    parts = []
    for unit, size in _UNITS:
        count, seconds = divmod(seconds, size)
        if count:
            parts.append(f"{count} {_CYAN}{unit}{'s' if count > 1 else ''}{_RESET}")
    return ", ".join(parts)


def size(number: int) -> str:
    """``1.20 KiB``"""
    if number < 1024:
        return f"{number} {_CYAN}B{_RESET}"
    exponent = min((number.bit_length() - 1) // 10, 4)
    return f"{number / 1024**exponent:.2f} {_CYAN}{'KMGT'[exponent - 1]}iB{_RESET}"


def _device_lines(interface: str, device: DeviceState, hide_keys: bool) -> Iterator[str]:
    yield f"{_GREEN}{_BOLD}interface{_RESET}: {_GREEN}{interface}{_RESET}\n"
    if device.private_key is not None:
        yield _line("public key", device.private_key.public_key().base64())
        yield _line("private key", _secret(device.private_key, hide_keys))
    if device.listen_port:
        yield _line("listening port", str(device.listen_port))
    if device.fwmark:
        yield _line("fwmark", f"0x{device.fwmark:x}")


def _peer_lines(peer: PeerState, now: int, hide_keys: bool) -> Iterator[str]:
    yield f"{_YELLOW}{_BOLD}peer{_RESET}: {_YELLOW}{peer.public_key.base64()}{_RESET}\n"
    if peer.preshared_key != PresharedKey(bytes(32)):
        yield _line("preshared key", _secret(peer.preshared_key, hide_keys))
    if peer.endpoint is not None:
        yield _line("endpoint", endpoint_text(peer.endpoint))
    prefixes = ", ".join(str(prefix).replace("/", f"{_CYAN}/{_RESET}") for prefix in peer.allowed_ips)
    yield _line("allowed ips", prefixes or "(none)")
    if handshake := peer.last_handshake // SECOND:
        yield _line("latest handshake", ago(now - handshake))
    if peer.rx_bytes or peer.tx_bytes:
        yield _line("transfer", f"{size(peer.rx_bytes)} received, {size(peer.tx_bytes)} sent")
    if peer.persistent_keepalive:
        yield _line("persistent keepalive", f"every {duration(peer.persistent_keepalive)}")


def _status_lines(status: dict[str, Any], now: int) -> Iterator[str]:
    if "engine" in status:
        yield _line("engine", status["engine"])
        yield _line("offloads", ", ".join(status["offloads"]) or "(none)")
    for name, why in status.get("missing_offloads", {}).items():
        yield _line(f"without {name}", why)
    yield from _drop_lines(status)
    if refusal := status.get("last_refusal"):
        yield _line("last refused", f"{refusal['text']}, {ago(now - refusal['time'])}")


def _news_lines(news: dict[str, Any]) -> Iterator[str]:
    if problem := news.get("handshake_problem"):
        yield _line("handshake", f"{_RED}{problem}{_RESET}")
    yield from _drop_lines(news)


def _drop_lines(counted: dict[str, Any]) -> Iterator[str]:
    if drops := counted.get("drops"):
        yield _line("dropped", ", ".join(f"{count} {reason.replace('_', ' ')}" for reason, count in drops.items()))


def _line(label: str, value: str) -> str:
    return f"  {_BOLD}{label}{_RESET}: {value}\n"


def _secret(key: PrivateKey | PresharedKey, hide: bool) -> str:
    return "(hidden)" if hide else key.base64()


def _without_colours(text: str) -> str:
    for code in (_RESET, _BOLD, _RED, _GREEN, _YELLOW, _CYAN):
        text = text.replace(code, "")
    return text
