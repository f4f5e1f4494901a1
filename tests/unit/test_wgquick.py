"""Configuration files: reading, errors, comments that survive, writing."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path

import pytest

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
        assert parse(text).with_config(parse(text).config).text == text


def test_a_changed_value_changes_its_line_and_no_other() -> None:
    document = parse(FULL.replace("MTU = 1380", "MTU = 1380   # tight"))
    changed = document.with_config(replace(document.config, interface=replace(document.config.interface, mtu=1400)))
    assert changed.text == FULL.replace("MTU = 1380", "MTU = 1400   # tight")


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
    again = parse(f"[Peer]\nPublicKey={BOB}\nAllowedIPs=10.0.0.1\n[Peer]\nPublicKey={BOB}\n").config
    assert again.peers[0].allowed_ips == ()  # as wg(8): each section replaces them


def test_spellings_that_wg_and_wg_quick_take() -> None:
    text = (
        f"[ interface ]\r\nPrivate Key={PRIVATE[:9]} {PRIVATE[9:]}\nFwMark=OFF\nMTU=\nTable = \nPostUp =\nDNS =\n"
        "Address = 10.0.0.1/08 fd00::1,,10.0.0.2,\nSaveConfig = True\nDNS = fe80::1%eth0, ~., ~example.com\n"
        f"[Peer]\nPublicKey = {BOB}\nEndpoint = [192.0.2.1]:007\nPersistentKeepalive = OFF\nAllowedIPs = ::1 / 0\n"
    )
    config = parse(text).config
    assert config.interface == InterfaceConfig(
        private_key=PrivateKey.from_base64(PRIVATE),
        fwmark=0,
        addresses=(InterfaceAddress("10.0.0.1", 8), InterfaceAddress("fd00::1", 128), InterfaceAddress("10.0.0.2", 32)),
        dns=("fe80::1%eth0", "~.", "~example.com"),
        save_config=True,
    )
    assert config.peers == (
        PeerConfig(
            PublicKey.from_base64(BOB),
            allowed_ips=(AllowedIP.parse("::/0"),),
            endpoint=HostPort("192.0.2.1", 7),
            persistent_keepalive=0,
        ),
    )


def test_all_interface_sections_are_one() -> None:
    text = "[Interface]\nMTU = 1300\nAddress = 10.0.0.1\n[Interface]\nMTU = 1400\nAddress = 10.0.0.2\n"
    document = parse(text)
    assert [each.address for each in document.config.interface.addresses] == ["10.0.0.1", "10.0.0.2"]
    changed = document.with_config(replace(document.config, interface=replace(document.config.interface, mtu=1500)))
    assert changed.config.interface.mtu == 1500
    assert changed.text == text.replace("1400", "1500")
    gone = document.with_config(replace(document.config, interface=replace(document.config.interface, mtu=None)))
    assert gone.text == "[Interface]\nAddress = 10.0.0.1\n[Interface]\nAddress = 10.0.0.2\n"


def test_a_changed_list_keeps_the_lines_that_stay_true() -> None:
    head = f"[Peer]\n  PublicKey={BOB}\n"
    office, home, car = (
        "\tallowedips = 10.0.1.0/24 # office\n",
        "AllowedIPs=10.0.2.0/24# home\n",
        "AllowedIPs = 10.0.3.0/24\n",
    )
    document = parse(head + office + home)
    (peer,) = document.config.peers

    def with_allowed_ips(*texts: str) -> str:
        allowed_ips = tuple(map(AllowedIP.parse, texts))
        return document.with_config(Config(peers=(replace(peer, allowed_ips=allowed_ips),))).text

    first, second, third = "10.0.1.0/24", "10.0.2.0/24", "10.0.3.0/24"
    assert with_allowed_ips(first, second, third) == head + office + home + car
    assert with_allowed_ips(first, third, second) == head + office + car + home
    assert with_allowed_ips(third, first, second) == head + car + office + home
    assert with_allowed_ips(third, second) == head + office.replace(first, third) + home
    assert with_allowed_ips(second) == head + home
    assert with_allowed_ips(first) == head + office
    assert with_allowed_ips() == head
    assert with_allowed_ips(second, first, third) == head + office.replace(first, f"{second}, {first}, {third}")


def test_comments_above_a_header_go_with_its_section() -> None:
    text = (
        "# mine\n[Interface]\nMTU = 1400\n# DNS = ::1\n\n"
        f"# bob\n[Peer]\nPublicKey = {BOB}\n\n# carol\n[Peer]\nPublicKey = {CAROL}\n"
    )
    document = parse(text)
    bob, carol = document.config.peers
    without_bob = document.with_config(replace(document.config, peers=(carol,))).text
    assert without_bob == text.replace(f"# bob\n[Peer]\nPublicKey = {BOB}\n\n", "")
    swapped = document.with_config(replace(document.config, peers=(carol, bob)))
    assert swapped.config.peers == (carol, bob)
    assert swapped.text.endswith(f"# carol\n[Peer]\nPublicKey = {CAROL}\n\n# bob\n[Peer]\nPublicKey = {BOB}\n\n")
    with_dns = document.with_config(replace(document.config, interface=InterfaceConfig(mtu=1400, dns=("::2",)))).text
    assert with_dns == text.replace("MTU = 1400\n", "MTU = 1400\nDNS = ::2\n")


def test_line_ends_stay_those_of_the_file() -> None:
    document = parse(f"[Interface]\r\nMTU = 1400\r\n\r\n[Peer]\r\nPublicKey = {BOB}")
    config = Config(
        InterfaceConfig(mtu=1380, table="off"), (*document.config.peers, PeerConfig(PublicKey.from_base64(CAROL)))
    )
    assert document.with_config(config).text == (
        f"[Interface]\r\nMTU = 1380\r\nTable = off\r\n\r\n[Peer]\r\nPublicKey = {BOB}\r\n\r\n"
        f"[Peer]\r\nPublicKey = {CAROL}\r\n"
    )


def test_an_interface_section_that_is_missing_comes_first() -> None:
    document = parse(f"# office\n\n[Peer]\nPublicKey = {BOB}\n")
    changed = document.with_config(replace(document.config, interface=InterfaceConfig(mtu=1400)))
    assert changed.text == f"# office\n\n[Interface]\nMTU = 1400\n\n[Peer]\nPublicKey = {BOB}\n"


UNWRITABLE = [
    ("PostUp", InterfaceConfig(post_up=("echo '# x'",))),
    ("PostUp", InterfaceConfig(post_up=("a\nPreUp = b",))),
    ("PostUp", InterfaceConfig(post_up=("",))),
    ("PostUp", InterfaceConfig(post_up=(" a",))),
    ("PostUp", InterfaceConfig(post_up=("a\0",))),
    ("Table", InterfaceConfig(table="off\nPostUp = evil")),
    ("Table", InterfaceConfig(table="a#b")),
    ("DNS", InterfaceConfig(dns=("a b",))),
    ("MTU", InterfaceConfig(mtu=1)),
    ("ListenPort", InterfaceConfig(listen_port=-1)),
    ("FwMark", InterfaceConfig(fwmark=2**32)),
    ("Address", InterfaceConfig(addresses=(InterfaceAddress("10.0.0.1", 33),))),
]


@pytest.mark.parametrize(("key", "interface"), UNWRITABLE)
def test_what_no_file_can_say_is_refused(key: str, interface: InterfaceConfig) -> None:
    for write in (dumps, parse(FULL).with_config, parse("").with_config):
        with pytest.raises(ConfigError) as caught:
            write(Config(interface))
        assert caught.value.key == key
        assert "evil" not in str(caught.value)


def test_peers_that_are_twice_in_a_configuration_are_refused() -> None:
    peer = PeerConfig(PublicKey.from_base64(BOB))
    with pytest.raises(ConfigError, match="PublicKey"):
        dumps(Config(peers=(peer, peer)))


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
    ("[Interface]\nFwMark = 0X10", 2, "FwMark"),
    ("[Interface]\nDNS = -x", 2, "DNS"),
    ("[Interface]\nTable = a b", 2, "Table"),
    ("[Interface]\nPostUp = a\0b", 2, "PostUp"),
    ("[Interface]\n\u00a0ListenPort = 1", 2, ""),
    ("[Interface]\nListenPort = \u0665", 2, "ListenPort"),
    ("[Interface]\nListenPort = " + "9" * 5000, 2, "ListenPort"),
    ("[Interface]\nSaveConfig = yes", 2, "SaveConfig"),
    ("[Interface]\nPublicKey = " + BOB, 2, "PublicKey"),
    ("[Peer]\n", 1, "PublicKey"),
    ("[Peer]\nPublicKey = " + BOB + "\nAllowedIPs = 10.0.0.0/8, x", 3, "AllowedIPs"),
    ("[Peer]\nPublicKey = " + BOB + "\nEndpoint = host", 3, "Endpoint"),
    ("[Peer]\nPublicKey = " + BOB + "\nEndpoint = 2001:db8::1:51820", 3, "Endpoint"),
    ("[Peer]\nPublicKey = " + BOB + "\nEndpoint = [2001:db8::x]:1", 3, "Endpoint"),
    ("[Peer]\nPublicKey = " + BOB + "\nAllowedIPs = 10.0.0.1,", 3, "AllowedIPs"),
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


def test_errors_name_the_wrong_one_of_many() -> None:
    with pytest.raises(ConfigError, match=r"`10\.0\.0\.x/32`: "):
        parse(f"[Peer]\nPublicKey = {BOB}\nAllowedIPs = 10.0.0.1/32, 10.0.0.x/32, 10.0.0.3/32")


@pytest.mark.parametrize("key", ["PrivateKey", "ListenPort", "FwMark", "Address", "MTU", "Table", "SaveConfig"])
def test_errors_do_not_repeat_secrets(key: str) -> None:
    for wrong in (f"{PRIVATE}x", f"{PRIVATE} x", PRIVATE[:-3]):
        for text in (f"{key} = {wrong}\nMTU = x", f"{wrong} = 1", f"[{wrong}]", wrong):
            with pytest.raises(ConfigError) as caught:
                parse(f"[Interface]\n{text}")
            for start in range(len(PRIVATE) - 8):
                assert PRIVATE[start : start + 8] not in str(caught.value)


def test_representations_show_no_secrets() -> None:
    document = parse(FULL)
    for thing in (document, document._sections, document.config):
        for secret in (PRIVATE, PSK):
            assert secret not in repr(thing)


def test_strip_leaves_what_wg_understands() -> None:
    stripped = parse(FULL).strip()
    assert parse(stripped).config == parse(dumps(parse(FULL).config, wg_only=True)).config
    gone = ["Address", "address", "DNS", "MTU", "Table", "PreUp", "PostUp", "PreDown", "PostDown", "SaveConfig"]
    assert stripped.splitlines() == [line for line in FULL.splitlines() if line.partition(" ")[0] not in gone]


@pytest.mark.netns
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root on Linux, for a /run of its own")
@pytest.mark.skipif(shutil.which("wg") is None, reason="needs wg(8) to compare with")
def test_wg_understands_the_same() -> None:
    root = Path(__file__).parents[2]
    inside = f"ip link set lo up; mount -t tmpfs tmpfs /run && exec {sys.executable} -m tests.unit.wg_setconf"
    done = subprocess.run(
        ["unshare", "--mount", "--net", "sh", "-c", inside], cwd=root, capture_output=True, text=True, check=True
    )
    results = json.loads(done.stdout)
    assert len([theirs for _, theirs, _ in results if theirs]) > 300
    for text, theirs, ours in results:
        assert ours == theirs, text


@pytest.mark.skipif(shutil.which("wg-quick") is None, reason="needs wg-quick(8) to compare with")
@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="wg-quick(8) needs root")
@pytest.mark.parametrize(
    "text", [FULL, FULL.replace("\n", "\r\n"), "# no end\n[Interface]\nMTU=1400 # x\nListenPort=1"]
)
def test_strip_equals_wg_quick(tmp_path: Path, text: str) -> None:
    path = tmp_path / "wg0.conf"
    path.write_bytes(text.encode())
    path.chmod(0o600)
    theirs = subprocess.run(["wg-quick", "strip", path], capture_output=True, check=True).stdout.decode()
    # Theirs takes the white space off the lines and adds one line break.
    ours = "\n".join(line.strip(" ") for line in load(path).strip().split("\n"))
    assert ours.rstrip("\n") == theirs.rstrip("\n")


def test_files(tmp_path: Path) -> None:
    path = tmp_path / "wg0.conf"
    path.write_bytes(FULL.encode())
    assert load(path).text == FULL
    path.write_bytes(b"[Interface]\n# \xff\n")
    with pytest.raises(ConfigError) as caught:
        load(path)
    assert str(caught.value).startswith(f"{path}:2: ")
    path.write_bytes(b"\xef\xbb\xbf" + FULL.encode())
    assert load(path).text == FULL
    with pytest.raises(FileNotFoundError):
        load(tmp_path / "missing.conf")


def test_large_files_take_linear_time() -> None:
    lines = "".join(f"AllowedIPs = 10.{n >> 16}.{n >> 8 & 255}.{n & 255}\n" for n in range(40_000))
    begin = time.perf_counter()
    document = parse(f"[Peer]\nPublicKey = {BOB}\n{lines}")
    (peer,) = document.config.peers
    turned = Config(peers=(replace(peer, allowed_ips=peer.allowed_ips[1:] + peer.allowed_ips[:1]),))
    assert document.with_config(turned).config == turned
    assert time.perf_counter() - begin < 3  # 0.3 s; a quadratic way takes more than 7
