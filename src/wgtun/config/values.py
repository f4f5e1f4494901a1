"""How each key of a ``.conf`` file is read and written. Sources: wg(8), wg-quick(8).

A reader takes the text of one value and raises ValueError with what is wrong; a writer gives the
canonical text. Nothing here knows of files, lines or sections.
"""

from __future__ import annotations

import re
import socket
from collections.abc import Callable
from typing import Any, NamedTuple

from wgtun.allowed_ip import AllowedIP
from wgtun.config.model import HostPort, InterfaceAddress
from wgtun.keys import PresharedKey, PrivateKey, PublicKey

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?", re.ASCII)


class Key(NamedTuple):
    """One key: its name in files, its field in the model, and how to read and write one value."""

    name: str
    field: str
    read: Callable[[str], Any]
    write: Callable[[Any], str] = str
    separator: str = ""  # between the values of a list in one line
    repeats: bool = False  # several values make a list
    wg: bool = True  # wg(8) knows it, not only wg-quick(8)


def _number(text: str, most: int) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError("is not a decimal number")
    if int(text) > most:
        raise ValueError(f"is more than {most}")
    return int(text)


def read_port(text: str) -> int:
    return _number(text, 65535)


def read_mtu(text: str) -> int:
    value = _number(text, 65535)
    if value < 68:
        raise ValueError("is less than 68, the smallest MTU of IPv4")
    return value


def read_fwmark(text: str) -> int:
    if text == "off":
        return 0
    try:
        value = int(text, 16) if text[:2].lower() == "0x" else _number(text, 2**32 - 1)
    except ValueError:
        raise ValueError("is not `off`, a decimal or a 0x number") from None
    if not 0 <= value < 2**32 or "_" in text:
        raise ValueError("is not a number of 32 bits")
    return value


def write_fwmark(value: int) -> str:
    return f"0x{value:x}" if value else "off"


def read_keepalive(text: str) -> int:
    return 0 if text == "off" else _number(text, 65535)


def write_keepalive(value: int) -> str:
    return str(value) if value else "off"


def read_bool(text: str) -> bool:
    if text not in ("true", "false"):
        raise ValueError("is neither `true` nor `false`")
    return text == "true"


def write_bool(value: bool) -> str:
    return "true" if value else "false"


def read_allowed_ip(text: str) -> AllowedIP:
    """As wg(8): without a length it is a single address."""
    if "/" not in text:
        text += "/128" if ":" in text else "/32"
    return AllowedIP.parse(text)


def read_address(text: str) -> InterfaceAddress:
    prefix = read_allowed_ip(text)  # the same rules, but the host bits matter
    host = text.partition("/")[0]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return InterfaceAddress(socket.inet_ntop(family, socket.inet_pton(family, host)), prefix.length)


def read_endpoint(text: str) -> HostPort:
    host, colon, port = text.rpartition(":")
    if not colon:
        raise ValueError("needs a port: HOST:PORT")
    if host.startswith("[") and host.endswith("]"):
        host = host[1:-1]
        try:
            socket.inet_pton(socket.AF_INET6, host.partition("%")[0])
        except (OSError, ValueError):
            raise ValueError("has something other than an IPv6 address in brackets") from None
    elif ":" in host:
        raise ValueError("needs brackets around its IPv6 address: [ADDRESS]:PORT")
    elif not _NAME.fullmatch(host) or len(host) > 253:
        raise ValueError("has no valid host name or address before the port")
    return HostPort(host, read_port(port))


def read_dns(text: str) -> str:
    """A server's address, or a search domain."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            return socket.inet_ntop(family, socket.inet_pton(family, text))
        except (OSError, ValueError):
            continue
    if not _NAME.fullmatch(text):
        raise ValueError("is neither an IP address nor a domain name")
    return text


def read_table(text: str) -> str:
    if not re.fullmatch(r"[A-Za-z0-9_.-]+", text, re.ASCII):
        raise ValueError("is not `off`, `auto`, a number or a name of a routing table")
    return text


def read_command(text: str) -> str:
    if not text:
        raise ValueError("has no command")
    return text


def _write_key(key: PrivateKey | PublicKey | PresharedKey) -> str:
    return key.base64()


INTERFACE_KEYS = (
    Key("PrivateKey", "private_key", PrivateKey.from_base64, _write_key),
    Key("ListenPort", "listen_port", read_port),
    Key("FwMark", "fwmark", read_fwmark, write_fwmark),
    Key("Address", "addresses", read_address, separator=",", repeats=True, wg=False),
    Key("DNS", "dns", read_dns, separator=",", repeats=True, wg=False),
    Key("MTU", "mtu", read_mtu, wg=False),
    Key("Table", "table", read_table, wg=False),
    Key("PreUp", "pre_up", read_command, repeats=True, wg=False),
    Key("PostUp", "post_up", read_command, repeats=True, wg=False),
    Key("PreDown", "pre_down", read_command, repeats=True, wg=False),
    Key("PostDown", "post_down", read_command, repeats=True, wg=False),
    Key("SaveConfig", "save_config", read_bool, write_bool, wg=False),
)
PEER_KEYS = (
    Key("PublicKey", "public_key", PublicKey.from_base64, _write_key),
    Key("PresharedKey", "preshared_key", PresharedKey.from_base64, _write_key),
    Key("AllowedIPs", "allowed_ips", read_allowed_ip, separator=",", repeats=True),
    Key("Endpoint", "endpoint", read_endpoint),
    Key("PersistentKeepalive", "persistent_keepalive", read_keepalive, write_keepalive),
)
