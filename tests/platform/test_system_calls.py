"""The calls of the BSDs, as far as Linux has them too: made for real."""

from __future__ import annotations

import errno
import os
import socket
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.platform.other_systems import imported
from wgtun.platform.bsd.calls import Calls

if sys.platform == "win32":
    pytest.skip("Unix only", allow_module_level=True)

SIOCGIFMTU, SIOCETHTOOL, ETHTOOL_GLINK = 0x8921, 0x8946, 0x0A  # of Linux
IFREQ = b"lo".ljust(40, b"\0")


@pytest.fixture
def calls() -> Iterator[Calls]:
    with imported("freebsd", "wgtun.platform.bsd.system_calls") as module:
        made: Calls = module.SystemCalls()
        yield made


def test_descriptors(calls: Calls, tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"some bytes")
    opened = calls.open(str(path), os.O_RDWR)
    assert not os.get_inheritable(opened)
    assert calls.read(opened, 4) == b"some"
    assert calls.write(opened, b"!") == 1
    assert path.read_bytes() == b"some!bytes"
    calls.close(opened)
    with pytest.raises(OSError, match="Bad file"):
        os.fstat(opened)
    with pytest.raises(FileNotFoundError):
        calls.open(str(tmp_path / "none"), os.O_RDONLY)
    null = calls.open(os.devnull, os.O_RDONLY)
    assert calls.device_number(null) == os.makedev(1, 3)
    calls.close(null)
    assert calls.process() == os.getpid()


def test_sockets(calls: Calls, tmp_path: Path) -> None:
    path = str(tmp_path / "socket")
    opened = calls.socket(socket.AF_UNIX, socket.SOCK_DGRAM, 0)
    assert not os.get_inheritable(opened)
    address = socket.AF_UNIX.to_bytes(2, sys.byteorder) + path.encode() + b"\0"
    with pytest.raises(FileNotFoundError):
        calls.connect(opened, address)
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as other:
        other.bind(path)
        calls.connect(opened, address)
        calls.set_nonblocking(opened)
        with pytest.raises(BlockingIOError):
            calls.read(opened, 1)
        assert not calls.wait_readable(opened, 0.01)
        calls.write(opened, b"hello")
        assert other.recv(9) == b"hello"
    calls.setsockopt(opened, socket.SOL_SOCKET, socket.SO_PASSCRED, (1).to_bytes(4, sys.byteorder))
    assert calls.getsockopt(opened, socket.SOL_SOCKET, socket.SO_PASSCRED, 4) == (1).to_bytes(4, sys.byteorder)
    os.fstat(opened)  # still open: it was not theirs to close
    calls.close(opened)
    one, two = socket.socketpair()
    with one, two:
        one.send(b"x")
        assert calls.wait_readable(two.fileno(), 10)


def test_interfaces(calls: Calls) -> None:
    index = calls.interface_index("lo")
    assert calls.interface_name(index) == "lo"
    for ask in (lambda: calls.interface_index("no-such"), lambda: calls.interface_name(1 << 20)):
        with pytest.raises(OSError, match=r"\w") as caught:
            ask()
        assert caught.value.errno == errno.ENXIO
        assert caught.value.strerror
    control = calls.socket(socket.AF_INET, socket.SOCK_DGRAM, 0)
    answer = calls.ioctl(control, SIOCGIFMTU, IFREQ)
    assert len(answer) == len(IFREQ)
    assert int.from_bytes(answer[16:20], sys.byteorder) >= 1280
    question = ETHTOOL_GLINK.to_bytes(4, sys.byteorder) + bytes(4)
    calls.ioctl_address(control, SIOCETHTOOL, IFREQ, 16, question)
    with pytest.raises(OSError, match="Bad address"):
        calls.ioctl_address(control, SIOCETHTOOL, IFREQ, 24, question)
    calls.close(control)
