"""FreeBSD: a cloned tun, its link, routes and sockets, as calls with exact bytes."""

from __future__ import annotations

import errno
import socket

import pytest

from tests.platform.interface_requests import ask, ifreq
from tests.support.call_script import ScriptedSocket, Step, call, script
from wgtun.errors import PlatformError, TunnelGone
from wgtun.path import Path, Source, SourceState
from wgtun.platform.bsd.link_monitor import Announcement, LinkMonitor
from wgtun.platform.bsd.route_monitor import RouteMonitor
from wgtun.platform.freebsd import abi, tun
from wgtun.platform.freebsd.udp import UdpSockets

TUNSIFHEAD, TUNSIFMODE, TUNGIFNAME, TUNSIFPID = 0x80047460, 0x8004745E, 0x4020745D, 0x2000745F
SIOCGIFMTU, SIOCSIFMTU, SIOCGIFFLAGS = 0xC0206933, 0x80206934, 0xC0206911
SIOCSIFNAME, SIOCIFDESTROY = 0x80206928, 0x80206979
SIOCGIFINFO_IN6, SIOCSIFINFO_IN6 = 0xC048696C, 0xC048696D
ONE = b"\x01\0\0\0"
BROADCAST_AND_MULTICAST = b"\x02\x80\0\0"


def in6_ndireq(name: str, flags: int, rest: int = 0) -> bytes:
    """The flags are behind five numbers, of which the first is the link MTU."""
    return (
        name.encode().ljust(16, b"\0")
        + rest.to_bytes(4, "little")
        + bytes(16)
        + flags.to_bytes(4, "little")
        + bytes(32)
    )


def named(name: str) -> Step:
    return call("ioctl", 4, TUNGIFNAME, bytes(32), answer=ifreq(name))


OPENING = [
    call("interface_index", "wg0", error=errno.ENXIO),
    call("open", "/dev/tun", 2, answer=4),
    named("tun0"),
    call("ioctl", 4, TUNSIFHEAD, ONE),
    call("ioctl", 4, TUNSIFMODE, BROADCAST_AND_MULTICAST),
    call("socket", 28, 2, 0, answer=9),
    # What else the kernel says goes back to it; automatic link-local addresses go (0x20), no DAD comes (0x100).
    call("ioctl", 9, SIOCGIFINFO_IN6, in6_ndireq("tun0", 0), answer=in6_ndireq("tun0", 0x21, rest=1500)),
    call("ioctl", 9, SIOCSIFINFO_IN6, in6_ndireq("tun0", 0x101, rest=1500)),
    call("close", 9),
    call("socket", 2, 2, 0, answer=9),
    call("ioctl_address", 9, SIOCSIFNAME, ifreq("tun0"), 16, b"wg0".ljust(16, b"\0")),
    call("close", 9),
    call("set_nonblocking", 4),
    *ask(SIOCGIFMTU, "wg0", 1500),
    *ask(SIOCSIFMTU, "wg0", send=1420),
]


def test_an_interface_is_cloned_renamed_and_destroyed() -> None:
    with script(*OPENING) as (calls, recorded):
        opened = tun.create(calls, "wg0")
        recorded.then(named("wg0"))
        assert (opened.name, opened.fileno(), opened.virtio) == ("wg0", 4, None)
        assert opened.family == (b"\0\0\0\x02", b"\0\0\0\x1c")
        recorded.then(call("ioctl", 4, TUNSIFPID, b""))
        opened.take_over()
        recorded.then(named("wg1"), call("close", 4), *ask(SIOCIFDESTROY, "wg1"))  # somebody renamed it
        opened.close()
        opened.close()
        recorded.then(call("ioctl", -1, TUNGIFNAME, bytes(32), error=errno.EBADF))
        with pytest.raises(TunnelGone):
            _ = opened.name


