"""Network namespaces for tests: made with unique names, always removed.

with Lab() as lab:
    left, right = lab.joined_hosts()     # 192.0.2.1 and .2, 2001:db8::1 and ::2, on a veth pair
    tunnel = left.start(OURS, "wg0")     # the daemon in the foreground, ready to be configured
    left.run("ping", "-c1", "10.0.0.2")
"""

from __future__ import annotations

import itertools
import os
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path

import pytest

OURS = (sys.executable, "-m", "wgtun.cli.daemon")
WIREGUARD_GO = ("wireguard-go",)
SOCKETS = Path("/var/run/wireguard")

_numbers = itertools.count(1)


def missing_for_namespaces() -> str:
    """Why namespaces can't be used here; empty when they can."""
    if not sys.platform.startswith("linux"):
        return "needs Linux"
    if os.geteuid() != 0:
        return "needs root"
    missing = [name for name in ("ip", "ping", "wg") if shutil.which(name) is None]
    if missing:
        return f"needs {', '.join(missing)}"
    return "" if Path("/dev/net/tun").exists() else "needs /dev/net/tun"


needs_namespaces = pytest.mark.skipif(bool(missing_for_namespaces()), reason=missing_for_namespaces())


def run(*words: str, check: bool = True, text: str | None = None, timeout: float = 60) -> str:
    """Run a program; returns its output. A failure shows what it said."""
    done = subprocess.run(words, input=text, capture_output=True, text=True, timeout=timeout, check=False)
    if check and done.returncode:
        raise AssertionError(f"{' '.join(words)}: exit {done.returncode}\n{done.stdout}{done.stderr}")
    return done.stdout


def wait_for(condition: Callable[[], object], seconds: float = 10, what: str = "") -> None:
    """Return as soon as the condition holds; fail when it does not in time."""
    give_up = time.monotonic() + seconds
    while not condition():
        if time.monotonic() > give_up:
            raise AssertionError(f"did not happen within {seconds} s: {what or condition}")
        time.sleep(0.02)


class Lab:
    """Some hosts, and everything that has to be cleaned up."""

    def __init__(self) -> None:
        self.cleanup = ExitStack()

    def __enter__(self) -> Lab:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.cleanup.close()

    def host(self) -> Host:
        return Host(self)

    def join(self, left: Host, right: Host, net: int = 2) -> tuple[str, str]:
        """A veth pair with 192.0.NET.N/24 and 2001:db8:NET::N/64 on each end; returns the two device names."""
        number = next(_numbers)
        names = (f"va{number}", f"vb{number}")
        run("ip", "link", "add", names[0], "netns", left.namespace, "type", "veth",
            "peer", "name", names[1], "netns", right.namespace)  # fmt: skip
        for host, name in zip((left, right), names, strict=True):
            host.ip("address", "add", f"192.0.{net}.{host.number}/24", "dev", name)
            host.ip("address", "add", f"2001:db8:{net}::{host.number}/64", "dev", name, "nodad")
            host.ip("link", "set", name, "up")
        return names

    def joined_hosts(self) -> tuple[Host, Host]:
        """Two hosts on one veth pair, numbered 1 and 2."""
        left, right = Host(self, 1), Host(self, 2)
        self.join(left, right)
        return left, right


class Host:
    """One network namespace, with its loopback up."""

    def __init__(self, lab: Lab, number: int | None = None) -> None:
        self.lab = lab
        self.number = number or next(_numbers) % 250 + 3
        self.namespace = f"wgtest-{os.getpid()}-{next(_numbers)}"
        run("ip", "netns", "add", self.namespace)
        lab.cleanup.callback(run, "ip", "netns", "del", self.namespace, check=False)
        self.ip("link", "set", "lo", "up")

    @property
    def outer(self) -> str:
        return f"192.0.2.{self.number}"

    @property
    def outer6(self) -> str:
        return f"2001:db8:2::{self.number}"

    @property
    def device(self) -> str:
        """The host's first veth device."""
        names = [line.split(": ")[1].partition("@")[0] for line in self.ip("-o", "link").splitlines()]
        return next(name for name in names if name[:2] in ("va", "vb"))

    def device_index(self) -> int:
        """Its number in this namespace: a zone that means the same everywhere."""
        return int(self.ip("-o", "link", "show", self.device).partition(":")[0])

    def words(self, *words: str) -> list[str]:
        return ["ip", "netns", "exec", self.namespace, *words]

    def run(self, *words: str, check: bool = True, text: str | None = None, timeout: float = 60) -> str:
        return run(*self.words(*words), check=check, text=text, timeout=timeout)

    def ip(self, *words: str) -> str:
        return run("ip", "-n", self.namespace, *words)

    def popen(self, *words: str, env: dict[str, str] | None = None, **options: object) -> subprocess.Popen[str]:
        """A program that is ended with the lab."""
        process: subprocess.Popen[str] = subprocess.Popen(  # type: ignore[call-overload]
            self.words(*words), text=True, env=os.environ | (env or {}), **options
        )
        self.lab.cleanup.callback(end, process)
        return process

    def tcpdump(self, device: str, *words: str) -> subprocess.Popen[str]:
        """Start tcpdump and wait until it listens; its text comes on stdout."""
        process = self.popen(
            "tcpdump", "-n", "--immediate-mode", "-i", device, *words, stdout=subprocess.PIPE, stderr=subprocess.PIPE
        )
        assert process.stderr is not None
        said = ""
        while "listening on" not in said:
            line = process.stderr.readline()
            assert line, f"tcpdump ended: {said}"
            said += line
        return process

    def start(self, daemon: Sequence[str], interface: str | None = None, env: dict[str, str] | None = None) -> Tunnel:
        """Run a daemon in the foreground until its configuration socket is there."""
        return Tunnel(self, daemon, interface or f"wt{os.getpid() % 10000}x{next(_numbers)}", env or {})


