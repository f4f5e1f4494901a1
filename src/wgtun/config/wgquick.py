"""Reads and writes ``.conf`` files of wg-quick(8).

A `Document` keeps the lines as they were, comments, order and spacing included; writing a changed
configuration into it touches the lines of changed keys only.

    document = load("/etc/wireguard/wg0.conf")
    changed = replace(document.config, interface=replace(document.config.interface, mtu=1380))
    print(document.with_config(changed).text)

Rules, as wg(8) and wg-quick(8) have them: keys and section names in any case; ``#`` starts a
comment anywhere; of a repeated key the last one counts, unless it makes a list; a later section
of the same peer overrides what it repeats.
"""

from __future__ import annotations

import io
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from os import PathLike
from pathlib import Path
from typing import Any

from wgtun.config.model import Config, InterfaceConfig, PeerConfig
from wgtun.config.values import INTERFACE_KEYS, PEER_KEYS, Key
from wgtun.errors import ConfigError
from wgtun.keys import PublicKey

_SECTIONS = {"[interface]": INTERFACE_KEYS, "[peer]": PEER_KEYS}


@dataclass(slots=True)
class _Section:
    """The lines of one section, and the values that they give. Before the first header: no keys."""

    keys: tuple[Key, ...]
    line: int
    lines: list[str] = field(default_factory=list)
    names: list[str | None] = field(default_factory=list)  # the key that each line sets
    values: dict[str, Any] = field(default_factory=dict)

    @property
    def is_peer(self) -> bool:
        return self.keys is PEER_KEYS


class Document:
    """A file: its text, and the configuration in it."""

    def __init__(self, sections: list[_Section], config: Config) -> None:
        self._sections = sections
        self.config = config

    @property
    def text(self) -> str:
        """The file's text."""
        return "".join(line for section in self._sections for line in section.lines)

    def with_config(self, config: Config) -> Document:
        """This document, saying `config`. Peers that are gone lose their sections, new ones come last."""
        old_peers = {peer.public_key: peer for peer in self.config.peers}
        new_peers = {peer.public_key: peer for peer in config.peers}
        pieces: list[str] = []
        interface_done = False
        written: set[PublicKey] = set()
        for section in self._sections:
            if section.is_peer:
                key = section.values["public_key"]
                if key not in new_peers:
                    continue
                same = old_peers[key] == new_peers[key]
                pieces.append("".join(section.lines) if same else "".join(_edited(section, new_peers[key])))
                written.add(key)
            elif section.keys and not interface_done:
                same = self.config.interface == config.interface
                pieces.append("".join(section.lines) if same else "".join(_edited(section, config.interface)))
                interface_done = True
            else:
                pieces.append("".join(section.lines))
        text = "".join(pieces)
        added = Config(
            InterfaceConfig() if interface_done else config.interface,
            tuple(peer for peer in config.peers if peer.public_key not in written),
        )
        addition = dumps(added, header=not interface_done and config.interface != InterfaceConfig())
        if text and addition:
            text += ("" if text.endswith("\n") else "\n") + ("" if text.endswith("\n\n") else "\n")
        return parse(text + addition)


def load(path: str | PathLike[str]) -> Document:
    """Read a file. Raises ConfigError, and OSError when it can't be read."""
    try:
        text = Path(path).read_bytes().decode()
    except UnicodeDecodeError:
        raise ConfigError("is not text in UTF-8", file=str(path)) from None
    return parse(text, str(path))


def parse(text: str, file: str = "<string>") -> Document:
    """Read a text. `file` is what errors call it. Raises ConfigError, which names file, line and key."""
    sections = _read_sections(text, file)
    interface: dict[str, Any] = {}
    peers: dict[PublicKey, dict[str, Any]] = {}
    for section in sections:
        if not section.is_peer:
            interface |= section.values
        elif "public_key" not in section.values:
            raise ConfigError("this [Peer] has no PublicKey; add one", file=file, line=section.line, key="PublicKey")
        else:
            peers.setdefault(section.values["public_key"], {}).update(section.values)
    config = Config(InterfaceConfig(**interface), tuple(PeerConfig(**values) for values in peers.values()))
    return Document(sections, config)


