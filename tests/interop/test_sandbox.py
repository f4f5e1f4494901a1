"""What a running daemon can't do any more, and what it still can."""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.namespaces import OURS, Lab, Tunnel, connect, end, needs_namespaces, pair, run, wait_for
from tests.support.read_out import documents
from wgtun.platform.linux.tun import Tun
from wgtun.uapi import unix_socket

pytestmark = [pytest.mark.netns, needs_namespaces]

NET_BIND_SERVICE, NET_ADMIN = 1 << 10, 1 << 12
KEPT = f"{NET_BIND_SERVICE | NET_ADMIN:016x}"
NONE = f"{0:016x}"
RESTRICTED = {
    "CapInh": NONE, "CapPrm": KEPT, "CapEff": KEPT, "CapBnd": NONE, "CapAmb": NONE, "NoNewPrivs": "1", "Seccomp": "2",
}  # fmt: skip


def threads(pid: int) -> dict[str, dict[str, str]]:
    """The status of each thread, by its name."""
    found = {}
    for task in Path(f"/proc/{pid}/task").iterdir():
        fields = dict(line.split(":\t", 1) for line in (task / "status").read_text().splitlines() if ":\t" in line)
        found[fields["Name"]] = {name: fields[name].strip() for name in RESTRICTED}
    return found


def assert_restricted(tunnel: Tunnel) -> None:
    for name, status in threads(tunnel.pid).items():
        assert status == RESTRICTED, name


# --- a daemon ----------------------------------------------------------------------------------------


def test_every_thread_is_restricted_at_any_time() -> None:
    with Lab() as lab:
        left, right = lab.joined_hosts()
        one, two = left.start(OURS), right.start(OURS)
        assert one.show("listen-port") == "0"  # it serves
        assert_restricted(one)
        one.up()
        two.up()
        connect(one, two)
        one.ping(two)
        assert_restricted(one)
        one.wg("set", one.interface, "listen-port", "53")
        one.ping(two)
        assert_restricted(one)
        limits = Path(f"/proc/{one.pid}/limits").read_text()
        assert next(line.split()[4:6] for line in limits.splitlines() if line.startswith("Max core")) == ["0", "0"]


def test_it_still_does_all_that_a_tunnel_does() -> None:
    with Lab() as lab:
        one, two = pair(lab)
        one.ping(two)
        for port in ("53", "51821", "1023"):
            one.wg("set", one.interface, "listen-port", port)
            one.ping(two)
            assert two.show("endpoints").endswith(f":{port}")
        one.wg("set", one.interface, "fwmark", "0x1234")
        one.host.ip("rule", "add", "fwmark", "0x1234", "prohibit")
        with pytest.raises(AssertionError):
            one.ping(two, wait=1)
        one.host.ip("rule", "del", "fwmark", "0x1234", "prohibit")
        one.ping(two)
        one.host.ip("link", "set", one.interface, "down")
        one.host.ip("link", "set", one.interface, "name", one.interface + "r")
        one.host.ip("link", "set", one.interface + "r", "up")
        one.host.ip("address", "replace", f"{one.address}/24", "dev", one.interface + "r")
        one.ping(two)
        one.process.send_signal(signal.SIGTERM)
        assert one.process.wait(10) == 0
        assert not one.socket.exists()


