"""Configuration files: reading, errors, comments that survive, writing."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wgtun import AllowedIP, Config, ConfigError, HostPort, InterfaceAddress, InterfaceConfig, PeerConfig
from wgtun.config.wgquick import dumps, load, parse
from wgtun.keys import PresharedKey, PrivateKey, PublicKey

PRIVATE = "AKeZaHwBxjiKLFnkY2unvEdOTtg4AL+M9dQXfopFVFk="
BOB = "YDCttCs9e1J52/g9vEnwJJa+2x6RqaayAYMpSVQfGEY="
CAROL = "Igge9KzRytKNwrgkzDE/8hrLu6Ly0OqVdvOPWhA5KR4="
PSK = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE="

FULL = f"""\
# our gateway
[Interface]   # this end
PrivateKey = {PRIVATE}
ListenPort=51820
FwMark = 0xca6c
Address = 10.0.0.1/24, fd00::1/64
address = 10.1.0.1
DNS = 192.0.2.53, 2001:db8::53,example.com
MTU = 1380
Table = off
PreUp = echo one; echo two, three
PostUp = iptables -A FORWARD -i %i -j ACCEPT
PostUp = second
PreDown = x = y
PostDown = last
SaveConfig = true

[Peer]
# bob
PublicKey = {BOB}
PresharedKey = {PSK}
AllowedIPs = 10.0.0.2/32, fd00::2/128
AllowedIPs = 192.168.5.77/24
Endpoint = bob.example.com:51820
PersistentKeepalive = 25

