"""macOS: utun, its link, routes and sockets, as calls with exact bytes."""

from __future__ import annotations

import errno
import socket
import sys
from pathlib import Path

import pytest

from tests.platform.interface_requests import ask
from tests.support.call_script import ScriptedSocket, Step, call, script
from wgtun.errors import PlatformError, TunnelGone
from wgtun.path import Path as NetworkPath
from wgtun.path import Source, SourceState
from wgtun.platform import udp
from wgtun.platform.bsd.calls import Kevent
from wgtun.platform.bsd.directory_watch import DirectoryWatch
from wgtun.platform.bsd.link_monitor import LinkMonitor
from wgtun.platform.bsd.route_monitor import RouteMonitor
from wgtun.platform.macos import abi, tun
from wgtun.platform.macos.udp import UdpSockets
from wgtun.platform.macos.underlay import Underlay

CTLIOCGINFO = 0xC0644E03
CONTROL = b"\0\0\0\0" + b"com.apple.net.utun_control".ljust(96, b"\0")
ANSWER = b"\x05\0\0\0" + CONTROL[4:]
SIOCGIFMTU, SIOCSIFMTU, SIOCGIFFLAGS = 0xC0206933, 0x80206934, 0xC0206911


def address(unit: int) -> bytes:
    """A struct sockaddr_ctl: length 32, AF_SYSTEM, AF_SYS_CONTROL, id 5, unit."""
    return b"\x20\x20\x02\0\x05\0\0\0" + unit.to_bytes(4, "little") + bytes(20)


def opening(unit: int, name: str, mtu: int = 1500) -> list[Step]:
    steps = [
        call("socket", 32, 2, 2, answer=4),
        call("ioctl", 4, CTLIOCGINFO, CONTROL, answer=ANSWER),
        call("connect", 4, address(unit)),
        call("getsockopt", 4, 2, 2, 16, answer=name.encode() + b"\0"),
        call("set_nonblocking", 4),
        *ask(SIOCGIFMTU, name, mtu),
    ]
    return steps if mtu == 1420 else [*steps, *ask(SIOCSIFMTU, name, send=1420)]


