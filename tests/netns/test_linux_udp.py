"""UDP sockets on the real kernel: ports, families, trains, source addresses, marks."""

from __future__ import annotations

import errno
import os
import select
import socket
import subprocess
import sys
from collections.abc import Callable, Iterator

import pytest

from tests.support.namespaces import Lab, needs_namespaces
from wgtun.path import Path
from wgtun.platform.linux.udp import UdpSockets
from wgtun.platform.trains import _trains

LOOPBACK = {socket.AF_INET: "127.0.0.1", socket.AF_INET6: "::1"}


@pytest.fixture
def sockets() -> Iterator[UdpSockets]:
    opened = UdpSockets.open(0, 0)
    yield opened
    opened.close()


def path_to(port: int, family: socket.AddressFamily = socket.AF_INET) -> Path:
    return Path((LOOPBACK[family], port) if family == socket.AF_INET else (LOOPBACK[family], port, 0, 0))


def receive_all(sockets: UdpSockets, count: int) -> list[tuple[bytes, Path]]:
    found: list[tuple[bytes, Path]] = []
    while len(found) < count:
        ready, _, _ = select.select(sockets.filenos(), [], [], 5)
        assert ready, f"{len(found)} of {count} datagrams came"
        for fileno in ready:
            found += [(bytes(datagram), path) for datagram, path, _ in sockets.receive(fileno)]
    return found


def descriptors() -> int:
    return len(os.listdir("/proc/self/fd"))


def test_both_families_get_one_port(sockets: UdpSockets) -> None:
    assert sockets.port
    assert len(sockets.filenos()) == 2
    for family, by in sockets._by_family.items():
        assert by.getsockname()[1] == sockets.port
        assert by.family == family
        assert not by.get_inheritable()


def test_an_explicit_port(sockets: UdpSockets) -> None:
    port = sockets.port
    sockets.close()
    again = UdpSockets.open(port, 0)
    assert again.port == port
    again.close()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_a_port_that_is_busy_in_one_family_is_refused_and_nothing_leaks(family: socket.AddressFamily) -> None:
    with socket.socket(family, socket.SOCK_DGRAM) as busy:
        if family == socket.AF_INET6:
            busy.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
        busy.bind((LOOPBACK[family], 0))
        before = descriptors()
        with pytest.raises(OSError, match="in use") as caught:
            UdpSockets.open(busy.getsockname()[1], 0)
        assert caught.value.errno == errno.EADDRINUSE
        assert descriptors() == before


@pytest.mark.mistake("random-port clash between families")
def test_a_random_port_that_clashes_in_the_other_family_is_drawn_again(monkeypatch: pytest.MonkeyPatch) -> None:
    """Make the first draws clash by occupying, in IPv6, the port that IPv4 was given."""
    occupied: list[socket.socket] = []
    true_bind = socket.socket.bind

    def bind(self: socket.socket, address: tuple[str, int]) -> None:
        true_bind(self, address)
        if self.family == socket.AF_INET and len(occupied) < 3:
            blocker = socket.socket(socket.AF_INET6, socket.SOCK_DGRAM)
            blocker.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_V6ONLY, 1)
            occupied.append(blocker)
            true_bind(blocker, ("::", self.getsockname()[1]))

    monkeypatch.setattr("wgtun.platform.linux.udp.socket.socket.bind", bind, raising=False)
    opened = UdpSockets.open(0, 0)
    assert len(opened.filenos()) == 2
    assert len(occupied) == 3
    opened.close()
    for blocker in occupied:
        blocker.close()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
def test_datagrams_keep_their_order_and_bounds(sockets: UdpSockets, family: socket.AddressFamily) -> None:
    sent = [bytes([number]) * size for number, size in enumerate([1000] * 70 + [999, 1000, 1, 1452, 1452, 1452, 7])]
    assert sockets.send(sent, path_to(sockets.port, family), 0) == 0
    assert [datagram for datagram, _ in receive_all(sockets, len(sent))] == sent


def test_a_large_datagram_and_an_empty_one(sockets: UdpSockets) -> None:
    sent = [bytes(65507), b"", b"x"]
    assert sockets.send(sent, path_to(sockets.port), 0) == 0
    assert [datagram for datagram, _ in receive_all(sockets, 3)] == sent