def test_nothing_is_loaded_that_late(tmp_path: Path) -> None:
    """Landlock may be in the way of it, and a shared library that comes with it surely would be."""
    trace = tmp_path / "trace"
    with Lab() as lab, trace.open("w") as err:
        left, right = lab.joined_hosts()
        inside = lab.host()
        name = f"wgs{os.getpid()}"
        daemon = left.popen(*OURS, "-f", name, env={"PYTHONVERBOSE": "1", "LOG_LEVEL": "debug"}, stderr=err)
        wait_for(lambda: run("wg", "show", name, "listen-port", check=False))
        before = trace.stat().st_size
        two = right.start(OURS)
        two.up()
        key, psk = run("wg", "genkey"), tmp_path / "psk"
        psk.write_text(run("wg", "genpsk"))
        peer = ("peer", two.public_key, "preshared-key", str(psk), "persistent-keepalive", "1", "allowed-ips", "::/0",
                "endpoint", f"[{right.outer6}]:51820")  # fmt: skip
        run("wg", "set", name, "private-key", "/dev/stdin", *peer, text=key)
        run("wg", "set", name, "listen-port", "-1", check=False)
        with socket.socket(socket.AF_UNIX) as client:
            client.connect(f"/var/run/wireguard/{name}.sock")
            client.sendall(b"set=1\nnonsense=\xff\n\n")
            client.recv(100)
        left.ip("link", "set", name, "up")
        two.wg("set", two.interface, "peer", run("wg", "pubkey", text=key).strip(), "preshared-key", str(psk))
        wait_for(lambda: run("wg", "show", name, "latest-handshakes").split()[1] != "0")
        left.ip("link", "set", name, "netns", inside.namespace)
        inside.ip("link", "set", name, "up")
        left.ip("address", "add", "192.0.9.1/32", "dev", "lo")
        left.ip("route", "add", "192.0.8.0/24", "dev", left.device)
        run("wg", "set", name, "peer", two.public_key, "remove")
        time.sleep(0.2)
        with trace.open() as text:
            text.seek(before)
            assert [line for line in text if "import" in line] == []
        daemon.terminate()
        assert daemon.wait(10) == 0
        ending = trace.read_text()[before:].partition("# clear")[0]
        assert [line for line in ending.splitlines() if line.startswith("import ")] == []


def test_the_end_of_the_namespace_that_it_was_moved_to_ends_it() -> None:
    """Nothing of the daemon keeps it alive."""
    with Lab() as lab:
        host = lab.host()
        tunnel = host.start(OURS)
        name = f"wgtest-{os.getpid()}-inside"
        run("ip", "netns", "add", name)
        host.ip("link", "set", tunnel.interface, "netns", name)
        run("ip", "-n", name, "link", "set", tunnel.interface, "up")
        wait_for(lambda: tunnel.show("listen-port") != "0")
        run("ip", "netns", "del", name)
        assert tunnel.process.wait(10) == 0
        assert not tunnel.socket.exists()


def test_a_background_daemon_is_restricted_too() -> None:
    with Lab() as lab:
        host = lab.host()
        name = f"wgs{os.getpid()}"
        host.run(*OURS, name)
        (pid,) = run("ip", "netns", "pids", host.namespace).split()
        assert all(status == RESTRICTED for status in threads(int(pid)).values())
        os.kill(int(pid), signal.SIGTERM)
        wait_for(lambda: not Path(f"/var/run/wireguard/{name}.sock").exists())


@pytest.mark.parametrize(
    ("words", "said", "differs"),
    [
        ("", "no core dumps, landlock", {}),
        ("off", "Sandbox: off (WGTUN_SANDBOX)", {"CapBnd", "CapEff", "CapPrm", "NoNewPrivs", "Seccomp"}),
        ("no-seccomp", "; off: seccomp (WGTUN_SANDBOX)", {"Seccomp"}),
        ("no-capabilities", "; off: capabilities (WGTUN_SANDBOX)", {"CapBnd", "CapEff", "CapPrm"}),
        ("no-core,no-landlock", "; off: core (WGTUN_SANDBOX), landlock (WGTUN_SANDBOX)", {}),
    ],
)
def test_parts_are_switched_off_by_name_and_the_log_says_so(words: str, said: str, differs: set[str]) -> None:
    with Lab() as lab:
        host = lab.host()
        name = f"wgs{os.getpid()}"
        daemon = host.popen(
            *OURS, "-f", name, env={"LOG_LEVEL": "info", "WGTUN_SANDBOX": words}, stdout=subprocess.PIPE
        )
        wait_for(Path(f"/var/run/wireguard/{name}.sock").exists)
        wait_for(lambda: run("wg", "show", name, "listen-port", check=False))
        for status in threads(daemon.pid).values():
            assert {field for field, value in status.items() if value != RESTRICTED[field]} == set(differs)
        daemon.terminate()
        out, _ = daemon.communicate(timeout=10)
        (line,) = [line for line in out.splitlines() if "Sandbox: " in line]
        assert said in line
        assert daemon.returncode == 0


