"""The real `wg` against our daemon, beside Debian's wireguard-go where that is installed."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support import large_configuration
from tests.support.namespaces import OURS, WIREGUARD_GO, Lab, Tunnel, connect, needs_namespaces, run
from tests.support.uapi import SUCCESS, talk

pytestmark = [pytest.mark.netns, needs_namespaces]

KEYS = [
    "YDCttCs9e1J52/g9vEnwJJa+2x6RqaayAYMpSVQfGEY=",
    "Igge9KzRytKNwrgkzDE/8hrLu6Ly0OqVdvOPWhA5KR4=",
    "e4jb1p3Dzi+dzSOZkLPmkZnNlNvbnDVIVnfgoKXFqSk=",
]
PRIVATE = "AKeZaHwBxjiKLFnkY2unvEdOTtg4AL+M9dQXfopFVFk="
PSK = "FpCyhws9cxwWoV4xELtfJvjJN+zQVRPISllRWgeopVE="
PEER = [f"[Peer]\nPublicKey={key}\n" for key in KEYS]

STEPS: list[tuple[list[str], str]] = [
    (["set", "X", "private-key", "/dev/stdin"], PRIVATE),
    (["set", "X", "listen-port", "41820", "fwmark", "0xfedcba98"], ""),
    (["set", "X", "peer", KEYS[0], "allowed-ips", "10.1.0.0/16,fd01::/64,10.9.9.9"], ""),
    (["set", "X", "peer", KEYS[1], "endpoint", "192.0.2.77:1", "persistent-keepalive", "25"], ""),
    (["set", "X", "peer", KEYS[2], "endpoint", "[2001:db8::77]:65535", "preshared-key", "/dev/stdin"], PSK),
    (["set", "X", "peer", KEYS[1], "allowed-ips", "10.1.0.0/16"], ""),
    (["set", "X", "peer", KEYS[1], "persistent-keepalive", "off"], ""),
    (["set", "X", "peer", KEYS[2], "preshared-key", "/dev/null"], ""),
    (["set", "X", "fwmark", "off"], ""),
    (["set", "X", "peer", KEYS[0], "remove"], ""),
    (["set", "X", "peer", KEYS[2], "allowed-ips", ""], ""),
    (["setconf", "X", "/dev/stdin"], f"[Interface]\nPrivateKey={PRIVATE}\n{PEER[0]}AllowedIPs=::/0\n"),
    (["addconf", "X", "/dev/stdin"], f"{PEER[1]}AllowedIPs=10.0.0.0/8\nPersistentKeepalive=7\n"),
    (["syncconf", "X", "/dev/stdin"], f"[Interface]\nFwMark=5\nListenPort=41821\n{PEER[1]}AllowedIPs=10.0.0.0/9\n"),
]  # fmt: skip


def view(tunnel: Tunnel) -> list[str]:
    """Everything that `wg` shows, peers in a fixed order."""
    dump = tunnel.wg("show", tunnel.interface, "dump").splitlines()
    return [dump[0], *sorted(dump[1:])]


@pytest.mark.skipif(shutil.which("wireguard-go") is None, reason="needs wireguard-go")
def test_every_step_shows_the_same_as_wireguard_go() -> None:
    with Lab() as lab:
        ours, theirs = lab.host().start(OURS), lab.host().start(WIREGUARD_GO)
        for tunnel in (ours, theirs):
            tunnel.host.ip("link", "set", tunnel.interface, "up")
        for words, text in STEPS:
            for tunnel in (ours, theirs):
                arguments = [tunnel.interface if word == "X" else word for word in words]
                tunnel.wg(*arguments, text=text)
            if "listen-port" in words or "ListenPort" in text or len(view(ours)) > 1:
                assert view(ours)[1:] == view(theirs)[1:], words
        assert view(ours) == view(theirs)
        confs = [sorted(tunnel.wg("showconf", tunnel.interface).split("\n\n")) for tunnel in (ours, theirs)]
        assert confs[0] == confs[1]


def test_wgtun_show_says_what_wg_says() -> None:
    with Lab() as lab:
        left, right = lab.joined_hosts()
        one, two = left.start(OURS), right.start(OURS)
        one.up()
        two.up()
        connect(one, two)
        one.ping(two)
        wgtun = [sys.executable, "-m", "wgtun.cli.main", "show", one.interface]
        for field in (
            "dump", "public-key", "private-key", "listen-port", "fwmark", "peers", "preshared-keys", "endpoints",
            "allowed-ips", "latest-handshakes", "transfer", "persistent-keepalive",
        ):  # fmt: skip
            assert run(*wgtun, field) == run("wg", "show", one.interface, field), field
        assert one.interface in run(*wgtun[:-1], "interfaces").split()


@pytest.mark.defect(31)
def test_peers_are_listed_in_configuration_order() -> None:
    with Lab() as lab:
        tunnel = lab.host().start(OURS)
        for key in KEYS:
            tunnel.wg("set", tunnel.interface, "peer", key)
        assert tunnel.show("peers").split("\n") == KEYS


def test_syncconf_keeps_the_session_of_an_unchanged_peer() -> None:
    with Lab() as lab:
        left, right = lab.joined_hosts()
        one, two = left.start(OURS), right.start(OURS)
        one.up()
        two.up()
        connect(one, two)
        one.ping(two)
        before = one.show("latest-handshakes")
        conf = one.wg("showconf", one.interface)
        one.wg("syncconf", one.interface, "/dev/stdin", text=conf + f"\n[Peer]\nPublicKey = {KEYS[0]}\n")
        assert one.show("latest-handshakes").split("\n")[0] == before
        one.ping(two)
        assert one.show("latest-handshakes").split("\n")[0] == before


@pytest.mark.defect(19)
def test_a_failed_set_changes_nothing() -> None:
    with Lab() as lab:
        tunnel = lab.host().start(OURS)
        tunnel.up()
        tunnel.wg("set", tunnel.interface, "peer", KEYS[0], "allowed-ips", "10.0.0.0/8")
        before = view(tunnel)
        program = (
            "import socket, sys\n"
            "busy = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "busy.bind(('', 41900))\n"
            "print('bound', flush=True)\n"
            "sys.stdin.read()\n"
        )
        busy = tunnel.host.popen(sys.executable, "-c", program, stdout=subprocess.PIPE, stdin=subprocess.PIPE)
        assert busy.stdout is not None
        busy.stdout.readline()
        words = ["set", tunnel.interface, "listen-port", "41900", "fwmark", "7", "peer", KEYS[0], "remove"]
        failed = subprocess.run(["wg", *words], capture_output=True, text=True, check=False)
        assert failed.returncode == 1
        assert "in use" in failed.stderr
        assert view(tunnel) == before
        for line in (b"endpoint=nowhere", b"nonsense", b"allowed_ip=10.0.0.0", b"public_key=00"):
            answer = talk(
                tunnel.socket,
                b"set=1\nlisten_port=41901\nreplace_peers=true\npublic_key=%s\n%s\n\n" % (b"11" * 32, line),
            )
            assert answer.startswith(b"errno=-")
            assert answer != SUCCESS
        assert view(tunnel) == before


@pytest.mark.parametrize("what", ["allowed IPs", "peers"])
def test_large_configurations_are_quick(what: str) -> None:
    message = large_configuration.peers() if what == "peers" else large_configuration.allowed_ips()
    with Lab() as lab:
        tunnel = lab.host().start(OURS)
        tunnel.up()
        set_times, get_times = [], []
        for _ in range(3):
            begin = time.perf_counter()
            assert talk(tunnel.socket, message) == SUCCESS
            set_times.append(time.perf_counter() - begin)
            begin = time.perf_counter()
            answer = talk(tunnel.socket, b"get=1\n\n")
            get_times.append(time.perf_counter() - begin)
            assert answer.count(b"\nallowed_ip=") == message.count(b"\nallowed_ip=")
        assert min(set_times) < 2, set_times
        assert min(get_times) < 1, get_times


def test_wg_quick_brings_a_tunnel_up_and_down(tmp_path: Path) -> None:
    """Addresses of both families and default routes through the tunnel, which wg-quick keeps apart by fwmark."""
    bin_directory = Path(sys.executable).parent
    env = os.environ | {
        "PATH": f"{bin_directory}:{os.environ['PATH']}",
        "WG_QUICK_USERSPACE_IMPLEMENTATION": "wireguard-py",
    }
    name = f"wgq{os.getpid()}"
    conf = tmp_path / f"{name}.conf"
    with Lab() as lab:
        left, right = lab.joined_hosts()
        other = right.start(OURS)
        other.up()
        right.ip("address", "add", "203.0.113.1/32", "dev", other.interface)
        right.ip("address", "add", "2001:db8:ffff::1/128", "dev", other.interface, "nodad")
        private = run("wg", "genkey").strip()
        public = run("wg", "pubkey", text=private).strip()
        other.wg("set", other.interface, "peer", public, "allowed-ips", "10.0.0.1/32,fd00::1/128")
        conf.touch(0o600)
        conf.write_text(
            f"[Interface]\nPrivateKey = {private}\nAddress = 10.0.0.1/24, fd00::1/64\nMTU = 1380\n"
            f"PreUp = touch {tmp_path}/pre-%i\nPostUp = touch {tmp_path}/up-%i\nPostDown = touch {tmp_path}/down-%i\n"
            f"[Peer]\nPublicKey = {other.public_key}\nAllowedIPs = 0.0.0.0/0, ::/0\nEndpoint = {right.outer}:51820\n"
        )

        def quick(action: str) -> str:
            done = subprocess.run(
                left.words("wg-quick", action, str(conf)), env=env, capture_output=True, text=True, timeout=60,
                check=False,
            )  # fmt: skip
            assert done.returncode == 0, done.stdout + done.stderr
            return done.stderr

        rules = left.ip("rule"), left.ip("-6", "rule")
        assert f"wireguard-py {name}" in quick("up")
        try:
            assert "mtu 1380" in left.ip("link", "show", name)
            assert "0xca6c" in run("wg", "show", name, "fwmark")
            for address in ("203.0.113.1", "2001:db8:ffff::1", "10.0.0.2"):
                left.run("ping", "-n", "-c", "2", "-i", "0.2", "-W", "8", address)
            received, sent = (int(word) for word in run("wg", "show", name, "transfer").split()[1:])
            assert 500 < sent < 5000, "outer datagrams went into the tunnel again"
            assert received > 500
        finally:
            quick("down")
        assert {path.name for path in tmp_path.iterdir()} == {
            conf.name,
            *(f"{part}-{name}" for part in ("pre", "up", "down")),
        }
        assert (left.ip("rule"), left.ip("-6", "rule")) == rules
        assert name not in left.ip("link")
        for _ in range(100):
            if not Path(f"/var/run/wireguard/{name}.sock").exists():
                break
            time.sleep(0.02)
        else:
            raise AssertionError("the socket was left behind")
