"""The benchmarks run from end to end, and leave nothing behind."""

from __future__ import annotations

import json
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.namespaces import needs_namespaces, run

pytestmark = [
    pytest.mark.netns,
    needs_namespaces,
    pytest.mark.skipif(shutil.which("iperf3") is None, reason="needs iperf3"),
]

COMMAND = [sys.executable, "-m", "benchmarks", "--rounds", "1", "--seconds", "1"]


def leftovers(pid: int) -> list[str]:
    """The namespaces that a process of the benchmarks made."""
    return [line for line in run("ip", "netns").splitlines() if line.startswith(f"wgtest-{pid}-")]


def test_a_short_run(tmp_path: Path) -> None:
    file = tmp_path / "figures.json"
    words = [*COMMAND, "--measure", "tcp1,ping", "--only", "plain,python", "broken=false", "--json", str(file)]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0
    assert "TCP, one stream, Gbit/s" in output
    assert "broken, tcp1: failed: did not start" in output
    found = json.loads(file.read_text())["contenders"]
    assert set(found["plain"]) == {"tcp1", "ping"}
    assert set(found["python"]) == {"tcp1", "cpu", "ping"}
    assert all(figure["median"] > 0 for figure in found["python"].values())
    assert not leftovers(process.pid)


def test_an_interrupted_run_cleans_up() -> None:
    words = [*COMMAND, "--measure", "ping,tcp1", "--only", "python"]
    process = subprocess.Popen(words, stderr=subprocess.PIPE, text=True)
    assert process.stderr is not None
    next(line for line in process.stderr if line.startswith("round"))  # one measure is taken, the next one begins
    process.send_signal(signal.SIGINT)
    process.communicate(timeout=30)
    assert process.returncode == 128 + signal.SIGINT
    assert not leftovers(process.pid)
