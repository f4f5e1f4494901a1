"""The contract of `wireguard-py`: starting, ending, what it says, what it leaves behind (nothing)."""

from __future__ import annotations

import os
import random
import resource
import signal
import socket
import statistics
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.namespaces import OURS, SOCKETS, Host, Lab, connect, needs_namespaces, run, wait_for
from wgtun.backend import backend
from wgtun.platform.linux.tun import Tun

pytestmark = [pytest.mark.netns, needs_namespaces]

COMMAND = [str(Path(sys.executable).parent / "wireguard-py")]
NAME = f"wgd{os.getpid()}"
CLEAN = {key: value for key, value in os.environ.items() if key not in ("LOG_LEVEL", "WG_PROCESS_FOREGROUND")}


@pytest.fixture
def host() -> Iterator[Host]:
    with Lab() as lab:
        yield lab.host()


def start(host: Host, *words: str, **env: str) -> subprocess.CompletedProcess[str]:
    """Run the command until it returns; the daemon of a background start lives on."""
    return subprocess.run(
        host.words(*COMMAND, *words), env=CLEAN | env, capture_output=True, text=True, timeout=30, check=False
    )


def daemons(name: str = NAME) -> list[int]:
    """The processes whose last argument is this interface."""
    found = []
    for entry in Path("/proc").iterdir():
        if entry.name.isdecimal():
            try:
                words = (entry / "cmdline").read_bytes().split(b"\0")[:-1]
            except OSError:
                continue
            if words and words[-1] == name.encode() and any(b"wireguard-py" in word for word in words):
                found.append(int(entry.name))
    return found


def path_of(name: str = NAME) -> Path:
    return SOCKETS / f"{name}.sock"


def assert_nothing_left(host: Host, name: str = NAME) -> None:
    wait_for(lambda: not daemons(name), what="the daemon ended")
    assert not path_of(name).exists()
    assert name not in host.ip("link")


def background(host: Host, **env: str) -> int:
    done = start(host, NAME, **env)
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    (pid,) = daemons()
    return pid


# --- starting --------------------------------------------------------------------------------------


@pytest.mark.defect(20)
def test_a_background_start_returns_when_the_socket_answers(host: Host) -> None:
    pid = background(host)
    assert run("wg", "show", NAME, "listen-port") == "0\n"
    assert os.getsid(pid) == pid
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
    assert [os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)] == ["/dev/null"] * 3
    assert f"{path_of().stat().st_mode & 0o7777:o}" == "700"
    assert f"{SOCKETS.stat().st_mode & 0o7777:o}" == "755"
    others = {os.readlink(f"/proc/{pid}/fd/{number.name}") for number in Path(f"/proc/{pid}/fd").iterdir()}
    assert "/dev/net/tun" in others
    assert not any(other.startswith("pipe:") for other in others), "a pipe of the caller stays open"
    os.kill(pid, signal.SIGTERM)
    assert_nothing_left(host)


def test_it_is_ready_in_a_quarter_of_a_second_and_small(host: Host) -> None:
    """As a rule, on a machine that has nothing else to do: five starts in a row show it."""
    times: list[float] = []
    while len(times) < 5 or statistics.median(times[-5:]) >= 0.250:
        assert len(times) < 25, times
        begin = time.perf_counter()
        pid = background(host)
        times.append(time.perf_counter() - begin)
        status = Path(f"/proc/{pid}/status").read_text()
        resident = int(next(line for line in status.splitlines() if line.startswith("VmRSS")).split()[1])
        os.kill(pid, signal.SIGTERM)
        assert_nothing_left(host)
        assert resident < 45_000, f"{resident} KiB"


def test_a_log_level_keeps_the_streams(host: Host, tmp_path: Path) -> None:
    out = tmp_path / "out"
    with out.open("w") as file:
        done = subprocess.run(
            host.words(*COMMAND, NAME), env=CLEAN | {"LOG_LEVEL": "verbose"}, stdout=file, timeout=30, check=False
        )
    assert done.returncode == 0
    (pid,) = daemons()
    host.ip("link", "set", NAME, "up")
    wait_for(lambda: "UDP bind has been updated" in out.read_text())
    os.kill(pid, signal.SIGTERM)
    assert_nothing_left(host)
    text = out.read_text()
    assert f"INFO: ({NAME}) " in text
    assert f"DEBUG: ({NAME}) " in text
    assert "Shutting down" in text