@pytest.mark.parametrize("failing", [3, 4, 6, 7, 10, 12])
def test_whatever_fails_leaves_nothing_behind(failing: int) -> None:
    before, step = OPENING[:failing], OPENING[failing]
    within = [call("close", 9)] if failing in (6, 7, 10) else []
    name = "wg0" if failing > 10 else "tun0"
    steps = [*before, step._replace(error=errno.EIO), *within, call("close", 4), *ask(SIOCIFDESTROY, name)]
    with script(*steps) as (calls, _), pytest.raises(PlatformError, match="can't create the TUN interface wg0"):
        tun.create(calls, "wg0")


def test_a_host_without_ipv6() -> None:
    without = [*OPENING[:5], OPENING[5]._replace(error=errno.EAFNOSUPPORT), *OPENING[9:]]
    with script(*without) as (calls, _):
        tun.create(calls, "wg0")


def test_refusals() -> None:
    with script(call("interface_index", "wg0", answer=3)) as (calls, _):
        with pytest.raises(PlatformError, match="interface wg0 already exists"):
            tun.create(calls, "wg0")
        for name in ("w" * 16, ""):
            with pytest.raises(PlatformError, match="it has 1 to 15 bytes"):
                tun.create(calls, name)
    for error, text in ((errno.ENOENT, "load the module if_tuntap"), (errno.EPERM, "run as root")):
        steps = [OPENING[0], OPENING[1]._replace(error=error)]
        with script(*steps) as (calls, _), pytest.raises(PlatformError, match=text):
            tun.create(calls, "wg0")


def test_an_interface_that_somebody_else_destroyed() -> None:
    with script(*OPENING) as (calls, recorded):
        opened = tun.create(calls, "wg0")
        recorded.then(named("wg0"), call("close", 4), *ask(SIOCIFDESTROY, "wg0", error=errno.ENXIO))
        opened.close()
    with script(*OPENING) as (calls, recorded):
        opened = tun.create(calls, "wg0")
        recorded.then(named("")._replace(error=errno.ENXIO), call("close", 4))
        opened.close()  # and nobody else's interface of this name is destroyed


def test_adopting_makes_us_its_process_and_leaves_the_mtu_alone() -> None:
    steps = [
        named("wg3"),
        call("ioctl", 4, TUNSIFHEAD, ONE),
        call("set_nonblocking", 4),
        call("ioctl", 4, TUNSIFPID, b""),
    ]
    with script(*steps, named("wg3")) as (calls, _):
        assert tun.adopt(calls, 4).name == "wg3"
    with script(steps[0]._replace(error=errno.ENOTTY)) as (calls, _):
        with pytest.raises(PlatformError, match="descriptor 4 is not a TUN interface"):
            tun.adopt(calls, 4)


def information(index: int, flags: int, mtu: int) -> bytes:
    """RTM_IFINFO: a struct if_msghdr, with its if_data."""
    header = (168).to_bytes(2, "little") + b"\x05\x0e" + bytes(4) + flags.to_bytes(4, "little")
    return header + index.to_bytes(2, "little") + bytes(2 + 8) + mtu.to_bytes(4, "little") + bytes(168 - 28)


def announcement(index: int, what: int) -> bytes:
    return b"\x18\0\x05\x11" + index.to_bytes(2, "little") + b"wg0".ljust(16, b"\0") + what.to_bytes(2, "little")


