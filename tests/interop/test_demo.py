"""`wgtun demo`, with and without namespaces."""

from __future__ import annotations

import shutil
import signal
import subprocess
import sys

import pytest

from tests.support.namespaces import SOCKETS, needs_namespaces, run, wait_for
from wgtun.backend import backend

DEMO = [sys.executable, "-m", "wgtun.cli.main", "demo", "--seconds"]


def demo(*options: str) -> str:
    words = [*DEMO, "0.5", *options]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr == ""
    return done.stdout


def test_demo_in_one_process() -> None:
    out = demo("--rootless")
    assert "handshake and first packet" in out
    assert f"Mbit/s, with the {backend()} engine" in out
    assert "It works." in out


@pytest.mark.netns
@needs_namespaces
def test_demo_in_namespaces_leaves_nothing_behind() -> None:
    before = namespaces()
    out = demo()
    assert "3 received, 0% packet loss" in out
    assert "MB over TCP" in out
    assert "It works." in out
    assert namespaces() <= before


@pytest.mark.netns
@needs_namespaces
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_demo_that_is_ended_leaves_nothing_behind(number: signal.Signals) -> None:
    with subprocess.Popen([*DEMO, "30"], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        while "TCP through the tunnel" not in process.stdout.readline():
            assert process.poll() is None
        for letter in "ab":  # the daemon and one end of the transfer
            words = "ip", "netns", "pids", f"wgtun-demo-{letter}-{process.pid}"
            wait_for(lambda words=words: len(run(*words).split()) == 2)  # type: ignore[misc]
        process.send_signal(number)
        _, errors = process.communicate(timeout=20)
    assert (process.returncode, errors) == (128 + number, "")
    left = {*run("ip", "netns", "list").split(), *(path.stem for path in SOCKETS.iterdir())}
    for letter in "ab":
        assert f"wgtun-demo-{letter}-{process.pid}" not in left
        assert f"wgdemo{letter}{process.pid % 100000}" not in left


@pytest.mark.netns
@needs_namespaces
@pytest.mark.skipif(shutil.which("setpriv") is None, reason="needs setpriv")
@pytest.mark.parametrize("power", ["sys_admin", "net_admin"])
def test_a_root_that_may_not_have_namespaces_does_without(power: str) -> None:
    words = ["setpriv", f"--bounding-set=-{power}", *DEMO, "0.2"]
    done = subprocess.run(words, capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert done.stderr.startswith("Not using network namespaces: `ip ")
    assert "It works." in done.stdout


def namespaces() -> set[str]:
    """Those of demos; others may run at the same time."""
    return {line for line in run("ip", "netns", "list").splitlines() if line.startswith("wgtun-demo-")}
