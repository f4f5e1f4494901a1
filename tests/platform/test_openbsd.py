"""OpenBSD: a tun device file, its link, routes and sockets, and its sandbox, as calls with exact bytes."""

from __future__ import annotations

import errno
import socket
from pathlib import Path as FilePath
from typing import Any

import pytest

from tests.platform.interface_requests import ask
from tests.support.call_script import Script, ScriptedSocket, Step, call, script
from wgtun.errors import PlatformError
from wgtun.path import Path, Source, SourceState
from wgtun.platform.bsd.link_monitor import Announcement, LinkMonitor
from wgtun.platform.bsd.route_monitor import RouteMonitor
from wgtun.platform.module_directories import module_directories
from wgtun.platform.openbsd import abi, sandbox, tun
from wgtun.platform.openbsd.udp import UdpSockets

SIOCGIFMTU, SIOCSIFMTU, SIOCGIFFLAGS = 0xC020697E, 0x8020697F, 0xC0206911
FLAGS = 2 | 4  # O_RDWR, O_NONBLOCK


def opening(unit: int, mtu: int = 1500) -> list[Step]:
    name = f"tun{unit}"
    steps = [
        call("open", f"/dev/{name}", FLAGS, answer=4),
        call("device_number", 4, answer=40 << 8 | unit),
        call("set_nonblocking", 4),
        *ask(SIOCGIFMTU, name, mtu),
    ]
    return steps if mtu == 1420 else [*steps, *ask(SIOCSIFMTU, name, send=1420)]


def test_a_numbered_interface(monkeypatch: pytest.MonkeyPatch, tmp_path: FilePath) -> None:
    monkeypatch.setenv("WG_TUN_NAME_FILE", str(tmp_path / "name"))
    with script(*opening(255), call("close", 4)) as (calls, _):
        opened = tun.create(calls, "tun255")
        assert (opened.name, opened.fileno(), opened.virtio) == ("tun255", 4, None)
        assert opened.family == (b"\0\0\0\x02", b"\0\0\0\x18")
        opened.close()
    assert not (tmp_path / "name").exists()


def test_the_first_free_one(monkeypatch: pytest.MonkeyPatch, tmp_path: FilePath) -> None:
    monkeypatch.setenv("WG_TUN_NAME_FILE", str(tmp_path / "name"))
    busy = [call("open", f"/dev/tun{unit}", FLAGS, error=errno.EBUSY) for unit in range(3)]
    with script(*busy, *opening(3, mtu=1420)) as (calls, _):
        assert tun.create(calls, "tun").name == "tun3"
    assert (tmp_path / "name").read_text() == "tun3\n"


def test_refusals() -> None:
    busy = [call("open", f"/dev/tun{unit}", FLAGS, error=errno.EBUSY) for unit in range(256)]
    with script(*busy) as (calls, _), pytest.raises(PlatformError, match="all of tun0 to tun255 are in use"):
        tun.create(calls, "tun")
    for error, text in (
        (errno.EBUSY, "another program uses"),
        (errno.ENOENT, "MAKEDEV"),
        (errno.EPERM, "run as root"),
        (errno.ENXIO, "no such interface"),
    ):
        with script(call("open", "/dev/tun1", FLAGS, error=error)) as (calls, _):
            with pytest.raises(PlatformError, match=text):
                tun.create(calls, "tun1")
    with script(call("open", "/dev/tun0", FLAGS, error=errno.EPERM)) as (calls, _):
        with pytest.raises(PlatformError, match="run as root"):  # and not one try after the other
            tun.create(calls, "tun")
    with script(*busy[:4], call("open", "/dev/tun4", FLAGS, error=errno.ENOENT)) as (calls, _):
        with pytest.raises(PlatformError, match="MAKEDEV"):
            tun.create(calls, "tun")


@pytest.mark.parametrize("name", ["wg0", "tun256", "tun-1", "tun01", "", "tunx"])
def test_names_that_no_tun_can_have(name: str) -> None:
    with script() as (calls, _), pytest.raises(PlatformError, match="tun0 to tun255"):
        tun.create(calls, name)


