"""TUN interfaces and their link state, on the real kernel."""

from __future__ import annotations

import os
import select
import socket
from collections.abc import Iterator

import pytest

from tests.support.namespaces import Lab, needs_namespaces, run
from wgtun.errors import PlatformError, TunnelGone
from wgtun.platform.interface import LinkState
from wgtun.platform.linux.link_monitor import LinkMonitor
from wgtun.platform.linux.tun import Tun

pytestmark = [pytest.mark.netns, needs_namespaces]

NAME = f"wgt{os.getpid()}"


@pytest.fixture
def tun() -> Iterator[Tun]:
    made = Tun.create(NAME)
    yield made
    made.close()


def links() -> str:
    return run("ip", "link")


def test_create_sets_the_mtu_and_close_removes_the_interface() -> None:
    tun = Tun.create(NAME)
    assert tun.name == NAME
    assert f"{NAME}: " in links()
    assert "mtu 1420" in run("ip", "link", "show", NAME)
    assert not os.get_blocking(tun.fileno())
    assert not os.get_inheritable(tun.fileno())
    tun.close()
    tun.close()
    assert NAME not in links()


def test_a_template_gets_a_number() -> None:
    first, second = Tun.create("wgtpl%d"), Tun.create("wgtpl%d")
    assert first.name != second.name
    assert first.name.startswith("wgtpl")
    first.close()
    second.close()


@pytest.mark.parametrize("name", ["x" * 16, "lo", "a/b"])
def test_impossible_names_say_why(name: str) -> None:
    descriptors = len(os.listdir("/proc/self/fd"))
    with pytest.raises(PlatformError, match=name):
        Tun.create(name)
    assert len(os.listdir("/proc/self/fd")) == descriptors


@pytest.mark.parametrize("queues", [1, 3])
@pytest.mark.parametrize("present_queues", [1, 3])
def test_a_busy_interface_says_so_and_is_left_alone(present_queues: int, queues: int) -> None:
    present = Tun.create(NAME, queues=present_queues)
    run("ip", "link", "set", NAME, "mtu", "1333")
    with pytest.raises(PlatformError, match="another program"):
        Tun.create(NAME, queues=queues)
    assert "mtu 1333" in run("ip", "link", "show", NAME)
    present.close()
    assert NAME not in links()


@pytest.mark.parametrize("queues", [1, 3])
def test_an_interface_that_nobody_uses_is_taken(queues: int) -> None:
    run("ip", "tuntap", "add", "dev", NAME, "mode", "tun")
    try:
        tun = Tun.create(NAME, queues=queues)
        assert tun.name == NAME
        assert len(tun.filenos()) == 1, "it was made with one queue"
        tun.close()
    finally:
        run("ip", "link", "del", NAME)


def test_several_queues() -> None:
    for name in (NAME, "wgtpl%d"):
        tun = Tun.create(name, queues=3)
        assert len(tun.filenos()) == 3
        assert "numqueues 3" in run("ip", "-d", "link", "show", tun.name)
        tun.close()


def test_adoption_leaves_the_mtu_alone(tun: Tun) -> None:
    run("ip", "link", "set", NAME, "mtu", "1300")
    adopted = Tun.adopt(os.dup(tun.fileno()))
    assert adopted.name == NAME
    assert "mtu 1300" in run("ip", "link", "show", NAME)
    adopted.close()


def test_only_a_tun_can_be_adopted() -> None:
    with socket.socket() as other, pytest.raises(PlatformError, match="not a TUN"):
        Tun.adopt(other.fileno())
    with pytest.raises(PlatformError, match="not a TUN"):
        Tun.adopt(987)


def test_a_rename_is_noticed_and_removal_too(tun: Tun) -> None:
    run("ip", "link", "set", NAME, "name", NAME + "r")
    assert tun.name == NAME + "r"
    run("ip", "link", "del", NAME + "r")
    with pytest.raises(TunnelGone):
        _ = tun.name


def await_state(monitor: LinkMonitor, expected: LinkState) -> None:
    state = monitor.read()
    for _ in range(50):
        if state == expected:
            return
        select.select([monitor], [], [], 0.1)
        state = monitor.read()
    assert state == expected


@pytest.mark.defect(12)
def test_up_down_and_mtu_are_followed(tun: Tun) -> None:
    monitor = LinkMonitor(tun)
    assert monitor.read() == LinkState(1420, up=False)
    run("ip", "link", "set", NAME, "up")
    await_state(monitor, LinkState(1420, up=True))
    run("ip", "link", "set", NAME, "mtu", "1280")
    await_state(monitor, LinkState(1280, up=True))
    run("ip", "link", "set", NAME, "down")
    await_state(monitor, LinkState(1280, up=False))
    run("ip", "link", "del", NAME)
    await_state(monitor, LinkState(1280, up=False, gone=True))
    monitor.close()


def test_renames_and_namespaces_are_followed_there_and_back(tun: Tun) -> None:
    home = os.stat("/proc/self/ns/net").st_ino
    with Lab() as lab:
        first, second = lab.host(), lab.host()
        monitor = LinkMonitor(tun)
        run("ip", "link", "set", NAME, "netns", first.namespace)
        await_state(monitor, LinkState(1420, up=False))
        first.ip("link", "set", NAME, "up", "mtu", "1300")
        await_state(monitor, LinkState(1300, up=True))
        first.ip("link", "set", NAME, "down")
        first.ip("link", "set", NAME, "name", NAME + "x")
        first.ip("link", "set", NAME + "x", "up", "mtu", "1301")
        await_state(monitor, LinkState(1301, up=True))
        first.ip("link", "set", NAME + "x", "netns", second.namespace)
        await_state(monitor, LinkState(1301, up=False))
        second.ip("link", "set", NAME + "x", "up", "mtu", "1302")
        await_state(monitor, LinkState(1302, up=True))
        second.ip("link", "set", NAME + "x", "netns", str(os.getpid()))
        await_state(monitor, LinkState(1302, up=False))
        run("ip", "link", "set", NAME + "x", "up")
        await_state(monitor, LinkState(1302, up=True))
        assert os.stat("/proc/self/ns/net").st_ino == home
        run("ip", "link", "del", NAME + "x")
        await_state(monitor, LinkState(1302, up=True, gone=True)._replace(up=monitor.read().up))
        assert monitor.read().gone
        monitor.close()


def test_lost_messages_make_it_look_anew(tun: Tun) -> None:
    monitor = LinkMonitor(tun)
    monitor._events.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 1)
    for mtu in range(1300, 1340):
        run("ip", "link", "set", NAME, "mtu", str(mtu))
    await_state(monitor, LinkState(1339, up=False))
    monitor.close()