[PEER]
publickey={CAROL}
AllowedIPs =
endpoint=[2001:db8::7]:1
persistentkeepalive = off
"""


def test_every_key() -> None:
    config = parse(FULL).config
    assert config.interface == InterfaceConfig(
        private_key=PrivateKey.from_base64(PRIVATE),
        listen_port=51820,
        fwmark=0xCA6C,
        addresses=(
            InterfaceAddress("10.0.0.1", 24),
            InterfaceAddress("fd00::1", 64),
            InterfaceAddress("10.1.0.1", 32),
        ),
        dns=("192.0.2.53", "2001:db8::53", "example.com"),
        mtu=1380,
        table="off",
        pre_up=("echo one; echo two, three",),
        post_up=("iptables -A FORWARD -i %i -j ACCEPT", "second"),
        pre_down=("x = y",),
        post_down=("last",),
        save_config=True,
    )
    assert config.peers == (
        PeerConfig(
            PublicKey.from_base64(BOB),
            PresharedKey.from_base64(PSK),
            tuple(map(AllowedIP.parse, ("10.0.0.2/32", "fd00::2/128", "192.168.5.0/24"))),
            HostPort("bob.example.com", 51820),
            25,
        ),
        PeerConfig(PublicKey.from_base64(CAROL), None, (), HostPort("2001:db8::7", 1), 0),
    )


def test_an_unchanged_document_is_its_text() -> None:
    for text in (FULL, FULL.replace("\n", "\r\n"), FULL.rstrip("\n"), "", "\n\n# nothing\n"):
        assert parse(text).text == text
        assert parse(text).with_config(parse(text).config).text.rstrip("\n") == text.rstrip("\n")


def test_a_changed_value_changes_its_line_and_no_other() -> None:
    document = parse(FULL.replace("MTU = 1380", "MTU = 1380   # tight"))
    changed = document.with_config(replace(document.config, interface=replace(document.config.interface, mtu=1400)))
    assert changed.text == FULL.replace("MTU = 1380", "MTU = 1400 # tight")


def test_values_come_and_go() -> None:
    document = parse(FULL)
    interface = replace(document.config.interface, table=None, post_up=("only",), dns=())
    bob, carol = document.config.peers
    bob = replace(bob, endpoint=None)
    carol = replace(carol, preshared_key=PresharedKey.from_base64(PSK))
    changed = document.with_config(Config(interface, (bob, carol)))
    assert changed.config == Config(interface, (bob, carol))
    gone = [line for line in FULL.splitlines() if line not in changed.text.splitlines()]
    assert gone == [
        "DNS = 192.0.2.53, 2001:db8::53,example.com",
        "Table = off",
        "PostUp = iptables -A FORWARD -i %i -j ACCEPT",
        "PostUp = second",
        "Endpoint = bob.example.com:51820",
    ]
    assert "# our gateway" in changed.text
    assert "# bob" in changed.text


def test_peers_come_and_go() -> None:
    document = parse(FULL)
    bob, carol = document.config.peers
    dave = PeerConfig(PublicKey(bytes(range(32))), allowed_ips=(AllowedIP.parse("10.0.0.9/32"),))
    changed = document.with_config(replace(document.config, peers=(carol, dave)))
    assert changed.config.peers == (carol, dave)
    assert "# bob" not in changed.text
    assert changed.text.endswith("AllowedIPs = 10.0.0.9/32\n")
    assert parse("").with_config(document.config).config == document.config
    assert bob not in changed.config.peers


def test_written_configurations_read_the_same() -> None:
    config = parse(FULL).config
    assert parse(dumps(config)).config == config
    stripped = dumps(config, wg_only=True)
    for key in ("Address", "DNS", "MTU", "Table", "PreUp", "PostUp", "PreDown", "PostDown", "SaveConfig"):
        assert key not in stripped
    assert parse(stripped).config.peers == config.peers


def test_repeated_keys_and_sections() -> None:
    config = parse(
        f"[Interface]\nMTU=1300\nMTU=1400\n[Peer]\nPublicKey={BOB}\nEndpoint=a:1\nAllowedIPs=10.0.0.1\n"
        f"[Interface]\nListenPort=7\n[Peer]\nPublicKey={BOB}\nAllowedIPs=10.0.0.2\n"
    ).config
    assert config.interface.mtu == 1400
    assert config.interface.listen_port == 7
    (peer,) = config.peers
    assert peer.endpoint == HostPort("a", 1)
    assert peer.allowed_ips == (AllowedIP.parse("10.0.0.2/32"),)


BAD = [
    ("MTU = 1400", 1, "MTU"),
    ("[Interface]\nNonsense = 1", 2, "Nonsense"),
    ("[Something]", 1, "[Something]"),
    ("[Interface]\nMTU", 2, ""),
    ("[Interface]\nMTU = 1400x", 2, "MTU"),
    ("[Interface]\nMTU = 67", 2, "MTU"),
    ("[Interface]\nMTU = 65536", 2, "MTU"),
    ("[Interface]\nListenPort = 65536", 2, "ListenPort"),
    ("[Interface]\nListenPort = -1", 2, "ListenPort"),
    ("[Interface]\nFwMark = 0x100000000", 2, "FwMark"),
    ("[Interface]\nFwMark = 1_0", 2, "FwMark"),
    ("[Interface]\nAddress = 10.0.0.1/33", 2, "Address"),
    ("[Interface]\nAddress = example.com", 2, "Address"),
    ("[Interface]\nAddress = 10.0.0.1,,10.0.0.2", 2, "Address"),
    ("[Interface]\nDNS = -x", 2, "DNS"),
    ("[Interface]\nTable = a b", 2, "Table"),
    ("[Interface]\nPostUp =", 2, "PostUp"),
    ("[Interface]\nSaveConfig = yes", 2, "SaveConfig"),
    ("[Interface]\nPublicKey = " + BOB, 2, "PublicKey"),
    ("[Peer]\n", 1, "PublicKey"),
    ("[Peer]\nPublicKey = " + BOB + "\nAllowedIPs = 10.0.0.0/8, x", 3, "AllowedIPs"),
    ("[Peer]\nPublicKey = " + BOB + "\nEndpoint = host", 3, "Endpoint"),
    ("[Peer]\nPublicKey = " + BOB + "\nEndpoint = 2001:db8::1:51820", 3, "Endpoint"),
    ("[Peer]\nPublicKey = " + BOB + "\nEndpoint = [host]:1", 3, "Endpoint"),
    ("[Peer]\nPublicKey = " + BOB + "\nEndpoint = :1", 3, "Endpoint"),
    ("[Peer]\nPublicKey = " + BOB + "\nPersistentKeepalive = 65536", 3, "PersistentKeepalive"),
    ("[Peer]\nPublicKey = " + BOB + "\nPresharedKey = x", 3, "PresharedKey"),
]


@pytest.mark.parametrize(("text", "line", "key"), BAD)
def test_errors_name_file_line_and_key(text: str, line: int, key: str) -> None:
    with pytest.raises(ConfigError) as caught:
        parse(text, "wg0.conf")
    error = caught.value
    assert (error.file, error.line, error.key) == ("wg0.conf", line, key)
    assert str(error).startswith(f"wg0.conf:{line}: ")
    assert error.problem


def test_errors_do_not_repeat_secrets() -> None:
    for text in (f"[Interface]\nPrivateKey = {PRIVATE}x", f"[Interface]\n{PRIVATE} = 1", f"[{PRIVATE}]"):
        with pytest.raises(ConfigError) as caught:
            parse(text)
        assert PRIVATE not in str(caught.value)
    assert PRIVATE not in repr(parse(FULL).config)
    assert PSK not in repr(parse(FULL).config)


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "wg0.conf"
    path.write_text(FULL)
    assert load(path).text == FULL
    path.write_bytes(b"[Interface]\n# \xff\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(path) in str(caught.value)
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing.conf")


LINES = st.sampled_from(FULL.splitlines()) | st.text(max_size=40)


@given(st.lists(LINES, max_size=30))
def test_random_files_parse_or_say_what_is_wrong(lines: list[str]) -> None:
    text = "\n".join(lines)
    try:
        document = parse(text)
    except ConfigError:
        return
    assert document.text == text
    assert parse(dumps(document.config)).config == document.config