def test_adopting() -> None:
    steps = [
        call("device_number", 4, answer=40 << 8 | 7),
        call("set_nonblocking", 4),
        call("interface_index", "tun7", answer=2),
    ]
    with script(*steps) as (calls, _):
        assert tun.adopt(calls, 4).name == "tun7"
    with script(*steps[:2], steps[2]._replace(error=errno.ENXIO)) as (calls, _):
        with pytest.raises(PlatformError, match="descriptor 4 is not a TUN interface"):
            tun.adopt(calls, 4)


def information(index: int, flags: int, mtu: int) -> bytes:
    """RTM_IFINFO: a struct if_msghdr, with its if_data."""
    header = b"\xa8\0\x05\x0e\xa8\0" + index.to_bytes(2, "little") + bytes(8) + flags.to_bytes(4, "little")
    return header + bytes(8) + mtu.to_bytes(4, "little") + bytes(168 - 32)


def announcement(index: int, what: int) -> bytes:
    return b"\x1a\0\x05\x0f\x1a\0" + index.to_bytes(2, "little") + what.to_bytes(2, "little") + b"tun7".ljust(16, b"\0")


def test_link_events_and_removal() -> None:
    steps = [
        call("interface_index", "tun7", answer=12),
        call("socket", 17, 3, 0, answer=5),
        call("set_nonblocking", 5),
        *ask(SIOCGIFMTU, "tun7", 1420),
        *ask(SIOCGIFFLAGS, "tun7", 0x51),  # up before we came
    ]
    nothing = call("read", 5, 4096, error=errno.EAGAIN)
    with script(*steps) as (calls, recorded):
        known = Announcement(abi.RTM_IFANNOUNCE, abi.IF_ANNOUNCEMSGHDR)
        monitor = LinkMonitor(calls, abi, "tun7", announcement=known, desync=abi.RTM_DESYNC)
        recorded.then(nothing)
        assert monitor.read() == (1420, True, False)
        recorded.then(call("read", 5, 4096, answer=information(12, 0x50, 1380) + information(2, 1, 9)), nothing)
        assert monitor.read() == (1380, False, False)
        desync = b"\x60\0\x05\x10\x60\0" + bytes(90)
        again = [*ask(SIOCGIFFLAGS, "tun7", 0x51), *ask(SIOCGIFMTU, "tun7", 1300)]
        recorded.then(call("read", 5, 4096, answer=desync), *again, nothing)
        assert monitor.read() == (1300, True, False)
        refused = [*ask(SIOCGIFFLAGS, "tun7", 0x50), *ask(SIOCGIFMTU, "tun7", error=errno.ENOSYS)]  # by pledge(2)
        recorded.then(call("read", 5, 4096, answer=desync), *refused, nothing)
        assert monitor.read() == (1300, False, False)
        absent = call("interface_name", 12, error=errno.ENXIO)
        recorded.then(call("read", 5, 4096, answer=announcement(12, 1)), absent, nothing)
        assert monitor.read() == (1300, False, True)


def test_a_route_is_looked_up_in_the_table_of_the_mark() -> None:
    path = Path(("192.0.2.9", 51820), Source(socket.inet_aton("10.0.0.1"), 4))
    one = b"\x01\0\0\0"
    address = b"\x10\x02\0\0" + socket.inet_aton("192.0.2.9") + bytes(8)
    request = b"\x70\0\x05\x04\x60\0\0\0\x03\0\0\0" + one + bytes(12) + one + bytes(96 - 32) + address
    answer = b"\x60\0\x05\x04\x60\0\x04\0" + bytes(16) + b"\x4d\0\0\0" + one + bytes(96 - 32)
    steps = [
        *[call("socket", 17, 3, 0, answer=5), call("set_nonblocking", 5)],
        *[call("socket", 17, 3, 0, answer=6), call("set_nonblocking", 6)],
    ]
    with script(*steps) as (calls, recorded):
        monitor = RouteMonitor(calls, abi)
        recorded.then(
            call("read", 6, 4096, error=errno.EAGAIN),
            call("write", 6, request, answer=112),
            call("wait_readable", 6, 0.1, answer=True),
            call("read", 6, 4096, answer=answer),
            call("process", answer=77),
        )
        assert monitor.source_state(path, 3) is SourceState.CURRENT