def dumps(config: Config, *, header: bool = True, wg_only: bool = False) -> str:
    """A text for a configuration. `wg_only` leaves out what wg(8) does not know, as ``wg-quick strip`` does."""
    blocks = []
    if header:
        blocks.append("[Interface]\n" + "".join(_lines(INTERFACE_KEYS, config.interface, wg_only)))
    blocks += ["[Peer]\n" + "".join(_lines(PEER_KEYS, peer, wg_only)) for peer in config.peers]
    return "\n".join(blocks)


def _lines(keys: Iterable[Key], values: object, wg_only: bool) -> Iterator[str]:
    for key in keys:
        if key.wg or not wg_only:
            yield from _key_lines(key, getattr(values, key.field))


def _key_lines(key: Key, value: Any) -> list[str]:
    """The lines that give a key this value; none for what is not there."""
    if value is None or value == ():
        return []
    values = [key.write(each) for each in value] if key.repeats else [key.write(value)]
    if key.separator:
        values = [f"{key.separator} ".join(values)]
    return [f"{key.name} = {each}\n" for each in values]


def _edited(section: _Section, values: object) -> Iterator[str]:
    """The lines of a section with the keys that changed written anew where they stood first."""
    changed = {key.name: key for key in section.keys if _differs(section, key, getattr(values, key.field))}
    pending = dict(changed)
    body = _trailing_start(section)
    for number, (line, name) in enumerate(zip(section.lines, section.names, strict=True)):
        if number == body:
            yield from _rest(pending, values)
            pending = {}
        if name not in changed:
            yield line if line.endswith("\n") else line + "\n"
        elif name in pending:
            fresh = _key_lines(pending.pop(name), getattr(values, changed[name].field))
            comment = line.partition("#")[2].rstrip("\n")
            yield from [f"{fresh[0][:-1]} #{comment}\n", *fresh[1:]] if fresh and comment else fresh
    yield from _rest(pending, values)


def _differs(section: _Section, key: Key, value: Any) -> bool:
    return bool(section.values.get(key.field, () if key.repeats else None) != value)


def _rest(pending: dict[str, Key], values: object) -> Iterator[str]:
    for key in pending.values():
        yield from _key_lines(key, getattr(values, key.field))


def _trailing_start(section: _Section) -> int:
    """Where the blank lines and comments before the next section begin: new keys go above them."""
    end = len(section.lines)
    while end > 1 and section.names[end - 1] is None:
        end -= 1
    return end


def _read_sections(text: str, file: str) -> list[_Section]:
    sections = [_Section((), 0)]
    for number, line in enumerate(io.StringIO(text, newline="\n"), 1):
        content = line.partition("#")[0].strip()
        name = None
        if content.startswith("["):
            keys = _SECTIONS.get(content.lower().replace(" ", ""))
            if keys is None:
                raise ConfigError(
                    "unknown section; use [Interface] or [Peer]", file=file, line=number, key=_shown(content)
                )
            sections.append(_Section(keys, number))
        elif content:
            name = _read_line(sections[-1], content, file, number)
        sections[-1].lines.append(line)
        sections[-1].names.append(name)
    return sections


def _read_line(section: _Section, content: str, file: str, number: int) -> str:
    """Take one ``key = value`` into the section; returns the key's name."""
    written, equals, text = content.partition("=")
    written, text = written.strip(), text.strip()
    if not equals:
        raise ConfigError("this line is not KEY = VALUE", file=file, line=number)
    if not section.keys:
        raise ConfigError(
            "stands before any section; put it below [Interface] or [Peer]", file=file, line=number, key=_shown(written)
        )
    key = next((key for key in section.keys if key.name.lower() == written.lower()), None)
    if key is None:
        kind = "[Peer]" if section.is_peer else "[Interface]"
        known = ", ".join(key.name for key in section.keys)
        raise ConfigError(f"unknown key in {kind}; it has {known}", file=file, line=number, key=_shown(written))
    try:
        if not key.repeats:
            section.values[key.field] = key.read(text)
        else:
            parts = [part.strip() for part in text.split(key.separator)] if key.separator else [text]
            if key.separator and parts == [""]:
                parts = []  # AllowedIPs may be empty
            section.values[key.field] = (*section.values.get(key.field, ()), *map(key.read, parts))
    except ValueError as error:  # keys of WireGuard say it without showing the value
        raise ConfigError(str(error), file=file, line=number, key=key.name) from None
    return key.name


def _shown(name: str) -> str:
    """A name as errors show it: never long, so that no key pasted in the wrong place is repeated."""
    return name if len(name) <= 24 else name[:8] + "…"
