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
        old, new = _by_public_key(self.config), _by_public_key(config)
        newline = "\r\n" if self.text.partition("\n")[0].endswith("\r") else "\n"
        interface: list[_Section] = []
        of_peer: dict[PublicKey, list[_Section]] = {}
        for section in self._sections:
            if section.public_key is not None:
                of_peer.setdefault(section.public_key, []).append(section)
            elif section.keys:
                interface.append(section)

        texts = {section: section.text for section in self._sections}
        if interface:
            texts |= _edited(interface, self.config.interface, config.interface, newline)
        for public_key in old.keys() & new.keys():
            texts |= _edited(of_peer[public_key], old[public_key], new[public_key], newline)

        peers = [(section.public_key, texts[section]) for section in self._sections if section.public_key in new]
        peers += [(key, _block("Peer", PEER_KEYS, peer, newline)) for key, peer in new.items() if key not in old]
        moved = list(dict(peers)) != list(new)
        if moved:
            rank = {key: number for number, key in enumerate(new)}
            peers.sort(key=lambda peer: rank[peer[0]])

        pieces: list[str] = []
        _append(pieces, self._sections[0].text, newline)
        if not interface and config.interface != InterfaceConfig():
            block = _block("Interface", INTERFACE_KEYS, config.interface, newline)
            _append(pieces, block + newline, newline, apart=True)
        # Peers take the places of peers: an [Interface] between or below them stays where it is.
        queue = iter([text for _, text in peers])
        for section in self._sections[1:]:
            if section.public_key is None:
                _append(pieces, texts[section], newline)
            elif section.public_key in new:
                _append(pieces, next(queue), newline, apart=moved)
        for text in queue:
            _append(pieces, text, newline, apart=True)
        return parse("".join(pieces))


def load(path: str | PathLike[str]) -> Document:
    """Read a file. Raises ConfigError, and OSError when it can't be read."""
    content = Path(path).read_bytes()
    try:
        text = content.decode("utf-8-sig")  # editors of Windows begin files with a byte order mark
    except UnicodeDecodeError as error:
        line = content.count(b"\n", 0, error.start) + 1
        raise ConfigError("this is not UTF-8; save the file in that encoding", file=str(path), line=line) from None
    return parse(text, str(path))


def parse(text: str, file: str = "<string>") -> Document:
    """Read a text. `file` is what errors call it. Raises ConfigError, which names file, line and key."""
    sections = _read_sections(text, file)
    interface: dict[str, Any] = {}
    peers: dict[PublicKey, dict[str, Any]] = {}
    for section in sections:
        if section.keys is not _PEER:
            _collect(section, interface)
            continue
        values: dict[str, Any] = {"allowed_ips": []}
        _collect(section, values)
        section.public_key = values.get("public_key")
        if section.public_key is None:
            raise ConfigError("this [Peer] has no PublicKey; add one", file=file, line=section.number, key="PublicKey")
        peers.setdefault(section.public_key, {}).update(values)
    return Document(
        sections,
        Config(InterfaceConfig(**_frozen(interface)), tuple(PeerConfig(**_frozen(peer)) for peer in peers.values())),
    )


def dumps(config: Config, *, wg_only: bool = False) -> str:
    """A text for a configuration. Raises ConfigError for what no file can say.

    `wg_only` leaves out what wg(8) does not understand.
    """
    keys = tuple(key for key in INTERFACE_KEYS if key.wg or not wg_only)
    peers = _by_public_key(config).values()
    return "\n".join(
        [_block("Interface", keys, config.interface), *(_block("Peer", PEER_KEYS, peer) for peer in peers)]
    )


def _read_sections(text: str, file: str) -> list[_Section]:
    sections = [_Section({})]
    for number, line in enumerate(io.StringIO(text, newline="\n"), 1):
        content = line.partition("#")[0].strip(WHITE_SPACE)
        if content.startswith("["):
            keys = _SECTIONS.get(content.translate(_SQUEEZE).lower())
            if keys is None:
                problem = "unknown section; use [Interface] or [Peer]"
                raise ConfigError(problem, file=file, line=number, key=_name(content))
            above = _take_comments(sections[-1].lines)
            sections.append(_Section(keys, number, [*above, _Line(line)], len(above)))
        elif content:
            sections[-1].lines.append(_read_line(line, sections[-1].keys, file, number))
        else:
            sections[-1].lines.append(_Line(line))
    return sections


def _take_comments(lines: list[_Line]) -> list[_Line]:
    """Take those comments from the end of a section that belong to the next header: they touch it, and only it."""
    start = len(lines)
    while start and lines[start - 1].text.lstrip(WHITE_SPACE).startswith("#"):
        start -= 1
    if start and lines[start - 1].text.strip(WHITE_SPACE):
        return []
    taken = lines[start:]
    del lines[start:]
    return taken


def _read_line(line: str, keys: dict[str, Key], file: str, number: int) -> _Line:
    """Read one ``key = value``."""
    name, equals, text = line.partition("#")[0].partition("=")
    if not equals:
        raise ConfigError("a line reads KEY = VALUE; a comment begins with #", file=file, line=number)
    key = keys.get(name.translate(_SQUEEZE).lower())
    if key is None:
        problem = "stands above any section; put it below [Interface] or [Peer]"
        if keys:
            section = "[Peer]" if keys is _PEER else "[Interface]"
            problem = f"unknown key in {section}; it has {', '.join(key.name for key in keys.values())}"
        raise ConfigError(problem, file=file, line=number, key=_name(name))
    try:
        return _Line(line, key, key.values(text.translate(_SQUEEZE) if key.wg else text.strip(WHITE_SPACE)))
    except ValueError as error:
        raise ConfigError(str(error), file=file, line=number, key=key.name) from None


