"""Configuration files and key texts on arbitrary input."""

from __future__ import annotations

import socket
import string

from hypothesis import given, settings
from hypothesis import strategies as st

from wgtun.allowed_ip import AllowedIP
from wgtun.config.model import Config, HostPort, InterfaceAddress, InterfaceConfig, PeerConfig
from wgtun.config.wgquick import dumps, parse
from wgtun.errors import ConfigError, InvalidKey
from wgtun.keys import PresharedKey, PrivateKey, PublicKey

KINDS = (PrivateKey, PublicKey, PresharedKey)

raw_keys = st.binary(min_size=32, max_size=32)
ports = st.integers(0, 65535)
v4 = st.binary(min_size=4, max_size=4)
v6 = st.binary(min_size=16, max_size=16)
v4_hosts = v4.map(lambda raw: socket.inet_ntop(socket.AF_INET, raw))
v6_hosts = v6.map(lambda raw: socket.inet_ntop(socket.AF_INET6, raw))
names = st.from_regex(r"[A-Za-z0-9_]([A-Za-z0-9_.-]{0,20}[A-Za-z0-9_])?", fullmatch=True)
prefixes = st.builds(AllowedIP.masked, v4, st.integers(0, 32)) | st.builds(AllowedIP.masked, v6, st.integers(0, 128))
addresses = st.builds(InterfaceAddress, v4_hosts, st.integers(0, 32)) | st.builds(
    InterfaceAddress, v6_hosts, st.integers(0, 128)
)
zoned = st.tuples(v6_hosts, st.from_regex(r"[a-z0-9.-]{1,15}", fullmatch=True)).map("%".join)
commands = st.text(st.characters(exclude_characters="#\n\0", exclude_categories=["Cs"]), min_size=1, max_size=30)
commands = commands.map(lambda text: text.strip(" \t\n\v\f\r")).filter(bool)


def lists(element: st.SearchStrategy[object]) -> st.SearchStrategy[tuple[object, ...]]:
    return st.lists(element, max_size=4).map(tuple)


interfaces = st.builds(
    InterfaceConfig,
    private_key=st.none() | st.builds(PrivateKey, raw_keys),
    listen_port=st.none() | ports,
    fwmark=st.none() | st.integers(0, 2**32 - 1),
    addresses=lists(addresses),
    dns=lists(v4_hosts | v6_hosts | names.filter(lambda name: not set(name) <= set(string.digits + "."))),
    mtu=st.none() | st.integers(68, 65535),
    table=st.none() | st.sampled_from(["off", "auto", "51820", "main"]),
    pre_up=lists(commands),
    post_up=lists(commands),
    pre_down=lists(commands),
    post_down=lists(commands),
    save_config=st.none() | st.booleans(),
)
few_keys = st.integers(0, 5).map(lambda number: PublicKey(bytes([number]) * 32))
peers = st.builds(
    PeerConfig,
    public_key=few_keys,
    preshared_key=st.none() | st.builds(PresharedKey, raw_keys),
    allowed_ips=lists(prefixes),
    endpoint=st.none() | st.builds(HostPort, v4_hosts | v6_hosts | zoned | names, ports),
    persistent_keepalive=st.none() | ports,
)
configs = st.builds(
    Config, interfaces, st.lists(peers, max_size=4, unique_by=lambda peer: peer.public_key.raw).map(tuple)
)

# Lines of real files, some of them wrong: more of them parse than of random text.
real_lines = st.builds(lambda config: dumps(config).splitlines(), configs).flatmap(
    lambda lines: st.sampled_from(lines or [""])
)
noise = st.sampled_from(
    ["", "  ", "# comment", "\t# = [Peer]", "[Interface]", "[ peer ]", "mtu=1400 # x", "MTU =", "\r"]
)
files = st.lists(real_lines | noise | st.text(max_size=20), max_size=20).map("\n".join)


@st.composite
def documents(draw: st.DrawFn) -> str:
    """A text that parses, with comments, sections that repeat, and spacing of all kinds."""
    lines: list[str] = []
    for _ in range(draw(st.integers(0, 2))):
        lines += dumps(draw(configs)).split("\n")
    spelled = []
    for line in lines:
        if "Up" not in line and "Down" not in line and draw(st.booleans()):
            line = draw(st.sampled_from(["  {}", "{}  ", "{} # note", "{}#", "{}\r"])).format(line)
        spelled.append(line)
        if draw(st.integers(0, 5)) == 0:
            spelled.append(draw(st.sampled_from(["", "# own line", " \t"])))
    return "\n".join(spelled)


@given(configs)
def test_written_configurations_read_the_same(config: Config) -> None:
    document = parse(dumps(config))
    assert document.config == config
    assert parse(document.strip()).config == parse(dumps(config, wg_only=True)).config


@given(documents())
def test_documents_keep_their_text(text: str) -> None:
    document = parse(text)
    assert document.text == text
    assert document.with_config(document.config).text == text


@settings(deadline=None)
@given(documents(), configs)
def test_a_document_says_any_configuration_that_is_put_in(text: str, config: Config) -> None:
    document = parse(text)
    changed = document.with_config(config)
    assert changed.config == config
    assert changed.with_config(document.config).config == document.config


@settings(deadline=None)
@given(documents(), interfaces)
def test_a_changed_interface_leaves_peers_and_comments_alone(text: str, interface: InterfaceConfig) -> None:
    document = parse(text)
    changed = document.with_config(Config(interface, document.config.peers))
    comments = [line.rstrip() for line in text.split("\n") if line.startswith("#")]
    assert [line.rstrip() for line in changed.text.split("\n") if line.startswith("#")] == comments
    for section in text.split("[Peer]")[1:]:
        assert section.partition("[Interface]")[0].rstrip() in changed.text


@settings(max_examples=300)
@given(files)
def test_random_files_parse_or_say_what_is_wrong(text: str) -> None:
    try:
        document = parse(text, "wg0.conf")
    except ConfigError as error:
        problem = error
    else:
        assert document.text == text
        assert parse(dumps(document.config)).config == document.config
        return
    assert problem.file == "wg0.conf"
    assert 0 < problem.line <= text.count("\n") + 1


@given(st.binary(max_size=200))
def test_random_bytes_parse_or_say_what_is_wrong(data: bytes) -> None:
    try:
        parse(data.decode("latin-1"))
    except ConfigError:
        return


@given(st.sampled_from(KINDS), raw_keys)
def test_every_key_survives_its_texts(kind: type[PublicKey], raw: bytes) -> None:
    key = kind(raw)
    assert kind.from_base64(key.base64()) == kind.from_hex(key.hex()) == kind.from_hex(key.hex().upper()) == key


@given(raw_keys, st.integers(0, 43), st.characters())
def test_another_character_makes_another_key_or_none(raw: bytes, place: int, character: str) -> None:
    text = PublicKey(raw).base64()
    other = text[:place] + character + text[place + 1 :]
    try:
        key = PublicKey.from_base64(other)
    except InvalidKey:
        assert other != text
    else:
        assert key.base64() == other


@given(st.text(max_size=50))
def test_random_text_is_no_key(text: str) -> None:
    for read in (PublicKey.from_base64, PublicKey.from_hex):
        try:
            key = read(text)
        except InvalidKey:
            continue
        assert text in (key.base64(), key.hex())