@pytest.mark.parametrize(("level", "expected"), [("silent", 0), ("error", 0), ("info", 1), ("verbose", 2), ("x", 0)])
def test_log_levels(host: Host, level: str, expected: int) -> None:
    daemon = host.popen(*COMMAND, "-f", NAME, env={"LOG_LEVEL": level}, stdout=subprocess.PIPE)
    wait_for(path_of().exists)
    host.ip("link", "set", NAME, "up")
    wait_for(lambda: run("wg", "show", NAME, "listen-port") != "0\n", what="it is up, and has said so")
    daemon.terminate()
    out, _ = daemon.communicate(timeout=10)
    seen = ("INFO" in out) + ("DEBUG" in out)
    assert seen == expected
    assert daemon.returncode == 0


def test_foreground_by_option_and_by_environment(host: Host) -> None:
    for words, env in (("-f", NAME), {}), (("--foreground", NAME), {}), ((NAME,), {"WG_PROCESS_FOREGROUND": "1"}):
        daemon = host.popen(*COMMAND, *words, env=env)
        wait_for(path_of().exists)
        assert daemon.poll() is None
        daemon.terminate()
        assert daemon.wait(10) == 0
        assert_nothing_left(host)


def test_a_template_name_gets_a_number(host: Host) -> None:
    done = start(host, "wgdt%d")
    assert done.returncode == 0
    (name,) = [path.stem for path in SOCKETS.glob("wgdt*.sock")]
    assert name in host.ip("link")
    (pid,) = daemons("wgdt%d")
    os.kill(pid, signal.SIGTERM)
    wait_for(lambda: not daemons("wgdt%d"))
    assert not path_of(name).exists()


@pytest.mark.defect(21)
@pytest.mark.parametrize(
    "words", [(), ("",), ("a", "b", "c"), ("-x",), ("--foo",), (NAME, "-f"), ("-f",), ("--version", "x"), ("-f", "-f")]
)
def test_wrong_usage_is_2_and_on_standard_error(host: Host, words: tuple[str, ...]) -> None:
    done = start(host, *words)
    assert done.returncode == 2
    assert done.stdout == ""
    assert "usage: wireguard-py" in done.stderr
    assert host.ip("link").count("mtu") == 1  # loopback alone


@pytest.mark.defect(21)
def test_version_and_help(host: Host) -> None:
    version = start(host, "--version")
    assert version.returncode == 0
    lines = version.stdout.splitlines()
    assert len(lines) == 5
    assert lines[0].startswith("wireguard-py v")
    assert "engine" in lines[2]
    help_text = start(host, "--help")
    assert help_text.returncode == 0
    assert "LOG_LEVEL" in help_text.stdout
    for redirection, problem in ((">&-", "closed"), (">/dev/full", "No space left")):
        failed = host.popen("sh", "-c", f"exec {COMMAND[0]} --version {redirection}", stderr=subprocess.PIPE)
        assert problem in failed.communicate(timeout=10)[1]
        assert failed.returncode == 1
    nonsense = start(host, "--version", WGTUN_ENGINE="nonsense")
    assert (nonsense.returncode, nonsense.stderr.count("\n")) == (1, 1)
    assert host.ip("link").count("mtu") == 1  # loopback alone


@pytest.mark.parametrize("foreground", [True, False])
@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_closed_streams_are_left_to_nobody(host: Host, closed: str, foreground: bool) -> None:
    """Or the TUN would be standard output."""
    words = f"exec {COMMAND[0]} {'-f' if foreground else ''} {NAME} {closed}"
    starting = host.popen("sh", "-c", words, env={"LOG_LEVEL": "verbose"})
    if not foreground:
        assert starting.wait(10) == 0
    wait_for(path_of().exists)
    host.ip("link", "set", NAME, "up")
    (pid,) = daemons()
    streams = [os.readlink(f"/proc/{pid}/fd/{number}") for number in range(3)]
    assert not any(stream.startswith(("/dev/net", "socket:", "anon_inode")) for stream in streams), streams
    os.kill(pid, signal.SIGTERM)
    assert_nothing_left(host)
    assert starting.wait(10) == 0


def test_a_log_that_nobody_takes_is_no_reason_to_complain(host: Host) -> None:
    with Path("/dev/full").open("w") as full:
        daemon = host.popen(*COMMAND, "-f", NAME, env={"LOG_LEVEL": "verbose"}, stdout=full, stderr=subprocess.PIPE)
        wait_for(path_of().exists)
        daemon.terminate()
        _, complaints = daemon.communicate(timeout=10)
    assert (daemon.returncode, complaints) == (0, "")


