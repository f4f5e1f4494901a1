"""The file system that a Linux kernel with WireGuard starts from in a virtual machine, for `make check-peers`.

    python -m tools.peers.initramfs KERNEL DIRECTORY

KERNEL is an unpacked Debian package of a kernel. DIRECTORY gets `vmlinuz` and `initramfs`: the modules that
WireGuard and a virtio network card need, and programs of this machine. Its init takes scripts from the second serial
line, one to a line in base64, and answers each with the exit status and, in base64, the output.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

MODULES = ("virtio_pci", "virtio_net", "wireguard")
# dash, because busybox's own shell would prefer busybox's ip and ping.
PROGRAMS = ("dash", "wg", "ip", "ping", "tcpdump")
DIRECTORIES = ("bin", "dev", "etc", "modules", "proc", "sys", "tmp", "usr/bin", "var/run")

_INIT = """\
#!/bin/busybox sh
/bin/busybox --install -s /bin
export PATH=/usr/bin:/bin
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs dev /dev
mount -t tmpfs tmp /tmp
ln -s /proc/self/fd /dev/fd
ln -s fd/0 /dev/stdin
while read -r module; do insmod "/modules/$module"; done </modules/order
/usr/bin/ip link set lo up
stty -F /dev/ttyS1 raw -echo
exec </dev/ttyS1 >/dev/ttyS1
echo ready
while read -r line; do
    echo "$line" | base64 -d >/tmp/script
    /usr/bin/dash /tmp/script >/tmp/output 2>&1 </dev/null
    echo "$? $(base64 -w 0 /tmp/output)"
done
"""


def main() -> None:
    kernel, directory = map(Path, sys.argv[1:])
    with tempfile.TemporaryDirectory(dir=directory) as made:
        root = Path(made)
        for name in DIRECTORIES:
            (root / name).mkdir(parents=True)
        (root / "etc/passwd").write_text("root:x:0:0::/:/bin/sh\n")
        add_program(root, found("busybox"), "bin/busybox")
        for name in PROGRAMS:
            add_program(root, found(name), f"usr/bin/{name}")
        (root / "modules/order").write_text("".join(f"{name}\n" for name in add_modules(root, kernel)))
        (root / "init").write_text(_INIT)
        (root / "init").chmod(0o755)
        archive = "find . | cpio --quiet --create --format newc | gzip -1"
        packed = subprocess.run(["sh", "-c", archive], cwd=root, check=True, stdout=subprocess.PIPE).stdout
    (directory / "initramfs").write_bytes(packed)
    shutil.copy(next((kernel / "boot").glob("vmlinuz-*")), directory / "vmlinuz")


def found(name: str) -> str:
    path = shutil.which(name, path="/usr/sbin:/usr/bin:/sbin:/bin")
    if path is None:
        raise SystemExit(f"tools.peers.initramfs: no {name} on this machine; tools/peers/setup installs it")
    return path


def add_file(root: Path, path: str, target: str) -> None:
    (root / target).parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(path, root / target)


def add_program(root: Path, path: str, target: str) -> None:
    """With the libraries that it is linked to, if any."""
    add_file(root, path, target)
    libraries = subprocess.run(["ldd", path], check=False, capture_output=True, text=True).stdout
    for library in re.findall(r"(/\S+) \(", libraries):
        add_file(root, library, library.lstrip("/"))


def add_modules(root: Path, kernel: Path) -> list[str]:
    """Put the modules and those that they need under `modules`; returns their files in the order of loading."""
    files = {path.stem.replace("-", "_"): path for path in (kernel / "lib/modules").rglob("*.ko")}
    order: list[str] = []

    def add(name: str) -> None:
        path = files[name.replace("-", "_")]
        if path.name in order:
            return
        depends = re.search(rb"\0depends=([^\0]*)\0", path.read_bytes())
        for needed in depends[1].decode().split(",") if depends and depends[1] else ():
            add(needed)
        shutil.copy(path, root / "modules")
        order.append(path.name)

    for name in MODULES:
        add(name)
    return order


if __name__ == "__main__":
    main()
