"""What sockets of other systems do when a datagram is refused."""

from __future__ import annotations

import errno
import os
import socket
from collections.abc import Sequence

import pytest

from tests.support.call_script import ScriptedSocket
from wgtun.endpoint import SocketAddress
from wgtun.path import Path, Source
from wgtun.platform import udp
from wgtun.platform.freebsd.udp import UdpSockets as FreeBsdSockets
from wgtun.platform.macos.udp import UdpSockets as MacOsSockets
from wgtun.platform.openbsd.udp import UdpSockets as OpenBsdSockets
from wgtun.platform.udp import ControlMessage

PEER = ("192.0.2.9", 51820)
SOURCE = Source(bytes([10, 0, 0, 1]), 3)
Sent = tuple[bytes, tuple[int, ...]]


@pytest.fixture(params=[MacOsSockets, FreeBsdSockets, OpenBsdSockets], ids=["macos", "freebsd", "openbsd"])
def kind(request: pytest.FixtureRequest) -> type[udp.UdpSockets]:
    found: type[udp.UdpSockets] = request.param
    return found


def opened(kind: type[udp.UdpSockets], refused: dict[int, int]) -> tuple[udp.UdpSockets, list[Sent]]:
    """Sockets whose system answers control messages of these types with an errno; and what was sent at last."""
    sent: list[Sent] = []

    class Scripted(kind):  # type: ignore[misc, valid-type]
        new_socket = ScriptedSocket

        def send_message(
            self, sender: socket.socket, parts: Sequence[bytes], control: list[ControlMessage], address: SocketAddress
        ) -> None:
            for _, message, _ in control:
                if message in refused:
                    raise OSError(refused[message], os.strerror(refused[message]))
            sent.append((b"".join(parts), tuple(message for _, message, _ in control)))

    return Scripted.open(0, 0), sent


LOCAL4, LOCAL6 = bytes([10, 0, 0, 1]), bytes.fromhex("20010db8") + bytes(12)
LINK = b"\x14\x12\x03\x01" + bytes(16)  # a struct sockaddr_dl of interface 0x103
CLASS = b"\x03\0\0\0"
# As the kernels make them: level, type, value.
CONTROL: dict[type[udp.UdpSockets], tuple[list[ControlMessage], list[ControlMessage]]] = {
    MacOsSockets: (
        [(0, 26, b"\x03\x01\0\0" + bytes(4) + LOCAL4), (0, 27, b"\x03")],
        [(41, 46, LOCAL6 + b"\x03\x01\0\0"), (41, 36, CLASS)],
    ),
    FreeBsdSockets: (
        [(0, 7, LOCAL4), (0, 20, LINK), (0, 68, b"\x03")],
        [(41, 46, LOCAL6 + b"\x03\x01\0\0"), (41, 61, CLASS)],
    ),
    OpenBsdSockets: (
        [(0, 7, LOCAL4), (0, 30, LINK)],
        [(41, 46, LOCAL6 + b"\x03\x01\0\0"), (41, 61, CLASS)],
    ),
}


def test_what_control_messages_tell(kind: type[udp.UdpSockets]) -> None:
    waiting: list[tuple[list[ControlMessage], SocketAddress]] = []

    class Scripted(kind):  # type: ignore[misc, valid-type]
        new_socket = ScriptedSocket

        def receive_message(self, receiver: socket.socket) -> tuple[bytes, list[ControlMessage], SocketAddress]:
            return b"data", *waiting.pop()

    sockets = Scripted.open(0, 0)
    fileno = sockets.filenos()[0]
    peers: list[tuple[SocketAddress, bytes]] = [(PEER, LOCAL4), (("2001:db8::9", 1, 0, 0), LOCAL6)]
    for control, (address, local) in zip(CONTROL[kind], peers, strict=True):
        for messages in (control, control[::-1]):
            waiting.append((messages, address))
            traffic_class = 3 if len(local) == 16 or kind is not OpenBsdSockets else 0
            assert sockets.receive(fileno) == [(b"data", Path(address, Source(local, 0x103)), traffic_class)]
        waiting.append(([], address))
        assert sockets.receive(fileno) == [(b"data", Path(address), 0)]
    sockets.close()


def test_a_local_address_that_is_gone(kind: type[udp.UdpSockets]) -> None:
    pinned = kind.pin(SOURCE)[1]
    refused = {pinned: errno.EADDRNOTAVAIL}
    sockets, sent = opened(kind, refused)
    path = Path(PEER, SOURCE)
    assert sockets.send([b"1", b"2"], path, 0) == 0
    assert sent == [(b"1", ()), (b"2", ())]
    refused.clear()
    sockets.send([b"3"], path, 0)
    assert sent[-1] == (b"3", ())  # given up until a datagram comes to it
    sockets.close()


def test_another_refusal_is_a_refusal(kind: type[udp.UdpSockets]) -> None:
    sockets, sent = opened(kind, {kind.pin(SOURCE)[1]: errno.ENOBUFS})
    assert sockets.send([b"1"], Path(PEER, SOURCE), 0) == 1
    assert sent == []
    sockets.close()


def test_a_system_that_takes_no_traffic_class(kind: type[udp.UdpSockets]) -> None:
    sockets, sent = opened(kind, {socket.IP_TOS: errno.EINVAL})
    pinned = kind.pin(SOURCE)[1]
    for _ in range(2):
        assert sockets.send([b"1"], Path(PEER, SOURCE), 3) == 0
    assert sent == [(b"1", (pinned,)), (b"1", (pinned,))]
    sockets.close()


def test_one_that_takes_it(kind: type[udp.UdpSockets]) -> None:
    sockets, sent = opened(kind, {})
    sockets.send([b"1"], Path(PEER), 3)
    assert sent == [(b"1", (socket.IP_TOS,))]
    sockets.close()
