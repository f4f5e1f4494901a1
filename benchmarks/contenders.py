"""Who takes part, and how each makes a link between two hosts."""

from __future__ import annotations

import importlib.util
import os
import shutil
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

from tests.support.namespaces import OURS, WIREGUARD_GO, Host, Lab, Tunnel, connect, wait_for

REFERENCE = "wireguard-go"
FORWARDER = Path(__file__).parents[1] / "native" / "target" / "release" / "examples" / "forwarder"
_PORT = 51820
_MTU = 1420


@dataclass(frozen=True)
class Link:
    """A way from one host to another, and the processes that make it."""

    sender: Host
    receiver: Host
    address: str  # the receiver's, through the tunnel if there is one
    daemons: tuple[subprocess.Popen[str], ...] = ()


class Contender(Protocol):
    """Something that traffic can be sent through."""

    @property
    def name(self) -> str: ...

    def connect(self, lab: Lab) -> Link:
        """Two new hosts that reach each other."""


@dataclass(frozen=True)
class Plain:
    """No tunnel: the limit of the veth pair, TCP and the measuring programs."""

    name: str = "plain"

    def connect(self, lab: Lab) -> Link:
        left, right = lab.joined_hosts()
        return _tried(Link(left, right, right.outer))


@dataclass(frozen=True)
class Forwarder:
    """A tunnel without WireGuard: packets as they are in UDP, the limit of TUN and sockets."""

    name: str = "no-crypto"

    def connect(self, lab: Lab) -> Link:
        hosts = lab.joined_hosts()
        daemons = tuple(self._start(host, other) for host, other in (hosts, hosts[::-1]))
        return _tried(Link(*hosts, f"10.0.0.{hosts[1].number}", daemons))

    def _start(self, host: Host, other: Host) -> subprocess.Popen[str]:
        interface = "forward0"  # each host has a namespace of its own
        process = host.popen(str(FORWARDER), interface, str(_PORT), other.outer, str(_PORT))
        wait_for(
            lambda: process.poll() is not None or f"{interface}:" in host.ip("-o", "link"),
            what="the forwarder is ready",
        )
        host.ip("address", "add", f"10.0.0.{host.number}/24", "dev", interface)
        host.ip("link", "set", interface, "mtu", str(_MTU), "up")
        return process


@dataclass(frozen=True)
class Daemon:
    """A drop-in for wireguard-go: takes the interface as its last argument and serves the configuration socket."""

    name: str
    command: Sequence[str]
    environment: Mapping[str, str] = field(default_factory=dict)

    def start(self, host: Host, under: Sequence[str] = ()) -> Tunnel:
        """Run it, not yet configured; `under` is a command to run it under, such as taskset."""
        return host.start([*under, *self.command], env=dict(self.environment))

    def connect(self, lab: Lab) -> Link:
        left, right = lab.joined_hosts()
        one, two = self.start(left), self.start(right)
        one.up()
        two.up()
        connect(one, two)
        return _tried(Link(left, right, two.address, (one.process, two.process)))


def _tried(link: Link) -> Link:
    """The link after a first packet: the handshake is no part of any measure."""
    link.sender.run("ping", "-n", "-q", "-c", "1", "-W", "5", link.address)
    return link


def built_in() -> tuple[list[Contender], list[str]]:
    """The contenders that this machine has, and for each of the others why it is left out."""
    contenders: list[Contender] = [Plain()]
    left_out = []
    if FORWARDER.exists():
        contenders.append(Forwarder())
    else:
        left_out.append(f"no-crypto: there is no {FORWARDER}")
    native = Daemon("native", OURS, {"WGTUN_ENGINE": "native"})
    if why := _why_not_native(native):
        left_out.append(f"native: {why}")
    else:
        contenders.append(native)
    contenders.append(Daemon("python", OURS, {"WGTUN_ENGINE": "python"}))
    if shutil.which(WIREGUARD_GO[0]):
        contenders.append(Daemon(REFERENCE, WIREGUARD_GO))
    else:
        left_out.append(f"{REFERENCE}: not installed, so there are no ratios")
    return contenders, left_out


def _why_not_native(native: Daemon) -> str:
    """Empty when the native engine would really run: a wrong label is worse than no figure."""
    if importlib.util.find_spec("wgtun_native") is None:
        return "wgtun_native is not installed"
    version = subprocess.run(
        [*native.command, "--version"],
        env=os.environ | native.environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    if "native engine" in version.stdout:
        return ""
    return f"{sys.executable} would not run it: {' '.join((version.stdout + version.stderr).split())}"