class Sockets(UdpSockets):
    new_socket = ScriptedSocket


def test_options_of_the_sockets() -> None:
    sockets = Sockets.open(0, 3)
    v4, v6 = sockets._by_fileno.values()
    assert isinstance(v4, ScriptedSocket)
    assert isinstance(v6, ScriptedSocket)
    rest = [
        (socket.SOL_SOCKET, socket.SO_RCVBUF, 7 << 20),
        (socket.SOL_SOCKET, socket.SO_SNDBUF, 7 << 20),
        (socket.SOL_SOCKET, 0x1021, b"\x03\0\0\0"),
    ]
    assert v4.options == [(0, 7, 1), (0, 30, 1), *rest]
    assert v6.options == [(41, socket.IPV6_V6ONLY, 1), (41, 36, 1), (41, 57, 1), *rest]
    sockets.close()


def test_sockets_that_are_opened_under_a_pledge() -> None:
    """Nobody may ask then where a datagram came by, nor on older systems for IPv6's class. Source: kern_pledge.c."""

    class Pledged(ScriptedSocket):
        refused: tuple[tuple[int, int], ...] = ((0, 30), (41, 57))

        def setsockopt(self, level: int, option: int, value: Any, *rest: Any) -> None:
            if (level, option) in self.refused:
                raise OSError(errno.ENOSYS, "Function not implemented")
            super().setsockopt(level, option, value, *rest)

    class PledgedSockets(UdpSockets):
        new_socket = Pledged

    sockets = PledgedSockets.open(0, 3)
    assert len(sockets.filenos()) == 2
    sockets.close()
    for needed in ((0, 7), (41, 36)):
        Pledged.refused = (needed,)
        with pytest.raises(OSError, match="not implemented"):
            PledgedSockets.open(0, 0)


def test_source_addresses_in_control_messages() -> None:
    v4 = Source(bytes([10, 0, 0, 1]), 0x103)
    assert Sockets.source(v4.local, b"\x20\x12\x03\x01" + bytes(28)) == v4
    assert Sockets.pin(v4) == (0, 7, v4.local)


def unveils(directory: str | None) -> list[Step]:
    steps = [call("unveil", path, "r") for path in sorted(module_directories())]
    steps += [call("unveil", path, "r", error=errno.ENOENT) for path in ("/etc/localtime", "/usr/share/zoneinfo")]
    if directory is not None:
        steps.append(call("unveil", directory, "rc"))
    return [*steps, call("unveil", None, None)]


PLEDGE = call("pledge", "stdio rpath cpath inet unix dns route wroute error")


def test_the_sandbox(monkeypatch: pytest.MonkeyPatch) -> None:
    recorded: Any = Script(*unveils("/var/run/wireguard"), PLEDGE)
    assert sandbox.restrict(recorded, "/var/run/wireguard") == "unveil, pledge"
    recorded.then(*unveils(None)[:-1], call("unveil", None, None, error=errno.EPERM), PLEDGE)
    assert sandbox.restrict(recorded, None) == "pledge; off: unveil (Operation not permitted)"
    monkeypatch.setenv("WGTUN_SANDBOX", "no-unveil")
    recorded.then(PLEDGE)
    assert sandbox.restrict(recorded, None) == "pledge; off: unveil (WGTUN_SANDBOX)"
    monkeypatch.setenv("WGTUN_SANDBOX", "off")
    recorded.then()
    assert sandbox.restrict(recorded, None) == "off (WGTUN_SANDBOX)"
    recorded.finished()
