"""A Linux kernel with WireGuard in a virtual machine, to be used as any other host and tunnel.

with Lab() as lab:
    beside = lab.host()
    machine = VirtualMachine(beside)     # 192.0.2.N and 2001:db8:2::N on each end of a TAP device
    tunnel = KernelTunnel(machine)

The processor is emulated: everything works without hardware for it, and takes its time.
"""

from __future__ import annotations

import base64
import shlex
import socket
import subprocess
import tempfile
from pathlib import Path

from tests.support.namespaces import Host, Tunnel

FILES = Path(__file__).parents[2] / ".peers"  # of tools/peers/setup

_NUMBER = 254  # the last that `Lab.host` would give
_SECONDS_TO_BOOT = 100


class VirtualMachine(Host):
    """A host whose commands run in the virtual machine; its one link leads to `beside`."""

    def __init__(self, beside: Host) -> None:
        self.lab = beside.lab
        self.beside = beside
        self.number = _NUMBER
        beside.ip("tuntap", "add", "va0", "mode", "tap", "vnet_hdr")
        _set_up(beside, "va0")
        self._console, console = socket.socketpair()
        log = Path(self.lab.cleanup.enter_context(tempfile.TemporaryDirectory())) / "messages"
        self._process = subprocess.Popen(
            beside.words(
                "qemu-system-x86_64", "-accel", "tcg", "-cpu", "max", "-smp", "2", "-m", "512",
                "-nodefaults", "-no-user-config", "-no-reboot", "-display", "none",
                "-kernel", str(FILES / "vmlinuz"), "-initrd", str(FILES / "initramfs"),
                "-append", "console=ttyS0 panic=-1 quiet", "-serial", f"file:{log}",
                "-chardev", f"socket,id=console,fd={console.fileno()}", "-serial", "chardev:console",
                "-netdev", "tap,id=outer,ifname=va0,script=no,downscript=no", "-device", "virtio-net-pci,netdev=outer",
            ),
            pass_fds=[console.fileno()],
            stdin=subprocess.DEVNULL,
        )  # fmt: skip
        console.close()
        self.lab.cleanup.callback(self._end)
        self._answers = self._console.makefile("rb")
        self._console.settimeout(_SECONDS_TO_BOOT)
        assert self._answers.readline() == b"ready\n", f"it did not start: {log.read_text(errors='replace')}"
        _set_up(self, self.device)

    def _end(self) -> None:
        self._process.kill()
        self._process.wait()
        self._answers.close()
        self._console.close()

    @property
    def device(self) -> str:
        return "eth0"

    def shell(self, script: str, *, check: bool = True, timeout: float = 60) -> str:
        """Run a script there, one at a time; returns what it printed, errors included."""
        self._console.settimeout(timeout)
        self._console.sendall(base64.b64encode(script.encode()) + b"\n")
        status, _, output = self._answers.readline().partition(b" ")
        said = base64.b64decode(output).decode()
        if check and int(status):
            raise AssertionError(f"in the virtual machine: {script}: exit {int(status)}\n{said}")
        return said

    def run(self, *words: str, check: bool = True, text: str | None = None, timeout: float = 60) -> str:
        given = f"printf %s {shlex.quote(text)} | " if text is not None else ""
        return self.shell(given + shlex.join(words), check=check, timeout=timeout)

    def ip(self, *words: str) -> str:
        return self.run("ip", *words)


class KernelTunnel(Tunnel):
    """An interface of the WireGuard in the virtual machine's kernel."""

    def __init__(self, machine: VirtualMachine, interface: str = "wg0") -> None:
        machine.ip("link", "add", interface, "type", "wireguard")
        self.machine = machine
        self._describe(machine, interface)

    def remove(self) -> None:
        self.machine.ip("link", "del", self.interface)

    def wg(self, *words: str, text: str | None = None, check: bool = True) -> str:
        return self.machine.run("wg", *words, text=text, check=check)


def _set_up(host: Host, device: str) -> None:
    host.ip("address", "add", f"{host.outer}/24", "dev", device)
    host.ip("address", "add", f"{host.outer6}/64", "dev", device, "nodad")
    host.ip("link", "set", device, "up")
