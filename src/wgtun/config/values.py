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
from wgtun.endpoint import Endpoint
from wgtun.keys import PresharedKey, PrivateKey, PublicKey

WHITE_SPACE = " \t\n\v\f\r"  # what C means by it: wg refuses other white space

_NAME = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9_.-]*[A-Za-z0-9_])?\.?", re.ASCII)
_HEX = re.compile(r"0x[0-9A-Fa-f]+", re.ASCII)
_TABLE = re.compile(r"[!-~]+", re.ASCII)
_LINE_ENDS = re.compile(r"[#\n]")  # where a value ends, whatever follows


class Key(NamedTuple):
    """One key: its name in files, its field in the model, and how to read and write one value."""

    name: str
    field: str
    read: Callable[[str], Any]
    write: Callable[[Any], str] = str
    repeats: bool = False  # several values make a list
    split: Callable[[str], list[str]] | None = None  # of a list: takes the values of one line apart
    wg: bool = True  # wg(8) knows it, not only wg-quick(8)

    def values(self, text: str) -> tuple[Any, ...]:
        """The values in one line: of a list any number, else one. Raises ValueError, which names the wrong one."""
        if not self.repeats:
            return (self._value(text),)
        if not text:
            return ()
        return tuple(map(self._value, self.split(text) if self.split else [text]))

    def texts(self, values: tuple[Any, ...]) -> list[str]:
        """What stands behind ``=``, per line, to give these values. Raises ValueError for what no file can say."""
        texts = [self.write(value) for value in values]
        for text in texts:
            if text.strip(WHITE_SPACE) != text or _LINE_ENDS.search(text) or len(self.values(text)) != 1:
                raise ValueError("no file can say this: an empty value, white space around it, `#` or a line break")
        return [", ".join(texts)] if self.split and texts else texts

    def _value(self, text: str) -> Any:
        try:
            return self.read(text)
        except ValueError as error:
            if self.read in _UNSHOWN:
                raise
            raise ValueError(f"`{shown(text)}`: {error}") from None


def shown(text: str) -> str:
    """A piece of a file as errors show it. Never what may be a key that was put in a wrong place."""
    if len(text) > 64 or not text.isprintable() or re.search("[A-Za-z0-9+/]{20}", text):
        return "…"
    return text


def _number(text: str, most: int, problem: str) -> int:
    digits = text.lstrip("0") or "0"
    if not (text.isascii() and text.isdecimal()) or len(digits) > 10 or int(digits) > most:
        raise ValueError(problem)
    return int(digits)


def read_port(text: str) -> int:
    return _number(text, 65535, "a port is a number from 0 to 65535")


def read_mtu(text: str) -> int | None:
    problem = "an MTU is a number from 68 to 65535"
    if text and _number(text, 65535, problem) < 68:  # the smallest that IPv4 allows
        raise ValueError(problem)
    return int(text) if text else None  # wg-quick(8) takes an empty one for none


def read_fwmark(text: str) -> int:
    problem = "a firewall mark is `off` or a number of 32 bits, decimal or with 0x"
    if text.lower() == "off":
        return 0
    if not _HEX.fullmatch(text):
        return _number(text, 0xFFFFFFFF, problem)
    if int(text, 16) > 0xFFFFFFFF:
        raise ValueError(problem)
    return int(text, 16)


def write_fwmark(value: int) -> str:
    return f"0x{value:x}" if value else "off"


def read_keepalive(text: str) -> int:
    return 0 if text.lower() == "off" else _number(text, 65535, "an interval is `off` or a number from 0 to 65535")


def write_keepalive(value: int) -> str:
    return str(value) if value else "off"


def read_bool(text: str) -> bool:
    if text.lower() not in ("true", "false"):
        raise ValueError("this is either `true` or `false`")
    return text.lower() == "true"


def write_bool(value: bool) -> str:
    return "true" if value else "false"


def read_allowed_ip(text: str) -> AllowedIP:
    """As wg(8): without a length it is a single address, and a length may have leading zeros."""
    host, slash, digits = text.partition("/")
    if not slash:
        digits = "128" if ":" in host else "32"
    return AllowedIP.parse(f"{host}/{digits.lstrip('0') or digits[:1]}")


def read_address(text: str) -> InterfaceAddress:
    try:
        prefix = read_allowed_ip(text)  # the same rules, but the host bits matter
    except ValueError:
        raise ValueError("an address reads like 10.0.0.1/24 or fd00::1/64") from None
    host = text.partition("/")[0]
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    return InterfaceAddress(socket.inet_ntop(family, socket.inet_pton(family, host)), prefix.length)


def read_endpoint(text: str) -> HostPort:
    host, colon, port_text = text.rpartition(":")
    if not colon or host.endswith(":"):
        raise ValueError("an endpoint reads HOST:PORT or [IPV6]:PORT")
    port = read_port(port_text)
    bracketed = host.startswith("[") and host.endswith("]")
    if ":" in host:
        if not bracketed:
            raise ValueError("an IPv6 address in an endpoint stands in brackets: [ADDRESS]:PORT")
        address = Endpoint.parse(f"{host}:{port}")
        return HostPort(f"{address.host}%{address.zone}" if address.zone else address.host, port)
    if bracketed:  # wg(8) takes brackets around anything
        host = host[1:-1]
    if not _NAME.fullmatch(host) or len(host) > 253:
        raise ValueError("an endpoint needs an address or a host name before the port")
    return HostPort(host, port)


def read_dns(text: str) -> str:
    """A server's address, or a search domain; ``~`` before one is systemd's mark for routing only."""
    address, _, zone = text.partition("%")
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            canonical = socket.inet_ntop(family, socket.inet_pton(family, address))
        except (OSError, ValueError):
            continue
        if zone and family == socket.AF_INET6 and _NAME.fullmatch(zone):
            return f"{canonical}%{zone}"
        if address == text:
            return canonical
    domain = text.removeprefix("~")
    if domain != "." and not _NAME.fullmatch(domain):
        raise ValueError("a DNS entry is an IP address or a domain name")
    return text


def read_table(text: str) -> str | None:
    if text and not _TABLE.fullmatch(text):
        raise ValueError("a routing table is `off`, `auto`, a number or a name")
    return text or None  # wg-quick(8) takes an empty one for none


def read_command(text: str) -> str:
    if "\0" in text:
        raise ValueError("a command has no NUL characters")
    return text


def split_by_commas(text: str) -> list[str]:
    """As wg(8): nothing may be missing between two commas."""
    return text.split(",")


def split_into_words(text: str) -> list[str]:
    """As wg-quick(8): commas and white space, any number of them."""
    return [word for word in re.split("[, \t]", text) if word]


def _write_key(key: PrivateKey | PublicKey | PresharedKey) -> str:
    return key.base64()


# Values that errors never repeat.
_UNSHOWN = (PrivateKey.from_base64, PublicKey.from_base64, PresharedKey.from_base64, read_command)

INTERFACE_KEYS = (
    Key("PrivateKey", "private_key", PrivateKey.from_base64, _write_key),
    Key("ListenPort", "listen_port", read_port),
    Key("FwMark", "fwmark", read_fwmark, write_fwmark),
    Key("Address", "addresses", read_address, repeats=True, split=split_into_words, wg=False),
    Key("DNS", "dns", read_dns, repeats=True, split=split_into_words, wg=False),
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
    Key("AllowedIPs", "allowed_ips", read_allowed_ip, repeats=True, split=split_by_commas),
    Key("Endpoint", "endpoint", read_endpoint),
    Key("PersistentKeepalive", "persistent_keepalive", read_keepalive, write_keepalive),
)
