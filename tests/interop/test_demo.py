"""`wgtun demo`, with and without namespaces."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tests.support.namespaces import needs_namespaces, run
from wgtun.backend import backend


def demo(*options: str) -> str:
    words = [sys.executable, "-m", "wgtun.cli.main", "demo", "--seconds", "0.5", *options]
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
    before = run("ip", "netns", "list")
    out = demo()
    assert "3 received, 0% packet loss" in out
    assert "MB over TCP" in out
    assert "It works." in out
    demos = [line for line in run("ip", "netns", "list").splitlines() if line.startswith("wgtun-demo-")]
    assert not [line for line in demos if line not in before]