def test_a_numbered_interface(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WG_TUN_NAME_FILE", str(tmp_path / "name"))
    with script(*opening(8, "utun7"), call("close", 4)) as (calls, _):
        opened = tun.create(calls, "utun7")
        assert (opened.name, opened.fileno(), opened.filenos(), opened.virtio) == ("utun7", 4, [4], None)
        assert opened.family == (b"\0\0\0\x02", b"\0\0\0\x1e")
        opened.close()
        opened.close()
        with pytest.raises(TunnelGone):
            _ = opened.name
    assert not (tmp_path / "name").exists()


def test_the_kernel_chooses_and_the_name_is_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WG_TUN_NAME_FILE", str(tmp_path / "name"))
    with script(*opening(0, "utun3", mtu=1420)) as (calls, _):
        assert tun.create(calls, "utun").name == "utun3"
    assert (tmp_path / "name").read_text() == "utun3\n"
    assert sys.platform == "win32" or (tmp_path / "name").stat().st_mode & 0o777 == 0o400


def test_a_name_file_that_can_not_be_written(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("WG_TUN_NAME_FILE", str(tmp_path / "nowhere" / "name"))
    steps = [*opening(0, "utun3")[:5], call("close", 4)]
    with script(*steps) as (calls, _), pytest.raises(PlatformError, match="WG_TUN_NAME_FILE: can't write"):
        tun.create(calls, "utun")


@pytest.mark.parametrize("name", ["wg0", "utunx", "utun-1", "utun01", "", "utun" + "9" * 20])
def test_names_that_no_utun_can_have(name: str) -> None:
    with script() as (calls, _), pytest.raises(PlatformError, match=r"utun or utun\[0-9\]"):
        tun.create(calls, name)


@pytest.mark.parametrize(("error", "text"), [(errno.EBUSY, "another program uses"), (errno.EPERM, "run as root")])
def test_a_refused_interface(error: int, text: str) -> None:
    steps = [*opening(8, "utun7")[:2], call("connect", 4, address(8), error=error), call("close", 4)]
    with script(*steps) as (calls, _), pytest.raises(PlatformError, match=text):
        tun.create(calls, "utun7")


def test_no_permission_for_the_mtu() -> None:
    steps = [*opening(8, "utun7", mtu=1420)[:5], *ask(SIOCGIFMTU, "utun7", error=errno.EPERM), call("close", 4)]
    with script(*steps) as (calls, _), pytest.raises(PlatformError, match="can't set the MTU of utun7"):
        tun.create(calls, "utun7")


def test_adopting_leaves_the_mtu_alone() -> None:
    steps = [call("getsockopt", 4, 2, 2, 16, answer=b"utun9\0"), call("set_nonblocking", 4)]
    with script(*steps) as (calls, _):
        assert tun.adopt(calls, 4).name == "utun9"
    failing = call("getsockopt", 4, 2, 2, 16, error=errno.ENOTSOCK)
    with script(failing) as (calls, _), pytest.raises(PlatformError, match="descriptor 4 is not a utun interface"):
        tun.adopt(calls, 4)


# --- the link ------------------------------------------------------------------------------------


def information(index: int, flags: int, mtu: int, version: int = 5) -> bytes:
    """RTM_IFINFO: a struct if_msghdr, with its if_data."""
    header = (112).to_bytes(2, "little") + bytes([version, 14]) + bytes(4) + flags.to_bytes(4, "little")
    return header + index.to_bytes(2, "little") + bytes(2 + 8) + mtu.to_bytes(4, "little") + bytes(112 - 28)


WATCH = [
    call("interface_index", "utun7", answer=12),
    call("socket", 17, 3, 0, answer=5),
    call("set_nonblocking", 5),
    *ask(SIOCGIFMTU, "utun7", 1420),
    *ask(SIOCGIFFLAGS, "utun7", 0x8050),
]
NOTHING = call("read", 5, 4096, error=errno.EAGAIN)


def test_link_events() -> None:
    with script(*WATCH) as (calls, recorded):
        monitor = LinkMonitor(calls, abi, "utun7")
        assert monitor.fileno() == 5
        recorded.then(NOTHING)
        assert monitor.read() == (1420, False, False)
        others = information(3, 1, 9000) + b"\x04\0\x05\x01"
        both = others + information(12, 0x8051, 1420) + information(12, 0x8051, 1280)
        both += information(12, 0, 9000, version=4)  # of another form
        recorded.then(call("read", 5, 4096, answer=both), NOTHING)
        assert monitor.read() == (1280, True, False)
        recorded.then(call("read", 5, 4096, answer=information(12, 0x8050, 1280)), NOTHING)
        assert monitor.read() == (1280, False, False)
        recorded.then(call("close", 5))
        monitor.close()
        monitor.close()


def test_lost_messages_are_made_up_for() -> None:
    with script(*WATCH) as (calls, recorded):
        monitor = LinkMonitor(calls, abi, "utun7")
        lost = call("read", 5, 4096, error=errno.ENOBUFS)
        recorded.then(lost, *ask(SIOCGIFFLAGS, "utun7", 1), *ask(SIOCGIFMTU, "utun7", 1400), NOTHING)
        assert monitor.read() == (1400, True, False)
        recorded.then(lost, *ask(SIOCGIFFLAGS, "utun7", error=errno.ENXIO), NOTHING)
        assert monitor.read() == (1400, True, True)


def test_an_interface_that_is_gone_already() -> None:
    with (
        script(call("interface_index", "utun7", error=errno.ENXIO)) as (calls, _),
        pytest.raises(TunnelGone),
    ):
        LinkMonitor(calls, abi, "utun7")
    steps = [*WATCH[:3], *ask(SIOCGIFMTU, "utun7", error=errno.EPERM), call("close", 5)]
    with script(*steps) as (calls, _), pytest.raises(PlatformError, match="can't follow the interface utun7"):
        LinkMonitor(calls, abi, "utun7")


@pytest.mark.parametrize("garbage", [b"", b"\x03", b"\0\0\x05\x0e", b"\xff\xff\x05\x0e", b"\x06\0\x05\x0e\0\0"])
def test_garbage_on_the_routing_socket(garbage: bytes) -> None:
    with script(*WATCH) as (calls, recorded):
        monitor = LinkMonitor(calls, abi, "utun7")
        recorded.then(call("read", 5, 4096, answer=garbage), NOTHING)
        assert monitor.read() == (1420, False, False)


# --- routes --------------------------------------------------------------------------------------

SOCKADDR4 = b"\x10\x02\0\0"  # length and family of a struct sockaddr_in; no port


def request(sequence: int, addresses: bytes, which: int = 1) -> bytes:
    """RTM_GET: a struct rt_msghdr and its addresses."""
    length = (92 + len(addresses)).to_bytes(2, "little")
    header = length + b"\x05\x04" + bytes(8) + which.to_bytes(4, "little") + bytes(4) + sequence.to_bytes(4, "little")
    return header.ljust(92, b"\0") + addresses


def answer(sequence: int, index: int, process: int = 77, kind: int = 4) -> bytes:
    header = b"\x5c\0\x05" + bytes([kind]) + index.to_bytes(2, "little") + bytes(10) + process.to_bytes(4, "little")
    return (header + sequence.to_bytes(4, "little")).ljust(92, b"\0")


def question(descriptor: int, sequence: int, addresses: bytes, index: int, which: int = 1) -> list[Step]:
    nothing = call("read", descriptor, 4096, error=errno.EAGAIN)
    return [
        nothing,
        call("write", descriptor, request(sequence, addresses, which), answer=100),
        call("wait_readable", descriptor, 0.1, answer=True),
        call("read", descriptor, 4096, answer=answer(sequence, index)),
        call("process", answer=77),
    ]


def host4(text: str) -> bytes:
    return SOCKADDR4 + socket.inet_aton(text) + bytes(8)


def host6(address6: bytes) -> bytes:
    return b"\x1c\x1e" + bytes(6) + address6 + bytes(4)


def routing_socket(number: int) -> list[Step]:
    return [call("socket", 17, 3, 0, answer=number), call("set_nonblocking", number)]


def test_whether_a_source_is_current() -> None:
    path = NetworkPath(("192.0.2.9", 51820), Source(socket.inet_aton("10.0.0.1"), 4))
    with script(*routing_socket(5), *routing_socket(6)) as (calls, recorded):
        monitor = RouteMonitor(calls, abi, alignment=4)
        assert monitor.fileno() == 5
        recorded.then(*question(6, 1, host4("192.0.2.9"), 4))
        assert monitor.source_state(path, 0) is SourceState.CURRENT
        recorded.then(*question(6, 2, host4("192.0.2.9"), 5))
        assert monitor.source_state(path, 0) is SourceState.ELSEWHERE
        refused = call("write", 6, request(3, host4("192.0.2.9")), error=errno.ESRCH)
        recorded.then(call("read", 6, 4096, error=errno.EAGAIN), refused)
        assert monitor.source_state(path, 0) is SourceState.GONE
        recorded.then()
        assert monitor.source_state(NetworkPath(("192.0.2.9", 51820)), 0) is SourceState.CURRENT
        local6 = Source(bytes.fromhex("fe80") + bytes(14), 4)
        assert monitor.source_state(NetworkPath(("fe80::2", 1, 0, 4), local6), 0) is SourceState.CURRENT
        recorded.then(call("read", 5, 4096, answer=answer(9, 9)), NOTHING)
        monitor.drain()
        recorded.then(call("close", 5), call("close", 6))
        monitor.close()


def test_answers_to_others_are_passed_over() -> None:
    path = NetworkPath(("2001:db8::1", 51820, 0, 0), Source(socket.inet_pton(socket.AF_INET6, "2001:db8::2"), 4))
    target = host6(socket.inet_pton(socket.AF_INET6, "2001:db8::1"))
    with script(*routing_socket(5), *routing_socket(6)) as (calls, recorded):
        monitor = RouteMonitor(calls, abi, alignment=4)
        nothing = call("read", 6, 4096, error=errno.EAGAIN)
        others = answer(1, 3, process=78) + answer(2, 3) + answer(1, 3, kind=1)
        recorded.then(
            nothing,
            call("write", 6, request(1, target)),
            call("wait_readable", 6, 0.1, answer=True),
            call("read", 6, 4096, answer=others),
            call("process", answer=77),
            nothing,
            call("wait_readable", 6, 0.1, answer=True),
            call("read", 6, 4096, answer=answer(1, 4)),
            call("process", answer=77),
        )
        assert monitor.source_state(path, 0) is SourceState.CURRENT
        recorded.then(nothing, call("write", 6, request(2, target)), call("wait_readable", 6, 0.1, answer=False))
        assert monitor.source_state(path, 0) is SourceState.GONE  # it was lost


# --- sockets -------------------------------------------------------------------------------------


class Sockets(UdpSockets):
    new_socket = ScriptedSocket


def opened_sockets(sockets: udp.UdpSockets) -> list[ScriptedSocket]:
    opened = list(sockets._by_fileno.values())
    assert all(isinstance(each, ScriptedSocket) for each in opened)
    return opened  # type: ignore[return-value]


def test_options_of_the_sockets() -> None:
    sockets = Sockets.open(0, 0)
    v4, v6 = opened_sockets(sockets)
    buffers = [(socket.SOL_SOCKET, socket.SO_RCVBUF, 7 << 20), (socket.SOL_SOCKET, socket.SO_SNDBUF, 7 << 20)]
    assert v4.options == [(0, 26, 1), (0, 27, 1), *buffers]
    assert v6.options == [(41, socket.IPV6_V6ONLY, 1), (41, 61, 1), (41, 35, 1), *buffers]
    assert v4.getsockname()[1] == v6.getsockname()[1] == sockets.port
    sockets.close()


def test_source_addresses_in_control_messages() -> None:
    v4, v6 = Source(bytes([10, 0, 0, 1]), 3), Source(bytes.fromhex("20010db8") + bytes(12), 3)
    assert Sockets.source(b"\x03\0\0\0" + bytes(4) + v4.local, b"") == v4  # as ip_input.c of XNU fills it in
    assert Sockets.pin(v4) == (0, 26, bytes(4) + v4.local + bytes(4))
    assert Sockets.source(v6.local + b"\x03\0\0\0", b"") == v6
    assert Sockets.pin(v6) == (41, 46, v6.local + bytes(4))
    local = Source(bytes.fromhex("fe80") + bytes(14), 3)
    assert Sockets.pin(local) == (41, 46, local.local + b"\x03\0\0\0")
    assert Sockets.source(b"", b"") is None


# --- around the tunnel ---------------------------------------------------------------------------

ANY4 = host4("0.0.0.0") * 2
ANY6 = host6(bytes(16)) * 2
NEAR4, FAR4 = host4("1.0.0.1"), host4("203.0.113.1")
NEAR6, FAR6 = (host6(socket.inet_pton(socket.AF_INET6, text)) for text in ("2000::1", "a000::1"))


def round_of_questions(first: int, v4: tuple[int, int, int], v6: tuple[int, int, int]) -> list[Step]:
    """The default's interface, and those of two addresses far away; for each family."""
    asked = [(ANY4, 5), (NEAR4, 1), (FAR4, 1), (ANY6, 5), (NEAR6, 1), (FAR6, 1)]
    steps = []
    for offset, ((addresses, which), index) in enumerate(zip(asked, (*v4, *v6), strict=True)):
        steps += question(6, first + offset, addresses, index, which)
    return steps


def bound(each: ScriptedSocket) -> list[tuple[int, int, int]]:
    return [option for option in each.options if option[1] in (25, 125)]


def test_sockets_avoid_a_tunnel_that_has_the_default_route(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(UdpSockets, "new_socket", ScriptedSocket)
    beginning = [call("interface_index", "utun7", answer=12), *routing_socket(6)]
    with script(*beginning) as (calls, recorded):
        underlay = Underlay(calls, "utun7")
        recorded.then(*round_of_questions(1, (4, 4, 4), (0, 0, 0)))
        sockets = underlay.open(0, 0)
        v4, v6 = opened_sockets(sockets)
        assert bound(v4) == bound(v6) == []
        # 0.0.0.0/1 and 128.0.0.0/1 lead into the tunnel, beside the default route.
        recorded.then(*round_of_questions(7, (4, 12, 12), (12, 12, 12)))
        underlay.routes_changed()
        assert (bound(v4), bound(v6)) == ([(0, 25, 4)], [(41, 125, 0)])
        assert sockets.blackholes == {socket.AF_INET6}  # its only default route is the tunnel's
        assert sockets.send([b"x"], NetworkPath(("2001:db8::1", 9, 0, 0)), 0) == 0
        # It becomes the default route itself: what was the default stays in use.
        recorded.then(*round_of_questions(13, (12, 12, 12), (12, 12, 12)))
        underlay.routes_changed()
        assert bound(v4) == [(0, 25, 4)]
        # Wi-Fi instead of the cable.
        recorded.then(*round_of_questions(19, (5, 12, 12), (5, 12, 12)))
        underlay.routes_changed()
        assert (bound(v4)[-1], bound(v6)[-1], sockets.blackholes) == ((0, 25, 5), (41, 125, 5), frozenset())
        # The tunnel gives the default route back.
        recorded.then(*round_of_questions(25, (5, 5, 5), (5, 5, 5)))
        underlay.routes_changed()
        assert (bound(v4)[-1], bound(v6)[-1]) == ((0, 25, 0), (41, 125, 0))
        recorded.then(call("close", 6))
        underlay.close()
        sockets.close()


def test_there_is_no_fwmark() -> None:
    with script(*routing_socket(6)) as (calls, _):
        underlay = Underlay(calls, "")
        assert underlay.refuses_mark(0) == ""
        assert "macOS has no fwmark" in underlay.refuses_mark(51820)


# --- the directory of the configuration socket ---------------------------------------------------


def test_a_watched_directory() -> None:
    event = Kevent(8, -4, 0x21, 2)
    steps = [
        call("kqueue", answer=7),
        call("open", "/var/run/wireguard", 0, answer=8),
        call("kevent", 7, [Kevent(8, -4, 0x21, 0x63)], 0, answer=[]),
    ]
    with script(*steps) as (calls, recorded):
        watch = DirectoryWatch(calls, abi, "/var/run/wireguard")
        assert watch.fileno() == 7
        recorded.then(call("kevent", 7, [], 16, answer=[event]), call("kevent", 7, [], 16, answer=[]))
        watch.drain()
        recorded.then(call("close", 8), call("close", 7))
        watch.close()
    missing = [steps[0], call("open", "/nowhere", 0, error=errno.ENOENT), call("close", 7)]
    with script(*missing) as (calls, _), pytest.raises(PlatformError, match="can't watch /nowhere: No such file"):
        DirectoryWatch(calls, abi, "/nowhere")