def test_names_and_logs_in_other_encodings(host: Host) -> None:
    name = os.fsdecode(b"wgd\xff%d" % (os.getpid() % 10000))
    env = {"LOG_LEVEL": "verbose", "PYTHONIOENCODING": "ascii"}
    daemon = host.popen(*COMMAND, "-f", name, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    wait_for(path_of(name).exists)
    run("wg", "set", name, "peer", run("wg", "genpsk").strip())
    daemon.terminate()
    out, _ = daemon.communicate(timeout=10)
    assert daemon.returncode == 0
    assert "INFO: (wgd\\udcff" in out
    assert "\\u2026" in out, "the sign in the middle of a peer's name"
    assert "Traceback" not in out
    assert not path_of(name).exists()


@pytest.mark.parametrize("foreground", [True, False])
@pytest.mark.parametrize(
    ("name", "env", "reason"),
    [
        ("x" * 16, {}, "too long"),
        ("lo", {}, "not a TUN"),
        (NAME, {"WG_TUN_FD": "abc"}, "WG_TUN_FD"),
        (NAME, {"WG_TUN_FD": "0"}, "not a TUN"),
        (NAME, {"WG_UAPI_FD": "-1"}, "WG_UAPI_FD"),
        (NAME, {"WG_UAPI_FD": "0"}, "socket"),
        (NAME, {"WGTUN_KEY_LOG": "/nowhere/at/all"}, "WGTUN_KEY_LOG"),
        (NAME, {"WGTUN_SANDBOX": "no-such"}, "known are off, no-capabilities"),
    ],
)
def test_a_failed_start_is_1_says_why_and_leaves_nothing(
    host: Host, name: str, env: dict[str, str], reason: str, foreground: bool
) -> None:
    done = start(host, *(["-f"] if foreground else []), name, **env)
    assert done.returncode == 1
    assert reason in done.stderr
    assert "Traceback" not in done.stderr
    if name == NAME:
        assert_nothing_left(host)


@pytest.mark.skipif(backend() != "native", reason="the Python engine reads one queue")
def test_a_background_daemon_has_all_queues(host: Host) -> None:
    pid = background(host, WGTUN_QUEUES="3")
    assert "numqueues 3" in host.ip("-d", "link", "show", NAME)
    host.ip("link", "set", NAME, "up", "mtu", "1333")
    wait_for(lambda: run("wg", "show", NAME, "listen-port") != "0\n")
    assert "error" not in run(sys.executable, "-m", "wgtun.cli.main", "show", NAME)
    os.kill(pid, signal.SIGTERM)
    assert_nothing_left(host)


@pytest.mark.parametrize("queues", ["1", "3"])
def test_two_daemons_for_one_name(host: Host, queues: str) -> None:
    pid = background(host, WGTUN_QUEUES=queues)
    host.ip("link", "set", NAME, "mtu", "1333")
    done = start(host, NAME, WGTUN_QUEUES=queues)
    assert done.returncode == 1
    assert "another program" in done.stderr
    assert "mtu 1333" in host.ip("link", "show", NAME)
    with Lab() as lab:  # the name is free there, but the socket is taken
        done = start(lab.host(), NAME)
        assert done.returncode == 1
        assert "in use" in done.stderr
    assert run("wg", "show", NAME, "listen-port")
    os.kill(pid, signal.SIGTERM)
    assert_nothing_left(host)


def test_a_stale_socket_is_replaced_and_another_file_is_not(host: Host) -> None:
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(path_of()))
    pid = background(host)
    os.kill(pid, signal.SIGTERM)
    assert_nothing_left(host)
    path_of().write_text("precious")
    done = start(host, NAME)
    assert done.returncode == 1
    assert "not a socket" in done.stderr
    assert path_of().read_text() == "precious"
    path_of().unlink()