def test_link_events_and_removal() -> None:
    steps = [
        call("interface_index", "wg0", answer=12),
        call("socket", 17, 3, 0, answer=5),
        call("set_nonblocking", 5),
        *ask(SIOCGIFMTU, "wg0", 1420),
        *ask(SIOCGIFFLAGS, "wg0", 0x8002),
    ]
    nothing = call("read", 5, 4096, error=errno.EAGAIN)
    with script(*steps) as (calls, recorded):
        known = Announcement(abi.RTM_IFANNOUNCE, abi.IF_ANNOUNCEMSGHDR)
        monitor = LinkMonitor(calls, abi, "wg0", announcement=known)
        recorded.then(call("read", 5, 4096, answer=information(12, 0x8043, 1380)), nothing)
        assert monitor.read() == (1380, True, False)
        # It gets another name: it goes and comes.
        present = call("interface_name", 12, answer="wg1")
        renamed = announcement(13, 1) + announcement(12, 1) + announcement(12, 0)
        recorded.then(call("read", 5, 4096, answer=renamed), present, present, nothing)
        assert monitor.read() == (1380, True, False)
        lost = call("read", 5, 4096, error=errno.ENOBUFS)
        recorded.then(lost, *ask(SIOCGIFFLAGS, "wg1", 0x8042), *ask(SIOCGIFMTU, "wg1", 1380), nothing)
        assert monitor.read() == (1380, False, False)
        absent = call("interface_name", 12, error=errno.ENXIO)
        recorded.then(call("read", 5, 4096, answer=announcement(12, 1)), absent, nothing)
        assert monitor.read() == (1380, False, True)


def test_which_interface_a_route_takes() -> None:
    path = Path(("192.0.2.9", 51820), Source(socket.inet_aton("10.0.0.1"), 4))
    address = b"\x10\x1c\0\0"[:1] + b"\x02\0\0" + socket.inet_aton("192.0.2.9") + bytes(8)
    request = b"\xa8\0\x05\x04" + bytes(8) + ONE + bytes(4) + ONE + bytes(152 - 24) + address
    answer = b"\x98\0\x05\x04\x04\0" + bytes(10) + b"\x4d\0\0\0" + ONE + bytes(152 - 24)
    steps = [
        *[call("socket", 17, 3, 0, answer=5), call("set_nonblocking", 5)],
        *[call("socket", 17, 3, 0, answer=6), call("set_nonblocking", 6)],
    ]
    with script(*steps) as (calls, recorded):
        monitor = RouteMonitor(calls, abi)
        recorded.then(
            call("read", 6, 4096, error=errno.EAGAIN),
            call("write", 6, request, answer=168),
            call("wait_readable", 6, 0.1, answer=True),
            call("read", 6, 4096, answer=answer),
            call("process", answer=77),
        )
        assert monitor.source_state(path, 51820) is SourceState.CURRENT


class Sockets(UdpSockets):
    new_socket = ScriptedSocket


def test_options_of_the_sockets() -> None:
    sockets = Sockets.open(0, 0xFEDCBEEF)
    v4, v6 = sockets._by_fileno.values()
    assert isinstance(v4, ScriptedSocket)
    assert isinstance(v6, ScriptedSocket)
    rest = [
        (socket.SOL_SOCKET, socket.SO_RCVBUF, 7 << 20),
        (socket.SOL_SOCKET, socket.SO_SNDBUF, 7 << 20),
        (socket.SOL_SOCKET, 0x1015, b"\xef\xbe\xdc\xfe"),
    ]
    assert v4.options == [(0, 7, 1), (0, 20, 1), (0, 68, 1), *rest]
    assert v6.options == [(41, socket.IPV6_V6ONLY, 1), (41, 36, 1), (41, 57, 1), *rest]
    sockets.close()


def test_source_addresses_in_control_messages() -> None:
    v4, v6 = Source(bytes([10, 0, 0, 1]), 3), Source(bytes.fromhex("20010db8") + bytes(12), 3)
    link = b"\x36\x12\x03\0" + bytes(50)  # a struct sockaddr_dl
    assert Sockets.source(v4.local, link) == v4
    assert Sockets.source(v4.local, b"") == Source(v4.local, 0)
    assert Sockets.pin(v4) == (0, 7, v4.local)
    assert Sockets.source(v6.local + b"\x03\0\0\0", b"") == v6
    assert Sockets.pin(v6) == (41, 46, v6.local + bytes(4))
    assert Sockets.source(b"", b"") is None
    assert Sockets.tos(3) == b"\x03"
