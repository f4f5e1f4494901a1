"""Peak resident memory under all the traffic that the link carried before."""

from __future__ import annotations

from benchmarks.contenders import Link
from benchmarks.measure import Figure, LinkMeasure, Values
from benchmarks.process import peak_memory


def peak(link: Link, _seconds: float) -> Values:
    """That of the bigger daemon."""
    return {"memory": max(peak_memory(daemon.pid) for daemon in link.daemons)} if link.daemons else {}


MEASURES = (LinkMeasure("memory", (Figure("memory", "peak memory, the bigger daemon", "MB", "lower"),), peak),)