@pytest.mark.defect(11)
@pytest.mark.parametrize("offload", [False, True] if backend() == "native" else [False])
def test_descriptors_are_adopted_and_the_mtu_left_alone(offload: bool) -> None:
    tun = Tun.create(NAME, offload=offload)
    run("ip", "link", "set", NAME, "mtu", "1333")
    path_of().parent.mkdir(exist_ok=True)
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(path_of()))
    listener.listen()
    descriptors = tun.fileno(), listener.fileno()
    daemon = subprocess.Popen(
        [*COMMAND, "-f", NAME],
        env=CLEAN | {"WG_TUN_FD": str(descriptors[0]), "WG_UAPI_FD": str(descriptors[1])},
        pass_fds=descriptors,
    )
    tun.close()
    listener.close()
    try:
        wait_for(lambda: run("wg", "show", NAME, "listen-port", check=False) == "0\n")
        assert "mtu 1333" in run("ip", "link", "show", NAME)
    finally:
        daemon.terminate()
        assert daemon.wait(10) == 0
    assert not path_of().exists()
    assert NAME not in run("ip", "link")


# --- ending ----------------------------------------------------------------------------------------


@pytest.mark.defect(20)
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_signals_end_it_in_order(host: Host, number: signal.Signals) -> None:
    daemon = host.popen(*COMMAND, "-f", NAME)
    wait_for(path_of().exists)
    host.ip("link", "set", NAME, "up")
    daemon.send_signal(number)
    assert daemon.wait(10) == 0
    assert_nothing_left(host)


def test_links_that_change_until_the_end_open_nothing_again(host: Host) -> None:
    storm = host.popen("sh", "-c", "while :; do ip link set lo mtu 65535; ip link set lo mtu 65536; done")
    for _ in range(5):
        daemon = host.popen(*COMMAND, "-f", NAME, env={"LOG_LEVEL": "debug"}, stdout=subprocess.PIPE)
        wait_for(path_of().exists)
        host.ip("link", "set", NAME, "up")
        wait_for(lambda: run("wg", "show", NAME, "listen-port") != "0\n")
        daemon.terminate()
        out, _ = daemon.communicate(timeout=10)
        assert out.splitlines()[-1].endswith("Interface is down")
        assert daemon.returncode == 0
    storm.terminate()


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_at_any_moment_of_the_start_leaves_nothing(host: Host, number: signal.Signals) -> None:
    rng = random.Random(number)
    for _ in range(8):
        daemon = host.popen(*COMMAND, "-f", NAME, stderr=subprocess.DEVNULL)
        time.sleep(rng.uniform(0, 0.25))
        daemon.send_signal(number)
        daemon.wait(10)  # before Python runs, the system's default ends it
        assert_nothing_left(host)


def test_removing_the_interface_ends_it(host: Host) -> None:
    daemon = host.popen(*COMMAND, "-f", NAME)
    wait_for(path_of().exists)
    host.ip("link", "del", NAME)
    assert daemon.wait(10) == 0
    assert_nothing_left(host)


@pytest.mark.defect(6)
@pytest.mark.parametrize("way", ["unlink", "rename", "replace"])
def test_removing_the_socket_ends_it(host: Host, tmp_path: Path, way: str) -> None:
    daemon = host.popen(*COMMAND, "-f", NAME)
    wait_for(path_of().exists)
    elsewhere = SOCKETS / f"{NAME}.moved"
    if way == "unlink":
        path_of().unlink()
    elif way == "rename":
        path_of().rename(elsewhere)
    else:
        (SOCKETS / f"{NAME}.new").touch()
        (SOCKETS / f"{NAME}.new").rename(path_of())
    assert daemon.wait(10) == 0
    assert path_of().exists() is (way == "replace"), "a newcomer's file is not ours to remove"
    for left in (path_of(), elsewhere):
        left.unlink(missing_ok=True)
    assert_nothing_left(host)


@pytest.mark.defect(6)
def test_chmod_touch_chown_and_links_do_not_end_it(host: Host) -> None:
    daemon = host.popen(*COMMAND, "-f", NAME)
    wait_for(path_of().exists)
    link = SOCKETS / f"{NAME}.link"
    path_of().chmod(0o777)
    path_of().touch()
    os.chown(path_of(), 1, 1)
    os.link(path_of(), link)
    link.unlink()
    time.sleep(0.3)
    assert daemon.poll() is None
    assert run("wg", "show", NAME, "listen-port")


@pytest.mark.defect(7)
def test_a_stalled_client_delays_nobody(host: Host) -> None:
    daemon = host.popen(*COMMAND, "-f", NAME)
    wait_for(path_of().exists)
    with socket.socket(socket.AF_UNIX) as stalled, socket.socket(socket.AF_UNIX) as deaf:
        stalled.connect(str(path_of()))
        stalled.sendall(b"set=1\nlisten_port=1234\n")
        deaf.connect(str(path_of()))
        deaf.sendall(b"get=1\n\n" * 1000)
        assert run("wg", "show", NAME, "listen-port", timeout=5) == "0\n"
        host.ip("link", "set", NAME, "up")
        wait_for(lambda: run("wg", "show", NAME, "listen-port") != "0\n")
        begin = time.monotonic()
        daemon.terminate()
        assert daemon.wait(10) == 0
        assert time.monotonic() - begin < 2
    assert_nothing_left(host)


