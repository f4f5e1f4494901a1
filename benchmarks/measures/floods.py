"""What is left of legitimate TCP while an attacker sends 50,000 datagrams per second, of each kind.

In percent of what the same datagrams leave that go to a closed port, as in `junk`.
"""

from __future__ import annotations

import tempfile
from pathlib import Path

from benchmarks.contenders import Daemon, Link
from benchmarks.iperf import iperf
from benchmarks.measure import DaemonMeasure, Figure, Values
from benchmarks.process import LOAD_CPU, pinned
from benchmarks.program import running
from tests.support.floods import FLOODS, NETWORK, Flood, attacker_of
from tests.support.namespaces import Host, Lab, connect

_RATE = 50_000
_PORT, _CLOSED_PORT = 51820, 51821
_NET = 3
_SETTLE = 1.0  # seconds


def under_floods(daemon: Daemon, seconds: float) -> Values:
    """TCP with each flood going to the daemon, and to a closed port of its host."""
    with Lab() as lab, tempfile.TemporaryDirectory() as directory:
        left, right = lab.joined_hosts()
        peer, victim = daemon.start(left), daemon.start(right)
        peer.up()
        victim.up()
        attacker = attacker_of(right, _NET)
        connect(peer, victim)
        floods = {name: make(victim, peer) for name, make in FLOODS.items()}
        link = Link(left, right, victim.address)
        kept = {}
        for name, flood in floods.items():
            file = Path(directory, "datagrams")
            file.write_bytes(flood.datagrams)
            left_over = _flooded(link, attacker, flood, file, _CLOSED_PORT, seconds)
            kept[name] = 100 * _flooded(link, attacker, flood, file, _PORT, seconds) / left_over
    return kept


def _flooded(link: Link, attacker: Host, flood: Flood, file: Path, port: int, seconds: float) -> float:
    """Gbit/s of TCP during the flood."""
    blast = running(
        attacker, "blast", f"192.0.{_NET}.{link.receiver.number}", port,
        "--rate", _RATE, "--delay", _SETTLE, "--seconds", seconds + _SETTLE,
        "--size", flood.size, "--file", file, *(["--network", NETWORK] if flood.is_spoofed else []),
        under=[*pinned(LOAD_CPU), "chrt", "-f", "1"],
    )  # fmt: skip
    with blast:
        return iperf(link, seconds, "-O", f"{2 * _SETTLE:g}").gigabits_per_second


MEASURES = (
    DaemonMeasure(
        "floods",
        tuple(Figure(name, f"TCP kept under {name}", "%", "higher") for name in FLOODS),
        under_floods,
    ),
)
