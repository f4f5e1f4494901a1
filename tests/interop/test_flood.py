"""A flood of junk handshakes: counted where it arrives, nobody is woken, and what is real gets through."""

from __future__ import annotations

import subprocess
import sys
import time
from pathlib import Path

import pytest

from tests.support.namespaces import Host, Lab, needs_namespaces, pair
from wgtun.backend import backend

pytestmark = [pytest.mark.netns, needs_namespaces]

COUNT = 200_000


def flood(sender: Host, address: str) -> subprocess.Popen[str]:
    return sender.popen(sys.executable, "-c", f"from tests.support import junk; junk.send_junk({address!r}, {COUNT})")


def context_switches(pid: int, thread: int) -> int:
    lines = Path(f"/proc/{pid}/task/{thread}/status").read_text().splitlines()
    return sum(int(line.split()[1]) for line in lines if "ctxt_switches" in line)


# Without the kernel's filter every message comes to the engine.
FILTERS = pytest.mark.parametrize("offload", ["", "no-mac1"])


@FILTERS
def test_junk_does_not_wake_the_control_plane(offload: str, monkeypatch: pytest.MonkeyPatch) -> None:
    if offload and backend() == "python":
        pytest.skip("the Python engine works on every datagram in the main thread")
    monkeypatch.setenv("WGTUN_OFFLOAD", offload)
    with Lab() as lab:
        one, two = pair(lab)
        one.ping(two)
        before = context_switches(two.pid, two.pid)
        sender = flood(one.host, two.host.outer)
        assert sender.wait(60) == 0
        # A few timers at most.
        assert context_switches(two.pid, two.pid) - before < 50
        one.ping(two)
        time.sleep(0.1)


@FILTERS
def test_real_handshakes_and_packets_get_through_junk(offload: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WGTUN_OFFLOAD", offload)
    with Lab() as lab:
        one, two = pair(lab)
        sender = flood(one.host, two.host.outer)
        begin = time.monotonic()
        one.ping(two)  # with a handshake
        two.ping(one)
        assert time.monotonic() - begin < 20
        assert sender.wait(60) == 0