# --- living ----------------------------------------------------------------------------------------


@pytest.mark.defect(22)
@pytest.mark.parametrize("reader_left", [False, True], ids=["no streams", "a reader that left"])
def test_errors_of_a_background_daemon_reach_the_system_log(reader_left: bool) -> None:
    """In a mount namespace of its own, whose /dev holds a /dev/log of ours."""
    program = f"""
import os, socket, subprocess
subprocess.run("mount -t tmpfs none /mnt && mkdir -p /mnt/net && "
    "for node in null net/tun urandom; do touch /mnt/$node; mount --bind /dev/$node /mnt/$node; done && "
    "mount --rbind /mnt /dev", shell=True, check=True)
log = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
log.bind("/dev/log")
log.settimeout(5)
if {reader_left}:
    reader, writer = os.pipe()
    os.close(reader)
    subprocess.run({[*COMMAND, NAME]!r}, stdout=writer, env=os.environ | {{"LOG_LEVEL": "error"}}, check=True)
else:
    subprocess.run({[*COMMAND, NAME]!r}, check=True)
client = socket.socket(socket.AF_UNIX)
client.connect("{path_of()}")
client.sendall(b"set=1\\nnonsense=1\\n\\n")
assert b"errno=-22" in client.recv(100)
print(log.recv(1000))
client.close()
os.unlink("{path_of()}")
"""
    done = subprocess.run(
        ["unshare", "-m", "-n", sys.executable, "-c", program], env=CLEAN, capture_output=True, text=True, timeout=30,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    assert "wireguard-py" in done.stdout
    assert "nonsense" in done.stdout
    assert done.stderr == ""


def test_idle_daemons_use_no_cpu() -> None:
    with Lab() as lab:
        left, right = lab.joined_hosts()
        one, two = left.start(OURS), right.start(OURS)
        one.up()
        two.up()
        connect(one, two)
        one.ping(two)

        def used() -> float:
            ticks = 0
            for tunnel in (one, two):
                fields = Path(f"/proc/{tunnel.pid}/stat").read_text().rpartition(")")[2].split()
                ticks += int(fields[11]) + int(fields[12])
            return ticks / os.sysconf("SC_CLK_TCK")

        before = used()
        time.sleep(5)
        assert used() - before <= 0.02


@pytest.mark.defect(27)
def test_garbage_neither_kills_nor_feeds_it() -> None:
    rng = random.Random(1)
    with Lab() as lab:
        left, right = lab.joined_hosts()
        one, two = left.start(OURS), right.start(OURS, env={"LOG_LEVEL": "verbose"})
        one.up()
        two.up()
        connect(one, two)
        one.ping(two)

        def resident() -> int:
            return int(Path(f"/proc/{two.pid}/statm").read_text().split()[1]) * resource.getpagesize()

        flood = (
            "import random, socket\n"
            "rng = random.Random(7)\n"
            "out = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)\n"
            "for number in range(20000):\n"
            "    size = rng.choice((0, 1, 31, 32, 64, 92, 148, 1000, 1452))\n"
            "    data = bytes((rng.choice((0, 1, 2, 3, 4, 5)), 0, 0, 0)) + rng.randbytes(size)\n"
            f"    out.sendto(data[:max(size, rng.randrange(1500))], ({right.outer!r}, 51820))\n"
        )
        left.run(sys.executable, "-c", flood)
        before = resident()
        left.run(sys.executable, "-c", flood)
        assert resident() - before < 2_000_000
        for _ in range(200):
            with socket.socket(socket.AF_UNIX) as client:
                client.connect(str(two.socket))
                client.settimeout(5)
                text = rng.choice((b"set=1\n", b"get=1\n", b"")) + rng.randbytes(rng.randrange(300))
                try:
                    client.sendall(text)
                    client.shutdown(socket.SHUT_WR)
                    while client.recv(65536):
                        pass
                except ConnectionError:
                    pass
        assert two.process.poll() is None
        one.ping(two)
        two.ping(one)
