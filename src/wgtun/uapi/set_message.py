"""The body of a set: ``key=value`` lines to a `SetRequest` and back.

A request is complete and valid before anybody applies it. That makes a repeated device key simple: a set is one
change, so only the last value ever becomes true (line by line, the peer that owns an earlier private key would be
lost as well).
"""

from __future__ import annotations

import errno
import re
from collections.abc import Callable, Iterable, Iterator

from wgtun.allowed_ip import AllowedIP
from wgtun.endpoint import Endpoint
from wgtun.errors import UapiError
from wgtun.keys import PresharedKey, PrivateKey, PublicKey
from wgtun.uapi.model import PeerChange, SetRequest

# A client that sends garbage may send a key where a name belongs: only what can't be one is repeated in an error.
_KEY_NAME = re.compile(r"[a-z_]{1,32}", re.ASCII)


def parse_set(lines: Iterable[str]) -> SetRequest:
    """Read the lines of a set, without the ``set=1`` and the blank line. Raises UapiError."""
    parser = SetParser()
    for line in lines:
        parser.line(line)
    return parser.request


def format_set(request: SetRequest) -> bytes:
    """The lines of a set, without the ``set=1`` and the blank line."""
    return "".join(_set_lines(request)).encode("utf-8", "surrogateescape")


class SetParser:
    """Reads a set line by line. `request` is whole when the last line was read without an error."""

    def __init__(self) -> None:
        self.request = SetRequest()
        self._peer: _PeerSection | None = None

    def line(self, line: str) -> None:
        """One line without its end. Raises UapiError; the request is void then."""
        key, equals, value = line.partition("=")
        if not equals:
            raise UapiError(errno.EPROTO, "a line without '='")
        try:
            if key == "public_key":
                self._peer = _PeerSection(PublicKey.from_hex(value))
                self.request.peers.append(self._peer.change)
            elif self._peer is not None and (read_peer := _PEER_KEYS.get(key)):
                read_peer(self._peer, value)
            elif self._peer is None and (read_device := _DEVICE_KEYS.get(key)):
                read_device(self.request, value)
            else:
                raise UapiError(errno.EINVAL, _misplaced(key))
        except ValueError as error:
            raise UapiError(errno.EINVAL, f"{key}: {error}") from None


def _misplaced(key: str) -> str:
    if key in _DEVICE_KEYS:
        return f"{key}: belongs before the first public_key"
    if key in _PEER_KEYS:
        return f"{key}: belongs after a public_key"
    return f"unknown key {key}" if _KEY_NAME.fullmatch(key) else "unknown key"


def _number(value: str, maximum: int) -> int:
    if not (value.isascii() and value.isdecimal()):
        raise ValueError("not a plain decimal number")
    digits = value.lstrip("0") or "0"
    # int() refuses thousands of digits in words that don't help the client.
    if len(digits) > 10 or int(digits) > maximum:
        raise ValueError(f"more than {maximum}")
    return int(digits)


def _must_be(expected: str, value: str) -> None:
    if value != expected:
        raise ValueError(f"only {expected!r} is allowed here")


# --- device keys ---------------------------------------------------------------------------------


def _private_key(request: SetRequest, value: str) -> None:
    request.private_key = PrivateKey.from_hex(value)


def _listen_port(request: SetRequest, value: str) -> None:
    request.listen_port = _number(value, 0xFFFF)


def _fwmark(request: SetRequest, value: str) -> None:
    request.fwmark = _number(value, 0xFFFFFFFF)


def _replace_peers(request: SetRequest, value: str) -> None:
    _must_be("true", value)
    request.replace_peers = True


_DEVICE_KEYS: dict[str, Callable[[SetRequest, str], None]] = {
    "private_key": _private_key,
    "listen_port": _listen_port,
    "fwmark": _fwmark,
    "replace_peers": _replace_peers,
}


# --- peer keys -----------------------------------------------------------------------------------


class _PeerSection:
    """A peer section while its lines arrive."""

    __slots__ = ("change", "replaced")

    def __init__(self, public_key: PublicKey) -> None:
        self.change = PeerChange(public_key)
        self.replaced = 0  # how many entries of `allowed_ips` stand before the last replace_allowed_ips

    def remove(self, value: str) -> None:
        _must_be("true", value)
        self.change.remove = True

    def update_only(self, value: str) -> None:
        _must_be("true", value)
        self.change.update_only = True

    def preshared_key(self, value: str) -> None:
        self.change.preshared_key = PresharedKey.from_hex(value)

    def endpoint(self, value: str) -> None:
        self.change.endpoint = Endpoint.parse(value)

    def persistent_keepalive(self, value: str) -> None:
        self.change.persistent_keepalive = _number(value, 0xFFFF)

    def protocol_version(self, value: str) -> None:
        _must_be("1", value)

    def allowed_ip(self, value: str) -> None:
        add = not value.startswith("-")
        self.change.allowed_ips.append((add, AllowedIP.parse(value if add else value[1:])))

    def replace_allowed_ips(self, value: str) -> None:
        """Applied first, wherever it stands; what was added before it is therefore removed again.

        Adding it at all still matters: that takes the prefix away from the peer that had it.
        """
        _must_be("true", value)
        self.change.replace_allowed_ips = True
        entries = self.change.allowed_ips
        added = [prefix for add, prefix in entries[self.replaced :] if add]
        entries += [(False, prefix) for prefix in added]
        self.replaced = len(entries)


_PEER_KEYS: dict[str, Callable[[_PeerSection, str], None]] = {
    "remove": _PeerSection.remove,
    "update_only": _PeerSection.update_only,
    "preshared_key": _PeerSection.preshared_key,
    "endpoint": _PeerSection.endpoint,
    "persistent_keepalive_interval": _PeerSection.persistent_keepalive,
    "replace_allowed_ips": _PeerSection.replace_allowed_ips,
    "allowed_ip": _PeerSection.allowed_ip,
    "protocol_version": _PeerSection.protocol_version,
}


# --- a request to text ---------------------------------------------------------------------------


def _set_lines(request: SetRequest) -> Iterator[str]:
    if request.private_key is not None:
        yield f"private_key={request.private_key.hex()}\n"
    if request.listen_port is not None:
        yield f"listen_port={request.listen_port}\n"
    if request.fwmark is not None:
        yield f"fwmark={request.fwmark}\n"
    if request.replace_peers:
        yield "replace_peers=true\n"
    for change in request.peers:
        yield from _change_lines(change)


def _change_lines(change: PeerChange) -> Iterator[str]:
    yield f"public_key={change.public_key.hex()}\n"
    if change.remove:
        yield "remove=true\n"
    if change.update_only:
        yield "update_only=true\n"
    if change.preshared_key is not None:
        yield f"preshared_key={change.preshared_key.hex()}\n"
    if change.endpoint is not None:
        yield f"endpoint={change.endpoint}\n"
    if change.persistent_keepalive is not None:
        yield f"persistent_keepalive_interval={change.persistent_keepalive}\n"
    if change.replace_allowed_ips:
        yield "replace_allowed_ips=true\n"
    for add, prefix in change.allowed_ips:
        yield f"allowed_ip={prefix}\n" if add else f"allowed_ip=-{prefix}\n"
