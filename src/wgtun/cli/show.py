"""`wgtun show`: what `wg show` tells, and what only our daemon knows, about interfaces with a userspace daemon.

The single-field forms and `dump` are made for scripts and equal those of wg 1.0.20210914 byte for byte.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import Any

from wgtun.allowed_ip import AllowedIP
from wgtun.cli.document import json_document
from wgtun.cli.readable import colours_wanted, device_text, endpoint_text
from wgtun.constants import SECOND
from wgtun.errors import WireGuardError
from wgtun.keys import PresharedKey
from wgtun.uapi.client import UapiClient, interfaces
from wgtun.uapi.model import DeviceState, PeerState

_NONE = "(none)"


def add_parser(subparsers: argparse._SubParsersAction[argparse.ArgumentParser]) -> None:
    """Add the verb to the parser of `wgtun`."""
    parser = subparsers.add_parser(
        "show",
        help="show the state of interfaces, as `wg show`",
        description="Show the state of WireGuard interfaces that have a userspace daemon, as `wg show`.",
        epilog="WG_COLOR_MODE=always|never|auto sets colours; WG_HIDE_KEYS=never shows secret keys.",
    )
    parser.add_argument("interface", nargs="?", default="all", help="an interface, `all` (default), or `interfaces`")
    parser.add_argument("field", nargs="?", choices=_FIELDS, metavar="field", help=f"one of: {', '.join(_FIELDS)}")
    parser.add_argument("--json", action="store_true", help="everything but secrets, as JSON by interface")
    parser.set_defaults(run=run)


def run(args: argparse.Namespace) -> int:
    """Print what was asked for; the exit status."""
    try:
        if args.json:
            return _show_json(args.interface, args.field)
        if args.interface == "interfaces":
            return _show_names(args.field)
        if args.interface == "all":
            return _show_all(args.field)
        sys.stdout.write(_text(args.interface, args.field, prefix=""))
    except WireGuardError as error:
        sys.stderr.write(f"wgtun show: {error}\n")
        return 1
    return 0


def _show_names(field: str | None) -> int:
    if field is not None:
        sys.stderr.write("wgtun show: `interfaces` takes no field\n")
        return 2
    if names := interfaces():
        print(*names)
    return 0


def _show_all(field: str | None) -> int:
    """Go on when one fails; that is an error only when none could be shown."""
    names = interfaces()
    shown = 0
    for number, name in enumerate(names, 1):
        try:
            sys.stdout.write(_text(name, field, prefix=f"{name}\t"))
        except WireGuardError as error:
            sys.stderr.write(f"wgtun show: {error}\n")
            continue
        if field is None and number < len(names):
            sys.stdout.write("\n")
        shown += 1
    return 0 if shown or not names else 1


def _show_json(interface: str, field: str | None) -> int:
    if field is not None or interface == "interfaces":
        sys.stderr.write("wgtun show: --json shows whole interfaces\n")
        return 2
    shown = {}
    for name in interfaces() if interface == "all" else [interface]:
        with UapiClient(name) as client:
            device = client.get()
        shown[name] = json_document(device, _status(name), now=time.time_ns() // SECOND)
    print(json.dumps(shown, indent=2))
    return 0


def _status(interface: str) -> dict[str, Any]:
    with UapiClient(interface) as client:  # of its own: a daemon that does not know the question ends it
        return client.status()


def _text(interface: str, field: str | None, *, prefix: str) -> str:
    with UapiClient(interface) as client:
        device = client.get()
    if field is not None:
        return _FIELDS[field](device, prefix)
    return device_text(
        interface,
        device,
        _status(interface),
        now=time.time_ns() // SECOND,
        hide_keys=os.environ.get("WG_HIDE_KEYS") != "never",
        colours=colours_wanted(sys.stdout),
    )


# --- the forms for scripts -----------------------------------------------------------------------


def _private_key(device: DeviceState) -> str:
    return _NONE if device.private_key is None else device.private_key.base64()


def _public_key(device: DeviceState) -> str:
    return _NONE if device.private_key is None else device.private_key.public_key().base64()


def _fwmark(device: DeviceState) -> str:
    return f"0x{device.fwmark:x}" if device.fwmark else "off"


def _preshared_key(peer: PeerState) -> str:
    return _NONE if peer.preshared_key == PresharedKey(bytes(32)) else peer.preshared_key.base64()


def _endpoint(peer: PeerState) -> str:
    return _NONE if peer.endpoint is None else endpoint_text(peer.endpoint)


def _allowed_ips(prefixes: Iterable[AllowedIP], separator: str) -> str:
    return separator.join(map(str, prefixes)) or _NONE


def _latest_handshake(peer: PeerState) -> str:
    return str(peer.last_handshake // SECOND)


def _transfer(peer: PeerState) -> str:
    return f"{peer.rx_bytes}\t{peer.tx_bytes}"


def _persistent_keepalive(peer: PeerState) -> str:
    return str(peer.persistent_keepalive or "off")


def _of_device(value: Callable[[DeviceState], str]) -> Callable[[DeviceState, str], str]:
    return lambda device, prefix: f"{prefix}{value(device)}\n"


def _of_peers(value: Callable[[PeerState], str]) -> Callable[[DeviceState, str], str]:
    return lambda device, prefix: "".join(
        f"{prefix}{peer.public_key.base64()}\t{value(peer)}\n" for peer in device.peers
    )


def _peers(device: DeviceState, prefix: str) -> str:
    return "".join(f"{prefix}{peer.public_key.base64()}\n" for peer in device.peers)


def _endpoints(device: DeviceState, prefix: str) -> str:
    """wg puts the interface only before the first peer, even when there is none; scripts may depend on it."""
    return prefix + _of_peers(_endpoint)(device, "")


def _dump(device: DeviceState, prefix: str) -> str:
    return "".join(f"{prefix}{line}\n" for line in _dump_lines(device))


def _dump_lines(device: DeviceState) -> Iterator[str]:
    yield "\t".join((_private_key(device), _public_key(device), str(device.listen_port), _fwmark(device)))
    for peer in device.peers:
        yield "\t".join(
            (
                peer.public_key.base64(),
                _preshared_key(peer),
                _endpoint(peer),
                _allowed_ips(peer.allowed_ips, ","),
                _latest_handshake(peer),
                _transfer(peer),
                _persistent_keepalive(peer),
            )
        )


_FIELDS: dict[str, Callable[[DeviceState, str], str]] = {
    "public-key": _of_device(_public_key),
    "private-key": _of_device(_private_key),
    "listen-port": _of_device(lambda device: str(device.listen_port)),
    "fwmark": _of_device(_fwmark),
    "peers": _peers,
    "preshared-keys": _of_peers(_preshared_key),
    "endpoints": _endpoints,
    "allowed-ips": _of_peers(lambda peer: _allowed_ips(peer.allowed_ips, " ")),
    "latest-handshakes": _of_peers(_latest_handshake),
    "transfer": _of_peers(_transfer),
    "persistent-keepalive": _of_peers(_persistent_keepalive),
    "dump": _dump,
}
