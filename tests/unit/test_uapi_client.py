"""The blocking client against the server, and against daemons that misbehave."""

from __future__ import annotations

import errno
import os
import socket
import sys
import tempfile
import threading
from pathlib import Path

import pytest

from tests.unit.fake_device import EMPTY, FakeDevice, served_in_background
from wgtun.allowed_ip import AllowedIP
from wgtun.endpoint import Endpoint
from wgtun.errors import PlatformError, UapiError
from wgtun.keys import PresharedKey, PrivateKey, PublicKey
from wgtun.uapi import client as client_module
from wgtun.uapi.client import UapiClient, interfaces
from wgtun.uapi.model import DeviceState, PeerChange, PeerState, SetRequest

STATE = DeviceState(
    PrivateKey(b"k" * 32),
    51820,
    7,
    [
        PeerState(
            PublicKey(bytes([number]) * 32),
            PresharedKey(bytes(32)),
            Endpoint("fe80::1", 5, "lo"),
            1_700_000_000_000_000_042,
            1,
            2,
            25,
            [AllowedIP.parse("10.0.0.0/8")] * number,
        )
        for number in range(100)
    ],
)
REQUEST = SetRequest(fwmark=3, peers=[PeerChange(PublicKey(b"p" * 32), remove=True)])


def test_get_and_set(tmp_path: Path) -> None:
    device = FakeDevice(STATE)
    with served_in_background({"wg0": device}, str(tmp_path)), UapiClient("wg0", str(tmp_path)) as client:
        assert client.get() == STATE
        client.set(REQUEST)
        device.state = EMPTY
        assert client.get() == EMPTY
    assert device.requests == [REQUEST]


def test_a_refusal_carries_the_errno_and_the_connection_stays_usable(tmp_path: Path) -> None:
    device = FakeDevice()
    device.refuse = UapiError(errno.EADDRINUSE, "listen_port: in use")
    with served_in_background({"wg0": device}, str(tmp_path)), UapiClient("wg0", str(tmp_path)) as client:
        with pytest.raises(UapiError, match="wg0: the daemon refused: Address already in use") as caught:
            client.set(REQUEST)
        assert caught.value.errno == errno.EADDRINUSE
        assert client.get() == EMPTY


def test_no_such_interface(tmp_path: Path) -> None:
    with pytest.raises(PlatformError, match="no userspace interface wg0"):
        UapiClient("wg0", str(tmp_path))
    with pytest.raises(PlatformError, match="not an interface name"):
        UapiClient("../wg0", str(tmp_path))


def test_only_served_interfaces_are_listed_and_nothing_is_removed(tmp_path: Path) -> None:
    assert interfaces(str(tmp_path / "missing")) == []
    with socket.socket(socket.AF_UNIX) as stale:
        stale.bind(str(tmp_path / "stale.sock"))
    for name in ("file.sock", "wg9", ".sock"):
        (tmp_path / name).touch()
    with served_in_background({"wg0": FakeDevice(), "wg1": FakeDevice()}, str(tmp_path)):
        before = sorted(os.listdir(tmp_path))
        assert sorted(interfaces(str(tmp_path))) == ["wg0", "wg1"]
        assert sorted(os.listdir(tmp_path)) == before


@pytest.mark.skipif(sys.platform == "win32" or os.geteuid() != 0, reason="needs root, to be somebody else")
def test_whoever_may_not_look_is_told_so() -> None:
    with tempfile.TemporaryDirectory() as directory, served_in_background({"wg0": FakeDevice()}, directory):
        os.chmod(directory, 0o755)
        os.seteuid(65534)
        try:
            assert interfaces(directory) == ["wg0"]
            with pytest.raises(PlatformError, match="no permission to configure wg0; try as root"):
                UapiClient("wg0", directory)
        finally:
            os.seteuid(0)


def answered_with(directory: Path, answer: bytes) -> UapiError:
    """What the client says to a daemon that sends this and closes."""
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(directory / "wg0.sock"))
        listener.listen()

        def serve() -> None:
            connection, _ = listener.accept()
            with connection:
                connection.recv(100)
                connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        with UapiClient("wg0", str(directory)) as client, pytest.raises(UapiError) as caught:
            client.get()
        thread.join()
    return caught.value


@pytest.mark.parametrize(
    ("answer", "problem"),
    [
        (b"", "closed the connection"),
        (b"errno=0\n", "closed the connection"),
        (b"listen_port=1\n\n", "no errno"),
        (b"errno=abc\n\n", "no errno"),
        (b"errno=" + b"9" * 5000 + b"\n\n", "no errno"),
        (b"listen_port=x\nerrno=0\n\n", "can't be read"),
        (b"errno=1\n\n", "refused: Operation not permitted"),
        (b"\n\n", "no errno"),
    ],
)
def test_a_daemon_that_misbehaves_is_reported(tmp_path: Path, answer: bytes, problem: str) -> None:
    assert problem in str(answered_with(tmp_path, answer))


def test_a_daemon_that_never_answers_is_reported(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(client_module, "TIMEOUT", 0.1)
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(tmp_path / "wg0.sock"))
        listener.listen()
        with UapiClient("wg0", str(tmp_path)) as client, pytest.raises(PlatformError, match="does not answer"):
            client.get()
