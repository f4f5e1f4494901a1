"""TCP through the link, and what it costs."""

from __future__ import annotations

from functools import partial

from benchmarks.contenders import Link
from benchmarks.iperf import iperf
from benchmarks.measure import Figure, LinkMeasure, Values
from benchmarks.process import cpu_seconds


def one_stream(link: Link, seconds: float) -> Values:
    """Speed, and CPU seconds of both daemons per GB that arrived."""
    before = sum(cpu_seconds(daemon.pid) for daemon in link.daemons)
    received = iperf(link, seconds)
    values = {"tcp1": received.gigabits_per_second}
    if link.daemons:
        used = sum(cpu_seconds(daemon.pid) for daemon in link.daemons) - before
        values["cpu"] = used / received.gigabytes
    return values


def _speed(name: str, options: tuple[str, ...], link: Link, seconds: float) -> Values:
    return {name: iperf(link, seconds, *options).gigabits_per_second}


def _other(name: str, title: str, *options: str) -> LinkMeasure:
    return LinkMeasure(name, (Figure(name, title, "Gbit/s", "higher"),), partial(_speed, name, options))


MEASURES = (
    LinkMeasure(
        "tcp1",
        (Figure("tcp1", "TCP, one stream", "Gbit/s", "higher"), Figure("cpu", "CPU, both daemons", "s/GB", "lower")),
        one_stream,
    ),
    _other("tcp4", "TCP, four streams", "-P", "4"),
    _other("tcpr", "TCP, reverse", "-R"),
)