# --- the restrictions themselves ---------------------------------------------------------------------

PROGRAM = """
import ctypes, errno, json, os, signal, socket, sys, threading
import cryptography
from wgtun.platform.linux.system import restrict
from wgtun.platform.linux.sandbox import seccomp

libc = ctypes.CDLL(None, use_errno=True)
directory = sys.argv[1]
kept_file = open(directory + "/kept", "w")
outcome = {}

def attempt(what, action):
    try:
        result = action()
        outcome[what] = "done"
        if hasattr(result, "close"):
            result.close()
    except OSError as error:
        outcome[what] = errno.errorcode[error.errno]

def call(function, *arguments):
    if getattr(libc, function)(*arguments) < 0:
        raise OSError(ctypes.get_errno(), "")

def use(family, kind, level=None, name=None, value=None, address=None):
    with socket.socket(family, kind) as made:
        if level is not None:
            made.setsockopt(level, name, value)
        if address is not None:
            made.bind(address)

def in_a_thread(action):
    caught = []
    def run():
        try:
            action()
        except OSError as error:
            caught.append(error)
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    if caught:
        raise caught[0]

outcome["report"] = restrict(directory)
INET, DGRAM, SOCKET = socket.AF_INET, socket.SOCK_DGRAM, socket.SOL_SOCKET
attempt("read a secret", lambda: open("/etc/shadow"))
attempt("read any file", lambda: open("/etc/passwd"))
attempt("make a file", lambda: open(directory + "/new", "w"))
attempt("read a socket's directory", lambda: os.listdir(directory))
attempt("remove a file elsewhere", lambda: os.unlink(sys.argv[2]))
attempt("change a mode", lambda: os.chmod(sys.argv[2], 0o777))
attempt("run a program", lambda: os.execv("/bin/true", ["true"]))
attempt("fork", os.fork)
attempt("mount", lambda: call("mount", b"none", b"/mnt", b"tmpfs", 0, None))
attempt("unshare", lambda: call("unshare", 0x10000000))
attempt("ptrace", lambda: call("ptrace", 16, os.getppid(), None, None))
attempt("bpf", lambda: call("syscall", 321 if os.uname().machine == "x86_64" else 280, 0, None, 0))
attempt("packet socket", lambda: use(socket.AF_PACKET, socket.SOCK_RAW))
attempt("raw socket", lambda: socket.socket(INET, socket.SOCK_RAW, socket.IPPROTO_ICMP))
attempt("TCP server", lambda: use(INET, socket.SOCK_STREAM, address=("127.0.0.1", 4444)))
attempt("signal another process", lambda: os.kill(os.getppid(), signal.SIGCONT))
attempt("become another user", lambda: os.setuid(1))
attempt("run a program, in a thread", lambda: in_a_thread(lambda: os.execv("/bin/true", ["true"])))
attempt("read any file, in a thread", lambda: in_a_thread(lambda: open("/etc/passwd")))

attempt("low port", lambda: use(INET, DGRAM, address=("127.0.0.1", 53)))
attempt("fwmark", lambda: use(INET, DGRAM, SOCKET, socket.SO_MARK, 7))
attempt("large buffer", lambda: use(INET, DGRAM, SOCKET, 33, 7 << 20))
attempt("netlink", lambda: use(socket.AF_NETLINK, socket.SOCK_RAW))
attempt("write to an open file", lambda: kept_file.write("x") and kept_file.flush())
attempt("remove the socket", lambda: os.unlink(directory + "/socket"))
attempt("signal ourselves", lambda: os.kill(os.getpid(), 0))
attempt("log", lambda: use(socket.AF_UNIX, DGRAM))
import colorsys
import wgtun.config
attempt("read our source", lambda: open(wgtun.config.__file__))
attempt("read a library's source", lambda: open(cryptography.__file__))
print(json.dumps(outcome))
"""


