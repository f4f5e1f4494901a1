"""The benchmarks run from end to end, and their table says what was measured."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from benchmarks.report import table

from tests.support.namespaces import needs_namespaces
from wgtun.backend import backend

ROOT = Path(__file__).parents[2]


def test_the_table_has_medians_spreads_and_ratios() -> None:
    results = {"ours": {"tcp1": [4.0, 6.0, 5.0], "memory": [30.0]}, "theirs": {"tcp1": [1.0, 3.0, 2.0]}}
    lines = table(results, "theirs").splitlines()
    assert lines[0] == "TCP, one stream [Gbit/s]"
    assert lines[1].split() == ["ours", "5.00", "(4.00", "to", "6.00)", "2.50", "x"]
    assert lines[2].split()[-2:] == ["1.00", "x"]
    assert lines[-1].split() == ["ours", "30"]


@pytest.mark.netns
@needs_namespaces
@pytest.mark.skipif(not all(map(shutil.which, ("iperf3", "gcc", "taskset"))), reason="needs iperf3, gcc and taskset")
def test_one_round(tmp_path: Path) -> None:
    out = tmp_path / "out.json"
    words = [
        "--rounds",
        "1",
        "--seconds",
        "1",
        "--only",
        f"plain,{backend()}",
        "--measure",
        "tcp1,udp_small,ping,peers",
    ]
    done = subprocess.run(
        [sys.executable, "-m", "benchmarks", *words, "--json", str(out)],
        cwd=ROOT, capture_output=True, text=True, timeout=60, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    figures = json.loads(out.read_text())
    assert set(figures) == {"plain", backend()}
    assert set(figures[backend()]) == {"tcp1", "cpu", "udp_small", "ping", "peers", "peers_memory"}
    assert all(values[0] > 0 for values in figures[backend()].values())
    assert "TCP, one stream" in done.stdout
