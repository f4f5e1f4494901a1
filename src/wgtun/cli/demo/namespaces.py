"""The demo as root: two network namespaces, a daemon in each, ping and a timed TCP transfer."""

from __future__ import annotations

import sys

assert sys.platform == "linux"

import os
import signal
import subprocess
import time
from contextlib import ExitStack, suppress
from typing import NoReturn

from wgtun.allowed_ip import AllowedIP
from wgtun.cli.demo.report import step, summary
from wgtun.endpoint import Endpoint
from wgtun.errors import WireGuardError
from wgtun.keys import PrivateKey
from wgtun.uapi.client import UapiClient, interfaces
from wgtun.uapi.model import DeviceState, PeerChange, SetRequest

_PORT = 51820


def why_not() -> str:
    """Why the system does not let us have namespaces with a cable, as in a container; empty when it does."""
    namespace = f"wgtun-demo-{os.getpid()}"
    with ExitStack() as cleanup:
        try:
            _ip("netns", "add", namespace)
            cleanup.callback(_ip, "netns", "del", namespace)
            _ip("-n", namespace, "link", "add", "veth-a", "type", "veth", "peer", "name", "veth-b")
        except WireGuardError as error:
            return str(error)
    return ""


def _ip(*arguments: str) -> str:
    """What ip(8) prints. Raises WireGuardError."""
    done = subprocess.run(["ip", *arguments], capture_output=True, text=True, check=False)
    if done.returncode:
        raise WireGuardError(f"`ip {' '.join(arguments)}`: {done.stderr.strip()}")
    return done.stdout


class _Host:
    """A namespace with one end of the veth pair, and its daemon."""

    def __init__(self, cleanup: ExitStack, letter: str, number: int) -> None:
        self.namespace = f"wgtun-demo-{letter}-{os.getpid()}"
        self.interface = f"wgdemo{letter}{os.getpid() % 100000}"
        self.outer = f"192.0.2.{number}"
        self.inner = f"10.0.0.{number}"
        self.private_key = PrivateKey.generate()
        _ip("netns", "add", self.namespace)
        cleanup.callback(_ip, "netns", "del", self.namespace)
        cleanup.callback(self._end_strays)
        self._cleanup = cleanup

    def ip(self, *arguments: str) -> None:
        _ip("-n", self.namespace, *arguments)

    def command(self, *words: str) -> list[str]:
        return ["ip", "netns", "exec", self.namespace, *words]

    def start_daemon(self) -> None:
        words = self.command(sys.executable, "-m", "wgtun.cli.daemon", "--foreground", self.interface)
        daemon = subprocess.Popen(words)
        self._cleanup.callback(daemon.wait)
        self._cleanup.callback(daemon.terminate)
        give_up = time.monotonic() + 10
        while self.interface not in interfaces():
            if daemon.poll() is not None or time.monotonic() > give_up:
                raise WireGuardError("the daemon did not start")
            time.sleep(0.02)

    def _end_strays(self) -> None:
        """Programs that a signal interrupted us in starting."""
        for process in _ip("netns", "pids", self.namespace).split():
            with suppress(ProcessLookupError):
                os.kill(int(process), signal.SIGTERM)

    def state(self) -> DeviceState:
        with UapiClient(self.interface) as client:
            return client.get()

    def configure(self, other: _Host) -> None:
        peer = PeerChange(
            other.private_key.public_key(),
            endpoint=Endpoint(other.outer, _PORT),
            allowed_ips=[(True, AllowedIP.parse(f"{other.inner}/32"))],
        )
        with UapiClient(self.interface) as client:
            client.set(SetRequest(private_key=self.private_key, listen_port=_PORT, peers=[peer]))
        self.ip("address", "add", f"{self.inner}/24", "dev", self.interface)
        self.ip("link", "set", self.interface, "up")


def run_in_namespaces(seconds: float) -> int:
    for number in (signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, _leave)
    print("wgtun demo: two network namespaces, wireguard-py in each")
    with ExitStack() as cleanup:
        first, second = hosts = [_Host(cleanup, letter, number) for number, letter in enumerate("ab", 1)]
        _ip("link", "add", "veth-a", "netns", first.namespace, "type", "veth",
            "peer", "name", "veth-b", "netns", second.namespace)  # fmt: skip
        for host, device in zip(hosts, ("veth-a", "veth-b"), strict=True):
            host.ip("address", "add", f"{host.outer}/24", "dev", device)
            host.ip("link", "set", device, "up")
        step(f"namespaces {first.namespace} and {second.namespace}, joined by a veth pair")
        begin = time.monotonic()
        for host in hosts:
            host.start_daemon()
        step(f"wireguard-py {first.interface} and {second.interface}, both ready in {time.monotonic() - begin:.2f} s")
        first.configure(second)
        second.configure(first)
        step(f"configured over the UAPI socket: {first.inner} <-> {second.inner}")
        step(f"ping {second.inner} through the tunnel:")
        _run(first.command("ping", "-n", "-c", "3", "-i", "0.2", "-W", "5", second.inner))
        step(f"TCP through the tunnel for {seconds:g} s")
        transfer = _transfer(first, second, seconds)
        return summary(first.state(), second.state(), transfer)


def _leave(number: int, _frame: object) -> NoReturn:
    """End, but clean up."""
    raise SystemExit(128 + number)


def _run(words: list[str]) -> None:
    """Run a program that prints what it does. Raises WireGuardError."""
    if status := subprocess.run(words, check=False).returncode:
        raise WireGuardError(f"`{' '.join(words)}` ended with {status}")


def _transfer(sender: _Host, receiver: _Host, seconds: float) -> str:
    module = [sys.executable, "-m", "wgtun.cli.demo.transfer"]
    sink = subprocess.Popen(receiver.command(*module, "receive", receiver.inner), stdout=subprocess.PIPE, text=True)
    assert sink.stdout is not None
    try:
        port = sink.stdout.readline().strip()
        _run(sender.command(*module, "send", receiver.inner, port, str(seconds)))
        return sink.stdout.readline().strip()
    finally:
        sink.kill()
        sink.wait()