def _name(text: str) -> str:
    """A name as errors show it: only what may be one, for it could be a secret that was put in a wrong place."""
    text = text.strip(WHITE_SPACE)
    return text if re.fullmatch(r"\[?[A-Za-z _-]{1,20}\]?", text) else ""


def _collect(section: _Section, values: dict[str, Any]) -> None:
    """Add what the lines say; lists grow."""
    for line in section.lines:
        if line.key is None:
            continue
        if line.key.repeats:
            values.setdefault(line.key.field, []).extend(line.values)
        else:
            values[line.key.field] = line.values[0]


def _frozen(values: dict[str, Any]) -> dict[str, Any]:
    return {name: tuple(value) if isinstance(value, list) else value for name, value in values.items()}


def _by_public_key(config: Config) -> dict[PublicKey, PeerConfig]:
    peers = {peer.public_key: peer for peer in config.peers}
    if len(peers) != len(config.peers):
        raise ConfigError("two peers have the same one; make them one peer", key="PublicKey")
    return peers


def _block(name: str, keys: Iterable[Key], values: InterfaceConfig | PeerConfig, newline: str = "\n") -> str:
    """A section written anew."""
    lines = [f"{key.name} = {text}" for key in keys for text in _texts(key, _values(key, values))]
    return "".join(line + newline for line in [f"[{name}]", *lines])


def _values(key: Key, values: InterfaceConfig | PeerConfig) -> tuple[Any, ...]:
    """What a configuration gives a key, as a list in any case."""
    value = getattr(values, key.field)
    if key.repeats:
        return tuple(value)
    return () if value is None else (value,)


def _texts(key: Key, values: tuple[Any, ...]) -> list[str]:
    try:
        return key.texts(values)
    except ValueError as error:
        raise ConfigError(str(error), key=key.name) from None


def _append(pieces: list[str], text: str, newline: str, *, apart: bool = False) -> None:
    """Put a text below the pieces so far; `apart` leaves a blank line between."""
    if pieces and text:
        pieces[-1] += "" if pieces[-1].endswith("\n") else newline
        pieces[-1] += "" if not apart or f"{newline}{pieces[-1]}".endswith(newline * 2) else newline
    if text:
        pieces.append(text)


def _edited(
    sections: list[_Section], old: InterfaceConfig | PeerConfig, new: InterfaceConfig | PeerConfig, newline: str
) -> dict[_Section, str]:
    """The texts of the sections of the interface or of one peer, after the change from `old` to `new`."""
    lines = [line for section in sections for line in section.lines]
    # Only the last line of a file can have no end.
    texts = [line.text if line.text.endswith("\n") else line.text + newline for line in lines]
    last = sections[-1]
    start = len(lines) - len(last.lines)
    added: list[str] = []
    for key in last.keys.values():
        values = _values(key, new)
        if values == _values(key, old):
            continue
        places = [place for place, line in enumerate(lines) if line.key is key]
        if key.repeats and last.public_key:
            places = [place for place in places if place >= start]  # the allowed IPs of the last section count
        elif not key.repeats and values:
            places = places[-1:]  # the last value counts
        added += _replace(lines, texts, places, key, values, newline)
    texts[start + last.last_key] += "".join(added)
    result = {}
    for section in sections:
        result[section] = "".join(texts[: len(section.lines)])
        del texts[: len(section.lines)]
    return result


def _replace(
    lines: list[_Line], texts: list[str], places: list[int], key: Key, values: tuple[Any, ...], newline: str
) -> list[str]:
    """Make the lines at `places` say `values` by changing `texts`; returns the lines that have no place yet.

    Lines at both ends that say what they should are left alone.
    """
    low, high = 0, len(places)
    start, stop = 0, len(values)
    while low < high and (own := lines[places[low]].values) and values[start : start + len(own)] == own:
        start += len(own)
        low += 1
    while low < high and (own := lines[places[high - 1]].values) and values[max(start, stop - len(own)) : stop] == own:
        stop -= len(own)
        high -= 1
    fresh = _texts(key, values[start:stop])
    for place in places[low:high]:
        texts[place] = _respelled(texts[place], fresh.pop(0)) if fresh else ""
    rest = [f"{key.name} = {text}{newline}" for text in fresh]
    if high:
        texts[places[high - 1]] += "".join(rest)
    elif places:
        texts[places[0]] = "".join(rest) + texts[places[0]]
    else:
        return rest
    return []


def _respelled(line: str, text: str) -> str:
    """A line with another value: the spelling of its name, its spacing and its comment stay."""
    setting, hash_mark, comment = line.partition("#")
    name, _, rest = setting.partition("=")
    old = rest.strip(WHITE_SPACE)
    before, _, after = rest.partition(old) if old else (" ", "", " " if hash_mark else rest.lstrip(" \t"))
    return f"{name}={before}{text}{after}{hash_mark}{comment}"
