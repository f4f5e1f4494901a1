"""Reads and writes ``.conf`` files of wg-quick(8).

A `Document` keeps the lines as they were, comments, order and spacing included; writing a changed
configuration into it touches the lines of changed values only.

    document = load("/etc/wireguard/wg0.conf")
    changed = replace(document.config, interface=replace(document.config.interface, mtu=1380))
    print(document.with_config(changed).text)

Rules, as wg(8) and wg-quick(8) have them:

* Keys and section names in any case; ``#`` starts a comment anywhere. White space counts nowhere in
  names and in values of wg(8), and only inside the values of wg-quick(8).
* Of a repeated key the last one counts, unless it makes a list. All [Interface] sections are one.
* A later section of the same peer overrides what it says, and always replaces the allowed IPs.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterable
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any, NamedTuple

from wgtun.config.model import Config, InterfaceConfig, PeerConfig
from wgtun.config.values import INTERFACE_KEYS, PEER_KEYS, WHITE_SPACE, Key
from wgtun.errors import ConfigError
from wgtun.keys import PublicKey

_INTERFACE = {key.name.lower(): key for key in INTERFACE_KEYS}
_PEER = {key.name.lower(): key for key in PEER_KEYS}
_SECTIONS = {"[interface]": _INTERFACE, "[peer]": _PEER}
_SQUEEZE = str.maketrans("", "", WHITE_SPACE)


class _Line(NamedTuple):
    """A line as it was, its end included; if it sets a key, which and to what."""

    text: str
    key: Key | None = None
    values: tuple[Any, ...] = ()


@dataclass(slots=True, eq=False, repr=False)  # a repr would show the lines, and secrets in them
class _Section:
    """The lines of one section, with the comments above its header. Before the first header: no keys."""

    keys: dict[str, Key]
    number: int = 0  # of the header in the file
    lines: list[_Line] = field(default_factory=list)
    header: int = 0  # its place in `lines`
    public_key: PublicKey | None = None  # of a peer

    @property
    def text(self) -> str:
        return "".join(line.text for line in self.lines)

    @property
    def last_key(self) -> int:
        """The place of the last line that sets a key, or else of the header: new keys go below."""
        keys = (place for place in range(len(self.lines) - 1, -1, -1) if self.lines[place].key)
        return next(keys, self.header)


class Document:
    """A file: its text, and the configuration in it."""

    def __init__(self, sections: list[_Section], config: Config) -> None:
        self._sections = sections
        self.config = config

    @property
    def text(self) -> str:
        """The file's text."""
        return "".join(section.text for section in self._sections)

    def strip(self) -> str:
        """The text without the lines that only wg-quick(8) understands, as ``wg-quick strip`` prints it."""
        lines = (line for section in self._sections for line in section.lines)
        return "".join(line.text for line in lines if line.key is None or line.key.wg)

    def with_config(self, config: Config) -> Document:
        """This document, saying `config`. Raises ConfigError for what no file can say.

        Peers that are gone lose their sections; new ones come last, unless the order of `config` asks
        for another place.
        """
        if config == self.config:
            return self
        old = {peer.public_key: peer for peer in self.config.peers}
        new = _by_public_key(config)
        newline = "\r\n" if "\r\n" in self.text else "\n"

        texts = {section: section.text for section in self._sections}
        own = [section for section in self._sections if section.keys is _INTERFACE]
        if own:
            texts |= _edited(own, self.config.interface, config.interface, newline)
        for public_key in old.keys() & new.keys():
            sections = [section for section in self._sections if section.public_key == public_key]
            if old[public_key] != new[public_key]:
                texts |= _edited(sections, old[public_key], new[public_key], newline)

        pieces = _Pieces(newline)
        peers = [(section.public_key, texts[section]) for section in self._sections if section.public_key in new]
        fresh = [peer for peer in config.peers if peer.public_key not in old]
        order = list(dict.fromkeys([key for key, _ in peers] + [peer.public_key for peer in fresh]))
        return pieces, peers, order
