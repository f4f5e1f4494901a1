"""Two network namespaces on a veth pair, with a tunnel between them."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import NamedTuple

PORT = 51820


class Contender(NamedTuple):
    """A daemon to measure. Without a command: the veth pair alone."""

    name: str
    command: Sequence[str] = ()
    environment: Mapping[str, str] = {}
    has_uapi: bool = True  # else it takes port and peer as arguments, as the forwarder without encryption does


class Failed(Exception):
    """A measurement that could not be made; the text says why."""


def run(*words: str, text: str | None = None, timeout: float = 60) -> str:
    try:
        done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=timeout, check=False)
    except subprocess.TimeoutExpired:
        raise Failed(f"{words[0]} took more than {timeout:g} s") from None
    if done.returncode:
        raise Failed(f"{shlex.join(words)}: {done.stdout}{done.stderr}".strip()[-300:])
    return done.stdout


class Host:
    """One namespace with an address on the veth pair, and perhaps a daemon."""

    def __init__(self, cleanup: ExitStack, number: int) -> None:
        self.namespace = f"wgbench{number}-{os.getpid()}"
        self.interface = f"wgb{number}-{os.getpid() % 100000}"
        self.outer, self.inner = f"192.0.2.{number}", f"10.0.0.{number}"
        self.private_key = run("wg", "genkey").strip()
        self.public_key = run("wg", "pubkey", text=self.private_key).strip()
        self.daemon: subprocess.Popen[bytes] | None = None
        run("ip", "netns", "add", self.namespace)
        cleanup.callback(run, "ip", "netns", "del", self.namespace)
        self._cleanup = cleanup
        self.ip("link", "set", "lo", "up")

    def ip(self, *words: str) -> str:
        return run("ip", "-n", self.namespace, *words)

    def words(self, *words: str) -> list[str]:
        return ["ip", "netns", "exec", self.namespace, *words]

    def run(self, *words: str, timeout: float = 60) -> str:
        return run(*self.words(*words), timeout=timeout)

    def popen(self, *words: str) -> subprocess.Popen[str]:
        """A program with its output in a pipe."""
        return subprocess.Popen(self.words(*words), stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)

    @property
    def socket(self) -> Path:
        return Path(f"/var/run/wireguard/{self.interface}.sock")

    def start(self, contender: Contender, *, cpu: int | None = None, peer: Host | None = None) -> None:
        """Run the daemon until it can be configured; with an address, and up."""
        words = [*contender.command, self.interface]
        if not contender.has_uapi and peer is not None:
            words += [str(PORT), peer.outer, str(PORT)]
        if cpu is not None:
            words = ["taskset", "-c", str(cpu), *words]
        environment = {**os.environ, "WG_PROCESS_FOREGROUND": "1", **contender.environment}
        self.daemon = subprocess.Popen(self.words(*words), env=environment)
        self._cleanup.callback(self.stop)
        ready = self.socket if contender.has_uapi else Path(f"/proc/{self.daemon.pid}/root")
        give_up = time.monotonic() + 10
        while not ready.exists() or self.interface not in self.ip("-o", "link"):
            if self.daemon.poll() is not None or time.monotonic() > give_up:
                raise Failed(f"{shlex.join(contender.command)} did not start")
            time.sleep(0.02)
        self.ip("address", "add", f"{self.inner}/24", "dev", self.interface)
        self.ip("link", "set", self.interface, "mtu", "1420", "up")

    def stop(self) -> None:
        if self.daemon is not None and self.daemon.poll() is None:
            self.daemon.terminate()
            try:
                self.daemon.wait(10)
            except subprocess.TimeoutExpired:
                self.daemon.kill()
                self.daemon.wait()

    def configure(self, peer: Host) -> None:
        run("wg", "set", self.interface, "listen-port", str(PORT), "private-key", "/dev/stdin",
            "peer", peer.public_key, "allowed-ips", f"{peer.inner}/32", "endpoint", f"{peer.outer}:{PORT}",
            text=self.private_key)  # fmt: skip

    def cpu_seconds(self) -> float:
        fields = self._proc("stat").rpartition(")")[2].split()
        return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")

    def memory(self, field: str) -> float:
        """MB of VmRSS (now) or VmHWM (at most so far)."""
        line = next(line for line in self._proc("status").splitlines() if line.startswith(field))
        return int(line.split()[1]) / 1000

    def _proc(self, name: str) -> str:
        assert self.daemon is not None
        return Path(f"/proc/{self.daemon.pid}/{name}").read_text()


class Pair(NamedTuple):
    """Two hosts with a tunnel, or without one for a contender that has no command."""

    contender: Contender
    left: Host
    right: Host

    @property
    def target(self) -> str:
        """The right host's address as the left one is to use it."""
        return self.right.inner if self.contender.command else self.right.outer

    def cpu_seconds(self) -> float:
        return self.left.cpu_seconds() + self.right.cpu_seconds() if self.contender.command else 0.0


@contextmanager
def made_pair(contender: Contender) -> Iterator[Pair]:
    """A pair that is taken down at the end."""
    with ExitStack() as cleanup:
        pair = Pair(contender, Host(cleanup, 1), Host(cleanup, 2))
        left, right = pair.left, pair.right
        run("ip", "link", "add", "veth1", "netns", left.namespace, "type", "veth",
            "peer", "name", "veth2", "netns", right.namespace)  # fmt: skip
        for host, device in ((left, "veth1"), (right, "veth2")):
            host.ip("address", "add", f"{host.outer}/24", "dev", device)
            host.ip("link", "set", device, "up")
        if contender.command:
            left.start(contender, peer=right)
            right.start(contender, peer=left)
            if contender.has_uapi:
                left.configure(right)
                right.configure(left)
            left.run("ping", "-c", "1", "-W", "5", right.inner)
        yield pair


@contextmanager
def made_daemon(contender: Contender) -> Iterator[Host]:
    """One daemon in a namespace of its own, its interface up."""
    with ExitStack() as cleanup:
        host = Host(cleanup, 1)
        host.start(contender)
        yield host


def ours(engine: str) -> Contender:
    return Contender(engine, (sys.executable, "-m", "wgtun.cli.daemon", "-f"), {"WGTUN_ENGINE": engine})