class Tunnel:
    """A WireGuard interface of a host, with a key pair and the tunnel addresses 10.0.0.N and fd00::N."""

    def __init__(self, host: Host, daemon: Sequence[str], interface: str, env: dict[str, str]) -> None:
        self._describe(host, interface)
        foreground = ["-f"] if tuple(daemon) == OURS else []
        self.process = host.popen(*daemon, *foreground, interface, env={"WG_PROCESS_FOREGROUND": "1"} | env)
        wait_for(lambda: self.socket.exists() or self.process.poll() is not None, what=f"{daemon} is ready")
        assert self.process.poll() is None, f"{daemon} ended with {self.process.returncode}"

    def _describe(self, host: Host, interface: str) -> None:
        self.host = host
        self.interface = interface
        self.private_key = run("wg", "genkey").strip()
        self.public_key = run("wg", "pubkey", text=self.private_key).strip()
        self.address, self.address6 = f"10.0.0.{host.number}", f"fd00::{host.number}"
        self.port = 51820

    @property
    def socket(self) -> Path:
        return SOCKETS / f"{self.interface}.sock"

    @property
    def pid(self) -> int:
        """The daemon's process (`ip netns exec` replaces itself)."""
        return self.process.pid

    def up(self, mtu: int | None = None) -> None:
        """Give it a key, a port and its addresses, and set the link up."""
        self.wg(
            "set", self.interface, "private-key", "/dev/stdin", "listen-port", str(self.port), text=self.private_key
        )
        self.host.ip("address", "add", f"{self.address}/24", "dev", self.interface)
        self.host.ip("address", "add", f"{self.address6}/64", "dev", self.interface, "nodad")
        if mtu is not None:
            self.host.ip("link", "set", self.interface, "mtu", str(mtu))
        self.host.ip("link", "set", self.interface, "up")

    def add_peer(self, other: Tunnel, endpoint: str | None = None, preshared_key: str = "", keepalive: int = 0) -> None:
        words = ["peer", other.public_key, "allowed-ips", f"{other.address}/32,{other.address6}/128"]
        if endpoint:
            words += ["endpoint", endpoint]
        if preshared_key:
            words += ["preshared-key", "/dev/stdin"]
        if keepalive:
            words += ["persistent-keepalive", str(keepalive)]
        self.wg("set", self.interface, *words, text=preshared_key or None)

    def wg(self, *words: str, text: str | None = None, check: bool = True) -> str:
        return run("wg", *words, text=text, check=check)

    def show(self, field: str) -> str:
        """One field of `wg show`, without its newline."""
        return self.wg("show", self.interface, field).strip()

    def ping(self, other: Tunnel, *, ipv6: bool = False, size: int = 56, count: int = 1, wait: int = 8) -> str:
        address = other.address6 if ipv6 else other.address
        return self.host.run(
            "ping", "-n", "-M", "do", "-s", str(size), "-c", str(count), "-i", "0.2", "-W", str(wait), address
        )


def end(process: subprocess.Popen[str]) -> None:
    """End a process that we started."""
    if process.poll() is None:
        process.terminate()
        try:
            process.wait(10)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


def connect(left: Tunnel, right: Tunnel, *, ipv6: bool = False, preshared_key: str = "") -> None:
    """Make two tunnels each other's peer, with endpoints, over IPv4 or IPv6."""
    for one, other in ((left, right), (right, left)):
        host = other.host
        endpoint = f"[{host.outer6}]:{other.port}" if ipv6 else f"{host.outer}:{other.port}"
        one.add_peer(other, endpoint, preshared_key)


def pair(
    lab: Lab,
    first: Sequence[str] = OURS,
    second: Sequence[str] = OURS,
    *,
    ipv6: bool = False,
    preshared_key: str = "",
    env: dict[str, str] | None = None,
) -> tuple[Tunnel, Tunnel]:
    """Two joined hosts with connected tunnels; `env` is for the first daemon."""
    left, right = lab.joined_hosts()
    one, two = left.start(first, env=env), right.start(second)
    one.up()
    two.up()
    connect(one, two, ipv6=ipv6, preshared_key=preshared_key)
    return one, two