def test_trains_follow_the_rules_of_udp_segment() -> None:
    def shape(sizes: list[int], limit: int = 65507) -> list[list[int]]:
        return [[len(each) for each in train] for train in _trains([bytes(size) for size in sizes], limit)]

    assert shape([]) == []
    assert shape([1]) == [[1]]
    assert shape([1, 1]) == [[1, 1]]
    assert shape([2, 1]) == [[2, 1]]
    assert shape([2, 1, 2]) == [[2, 1], [2]]
    assert shape([1, 2]) == [[1], [2]]
    assert shape([10] * 130) == [[10] * 64, [10] * 64, [10] * 2]
    assert shape([30000] * 4) == [[30000, 30000], [30000, 30000]]
    assert shape([100, 0, 100]) == [[100], [0], [100]]


def test_one_peer_is_one_path_object(sockets: UdpSockets) -> None:
    sockets.send([b"a", b"bb"], path_to(sockets.port), 0)
    (_, first), (_, second) = receive_all(sockets, 2)
    assert first is second
    assert first.address == ("127.0.0.1", sockets.port)
    assert first.source is not None


def test_without_offload_datagrams_leave_and_arrive_singly(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WGTUN_OFFLOAD", "off")
    opened = UdpSockets.open(0, 0)
    sent = [bytes(1000)] * 20
    assert opened.send(sent, path_to(opened.port), 0) == 0
    assert [datagram for datagram, _ in receive_all(opened, 20)] == sent
    opened.close()


def test_a_missing_family_counts_as_refused(sockets: UdpSockets) -> None:
    del sockets._by_family[socket.AF_INET6]
    assert sockets.send([b"x", b"y"], path_to(sockets.port, socket.AF_INET6), 0) == 2


def in_namespace(namespace: str, code: Callable[[], None]) -> None:
    """Run a function of this module in a fresh process in that namespace."""
    program = f"from tests.netns.test_linux_udp import {code.__name__} as code; code()"
    words = ["ip", "netns", "exec", namespace, sys.executable, "-c", program]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def open_without_ipv6() -> None:
    opened = UdpSockets.open(0, 0)
    assert len(opened.filenos()) >= 1
    assert opened.port
    assert opened.send([b"x"], path_to(opened.port), 0) == 0
    assert [datagram for datagram, _ in receive_all(opened, 1)] == [b"x"]
    port = opened.port
    opened.close()
    again = UdpSockets.open(port, 0)
    assert again.port == port


@pytest.mark.defect(18)
@pytest.mark.mistake("a host without IPv6")
@pytest.mark.netns
@needs_namespaces
def test_a_host_without_ipv6_keeps_its_port() -> None:
    with Lab() as lab:
        host = lab.host()
        host.run("sysctl", "-qw", "net.ipv6.conf.all.disable_ipv6=1", "net.ipv6.conf.default.disable_ipv6=1")
        in_namespace(host.namespace, open_without_ipv6)


def answer_from_where_it_was_asked() -> None:
    server, client = UdpSockets.open(0, 0), UdpSockets.open(0, 0)
    for asked in ("10.9.0.1", "10.9.0.2", "fd09::1", "fd09::2"):
        v6 = ":" in asked
        client.send([b"question"], Path((asked, server.port, 0, 0) if v6 else (asked, server.port)), 0)
        ((_, back),) = receive_all(server, 1)
        # The client's own address would be the default source; the answer must come from the asked one.
        assert server.send([b"answer", b"answer", b"short"], back, 0) == 0
        for _, path in receive_all(client, 3):
            assert path.address[0] == asked
    assert not server._dead_sources


@pytest.mark.netns
@needs_namespaces
def test_answers_leave_from_the_address_that_was_asked() -> None:
    with Lab() as lab:
        host = lab.host()
        host.ip("link", "add", "dummy0", "type", "bridge")
        for address in ("10.9.0.1/24", "10.9.0.2/24", "fd09::1/64", "fd09::2/64"):
            host.ip("address", "add", address, "dev", "dummy0", *(["nodad"] if ":" in address else []))
        host.ip("link", "set", "dummy0", "up")
        in_namespace(host.namespace, answer_from_where_it_was_asked)


def survive_a_vanished_source() -> None:
    server, client = UdpSockets.open(0, 0), UdpSockets.open(0, 0)
    client.send([b"question"], Path(("10.9.0.2", server.port)), 0)
    ((_, back),) = receive_all(server, 1)
    subprocess.run(["ip", "address", "del", "10.9.0.2/24", "dev", "dummy0"], check=True)
    for _ in range(2):
        assert server.send([b"answer", b"answer"], back, 0) == 0
        for _, path in receive_all(client, 2):
            assert path.address[0] != "10.9.0.2"
    assert not server._path_mtus, "the source was at fault, not the train"
    subprocess.run(["ip", "address", "add", "10.9.0.2/24", "dev", "dummy0"], check=True)
    client.send([b"question"], Path(("10.9.0.2", server.port)), 0)
    ((_, back),) = receive_all(server, 1)
    server.send([b"answer"], back, 0)
    ((_, path),) = receive_all(client, 1)
    assert path.address[0] == "10.9.0.2", "an address that is back is used again"


@pytest.mark.netns
@needs_namespaces
def test_a_source_address_that_vanished_is_given_up() -> None:
    with Lab() as lab:
        host = lab.host()
        host.ip("link", "add", "dummy0", "type", "bridge")
        for address in ("10.9.0.1/24", "10.9.0.2/24"):
            host.ip("address", "add", address, "dev", "dummy0")
        host.ip("link", "set", "dummy0", "up")
        in_namespace(host.namespace, survive_a_vanished_source)


def send_into_a_narrow_path() -> None:
    opened = UdpSockets.open(51999, 0)
    path = Path(("192.0.2.2", 51999))
    assert opened.send([bytes(1400)] * 10, path, 0) == 0
    assert opened.take_narrow() == [(path.address, 1280)]
    assert opened.take_narrow() == []
    assert opened.send([bytes(1400)] * 10, path, 0) == 0


def receive_from_a_narrow_path() -> None:
    opened = UdpSockets.open(51999, 0)
    print("ready", flush=True)
    assert [datagram for datagram, _ in receive_all(opened, 20)] == [bytes(1400)] * 20


@pytest.mark.defect(4)
@pytest.mark.netns
@needs_namespaces
def test_trains_that_do_not_fit_the_path_are_sent_singly_without_loss() -> None:
    with Lab() as lab:
        left, right = lab.joined_hosts()
        left.ip("route", "add", "192.0.2.2/32", "dev", left.device, "mtu", "1280")
        program = "from tests.netns.test_linux_udp import receive_from_a_narrow_path as code; code()"
        receiver = right.popen(sys.executable, "-c", program, stdout=subprocess.PIPE)
        assert receiver.stdout is not None
        assert receiver.stdout.readline() == "ready\n"
        in_namespace(left.namespace, send_into_a_narrow_path)
        assert receiver.wait(20) == 0


@pytest.mark.netns
@needs_namespaces
@pytest.mark.parametrize("mark", [77, 0x80000000, 0xFFFFFFFF])
def test_the_mark_is_set_on_both_sockets(mark: int) -> None:
    def marks() -> list[int]:
        return [each.getsockopt(socket.SOL_SOCKET, socket.SO_MARK) & 0xFFFFFFFF for each in opened._by_family.values()]

    opened = UdpSockets.open(0, mark)
    assert marks() == [mark, mark]
    opened.set_mark(0)
    assert marks() == [0, 0]
    opened.set_mark(mark)
    assert marks() == [mark, mark]
    loopback = ("127.0.0.1", opened.port)
    assert opened.path_mtu(loopback) > 60_000
    UdpSockets.connected(loopback, mark).close()
    opened.close()


@pytest.mark.netns
@needs_namespaces
def test_buffers_are_large() -> None:
    opened = UdpSockets.open(0, 0)
    for each in opened._by_family.values():
        assert each.getsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF) == 2 * (7 << 20)
        assert each.getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) == 2 * (7 << 20)
    opened.close()


@pytest.mark.parametrize("family", [socket.AF_INET, socket.AF_INET6])
@pytest.mark.parametrize("traffic_class", [0, 2, 0x88])
def test_traffic_classes_cross(sockets: UdpSockets, family: socket.AddressFamily, traffic_class: int) -> None:
    path = path_to(sockets.port, family)
    for batch in ([b"single"], [bytes(100)] * 5):
        assert sockets.send(batch, path, traffic_class) == 0
        ready, _, _ = select.select(sockets.filenos(), [], [], 5)
        received = sockets.receive(ready[0])
        assert received
        assert {seen for _, _, seen in received} == {traffic_class}