def test_what_is_denied_and_what_is_not(tmp_path: Path) -> None:
    directory, other = tmp_path / "sockets", tmp_path / "other"
    directory.mkdir()
    (directory / "socket").touch()
    other.touch()
    with Lab() as lab:
        said = lab.host().run(sys.executable, "-c", PROGRAM, str(directory), str(other))
    outcome = json.loads(said)
    report = outcome.pop("report")
    if "off:" in report:
        pytest.skip(f"this kernel can't do all: {report}")
    eperm = {
        "change a mode", "run a program", "fork", "mount", "unshare", "ptrace", "bpf", "raw socket",
        "signal another process", "become another user", "run a program, in a thread",
    }  # fmt: skip
    eacces = {
        "read a secret", "read any file", "make a file", "read a socket's directory", "remove a file elsewhere",
        "TCP server", "read any file, in a thread",
    }  # fmt: skip
    assert {what for what, result in outcome.items() if result == "EPERM"} == eperm
    assert {what for what, result in outcome.items() if result == "EACCES"} == eacces
    assert {what for what, result in outcome.items() if result == "EAFNOSUPPORT"} == {"packet socket"}
    assert {result for what, result in outcome.items() if what not in eperm | eacces | {"packet socket"}} == {"done"}
    assert not (directory / "socket").exists()
    assert other.exists()


def test_a_directory_of_somebody_else_keeps_a_stale_socket(tmp_path: Path) -> None:
    directory = str(tmp_path / "sockets")
    os.mkdir(directory)
    os.chown(directory, 1, 1)
    program = (
        "from wgtun.platform.linux.system import restrict; from wgtun.uapi import unix_socket\n"
        f"listener = unix_socket.listen('wg0', {directory!r}); print(restrict({directory!r})); listener.remove_file()"
    )
    said = run(sys.executable, "-c", program)
    assert "capabilities net_admin" in said
    assert os.listdir(directory) == ["wg0.sock"]
    listener = unix_socket.listen("wg0", directory)
    listener.remove_file()
    listener.close()
    assert os.listdir(directory) == []


@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
@pytest.mark.parametrize("capabilities", ["net_admin", "net_admin,net_broadcast,net_bind_service"])
def test_a_daemon_without_root(tmp_path: Path, capabilities: str) -> None:
    """It adopts what it needs, and follows its interface as far as it may."""
    wanted = ",".join(f"+{name}" for name in capabilities.split(","))
    as_nobody = ["setpriv", "--reuid=65534", "--regid=65534", "--clear-groups", "--inh-caps", f"-all,{wanted}",
                 "--ambient-caps", f"-all,{wanted}"]  # fmt: skip
    name = f"wgs{os.getpid()}"
    tun, listener = Tun.create(name), unix_socket.listen(name)
    descriptors = tun.fileno(), listener.fileno()
    environment = {"LOG_LEVEL": "info", "WG_TUN_FD": str(descriptors[0]), "WG_UAPI_FD": str(descriptors[1])}
    with Lab() as lab:
        inside = lab.host()
        daemon = subprocess.Popen(
            [*as_nobody, *OURS, "-f", name], env=os.environ | environment, stdout=subprocess.PIPE, pass_fds=descriptors,
            text=True,
        )  # fmt: skip
        lab.cleanup.callback(end, daemon)
        lab.cleanup.callback(os.unlink, listener.path)
        tun.close()
        listener.close()
        wait_for(lambda: run("wg", "show", name, "listen-port", check=False, timeout=5) == "0\n")
        run("ip", "link", "set", name, "up")
        wait_for(lambda: run("wg", "show", name, "listen-port", timeout=5) != "0\n")
        kept = NET_ADMIN | NET_BIND_SERVICE * ("bind" in capabilities)
        for status in threads(daemon.pid).values():
            assert {status[each] for each in ("CapPrm", "CapEff")} == {f"{kept:016x}"}
            assert (status["CapAmb"], status["NoNewPrivs"], status["Seccomp"]) == (NONE, "1", "2")
        run("ip", "link", "set", name, "netns", inside.namespace)
        if "broadcast" in capabilities:
            inside.ip("link", "set", name, "up", "mtu", "1300")
            wait_for(lambda: documents(name)[name]["mtu"] == 1300, what="it follows its interface")
            assert daemon.poll() is None
            daemon.terminate()
        out, _ = daemon.communicate(timeout=10)
        assert daemon.returncode == 0
        assert ("MTU is 1300" in out) is ("broadcast" in capabilities)
