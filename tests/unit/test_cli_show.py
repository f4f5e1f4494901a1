"""`wgtun show`: the same words as `wg show`."""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
from functools import partial
from pathlib import Path

import pytest

from tests.unit.fake_device import EMPTY, FakeDevice, served_in_background
from wgtun.cli import show
from wgtun.cli.readable import ago, duration, size
from wgtun.keys import PrivateKey
from wgtun.uapi.client import UapiClient, interfaces
from wgtun.uapi.model import DeviceState

PRIVATE_KEY = PrivateKey(b"k" * 32)
KEYED = DeviceState(PRIVATE_KEY, 51820, 0, [])


@pytest.fixture
def directory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> str:
    """Where `wgtun show` looks for sockets, empty."""
    monkeypatch.setattr(show, "UapiClient", partial(UapiClient, directory=str(tmp_path)))
    monkeypatch.setattr(show, "interfaces", partial(interfaces, str(tmp_path)))
    return str(tmp_path)


def run(*arguments: str) -> int:
    parser = argparse.ArgumentParser()
    show.add_parser(parser.add_subparsers())
    args = parser.parse_args(["show", *arguments])
    status = args.run(args)
    assert isinstance(status, int)
    return status


@pytest.mark.netns
@pytest.mark.skipif(sys.platform != "linux" or os.geteuid() != 0, reason="needs root on Linux, for a /run of its own")
@pytest.mark.skipif(shutil.which("wg") is None, reason="needs wg(8) to compare with")
def test_every_form_equals_wg() -> None:
    root = Path(__file__).parents[2]
    inside = f"ip link set lo up; mount -t tmpfs tmpfs /run && exec {sys.executable} -m tests.unit.wg_side_by_side"
    done = subprocess.run(
        ["unshare", "--mount", "--net", "sh", "-c", inside], cwd=root, capture_output=True, text=True, check=True
    )
    results = json.loads(done.stdout)
    assert len(results) == 60
    for form, environment, theirs, ours in results:
        assert ours == theirs, f"wg show {' '.join(form)}, with {environment}"


def test_the_default_hides_secrets(directory: str, capsys: pytest.CaptureFixture[str]) -> None:
    with served_in_background({"wg0": FakeDevice(KEYED)}, directory):
        assert run() == 0
    assert capsys.readouterr().out == (
        f"interface: wg0\n  public key: {PRIVATE_KEY.public_key().base64()}\n"
        "  private key: (hidden)\n  listening port: 51820\n"
    )


def test_hide_keys_never_shows_secrets(
    directory: str, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("WG_HIDE_KEYS", "never")
    with served_in_background({"wg0": FakeDevice(KEYED)}, directory):
        assert run("wg0") == 0
    assert PRIVATE_KEY.base64() in capsys.readouterr().out


def test_without_interfaces_nothing_is_shown(directory: str, capsys: pytest.CaptureFixture[str]) -> None:
    for arguments in ((), ("all", "dump"), ("interfaces",)):
        assert run(*arguments) == 0
    assert capsys.readouterr() == ("", "")


def test_an_unknown_interface_is_named(directory: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert run("wg7", "dump") == 1
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.startswith("wgtun show: no userspace interface wg7")


def test_an_unknown_field_is_a_usage_error(directory: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as caught:
        run("wg0", "color")
    assert caught.value.code == 2
    assert run("interfaces", "dump") == 2
    assert capsys.readouterr().out == ""


def test_one_interface_that_fails_does_not_hide_the_others(directory: str, capsys: pytest.CaptureFixture[str]) -> None:
    class Broken(FakeDevice):
        def get(self) -> DeviceState:
            raise RuntimeError("a bug")

    with served_in_background({"bad": Broken()}, directory):
        assert run("all", "fwmark") == 1
        assert capsys.readouterr().err == "wgtun show: bad: the daemon closed the connection\n"
        with served_in_background({"good": FakeDevice(EMPTY)}, directory):
            assert run("all", "fwmark") == 0
    assert capsys.readouterr().out == "good\toff\n"


def plain(text: str) -> str:
    for code in ("\033[0m", "\033[36m", "\033[31m"):
        text = text.replace(code, "")
    return text


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (1, "1 second"),
        (64, "1 minute, 4 seconds"),
        (3600, "1 hour"),
        (86400 + 7200, "1 day, 2 hours"),
        (2 * 365 * 86400 + 86401, "2 years, 1 day, 1 second"),
    ],
)
def test_durations(seconds: int, text: str) -> None:
    assert plain(duration(seconds)) == text
    assert plain(ago(seconds)) == f"{text} ago"


def test_a_handshake_of_this_second_or_of_the_future() -> None:
    assert ago(0) == "Now"
    assert "clock wound backward" in ago(-1)


@pytest.mark.parametrize(
    ("number", "text"),
    [
        (0, "0 B"),
        (1023, "1023 B"),
        (1024, "1.00 KiB"),
        (1229, "1.20 KiB"),
        (1024**2 - 1, "1024.00 KiB"),
        (1024**2, "1.00 MiB"),
        (1024**3, "1.00 GiB"),
        (1024**5, "1024.00 TiB"),
    ],
)
def test_sizes(number: int, text: str) -> None:
    assert plain(size(number)) == text
