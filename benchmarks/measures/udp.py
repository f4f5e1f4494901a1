"""UDP datagrams delivered when more are sent than can be.

Not by iperf3: its receiver makes a system call for each datagram and has a small buffer, so that on a busy machine
it loses half of what arrives, with or without a tunnel.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from benchmarks.contenders import Link
from benchmarks.measure import Figure, LinkMeasure, Values
from benchmarks.program import running

_PORT = 9000
_SMALL, _LARGE = 64, 1300  # bytes


class _Rates(NamedTuple):
    """Datagrams per second."""

    delivered: float
    offered: float


def small(link: Link, seconds: float) -> Values:
    """64-byte datagrams, in thousands."""
    rates = _overload(link, seconds, _SMALL)
    return {"udp64": rates.delivered / 1e3, "udp64-offered": rates.offered / 1e3}


def large(link: Link, seconds: float) -> Values:
    """1300-byte datagrams, in Gbit/s of what they carry."""
    rates = _overload(link, seconds, _LARGE)
    return {"udp1300": rates.delivered * _LARGE * 8 / 1e9, "udp1300-offered": rates.offered * _LARGE * 8 / 1e9}


def _overload(link: Link, seconds: float, size: int) -> _Rates:
    """Send without pause, and count at the receiving socket."""
    with (
        running(link.receiver, "sink", link.address, _PORT, seconds) as sink,
        running(link.sender, "blast", link.address, _PORT, "--size", size) as blast,
    ):
        arrived, sent = sink.report(), blast.stop()
    return _Rates(arrived["datagrams"] / arrived["seconds"], sent["datagrams"] / sent["seconds"])


def _measure(name: str, title: str, unit: str, run: Callable[[Link, float], Values]) -> LinkMeasure:
    return LinkMeasure(
        name,
        (
            Figure(name, f"{title} UDP delivered", unit, "higher"),
            Figure(f"{name}-offered", "of so much sent", unit, None),
        ),
        run,
    )


MEASURES = (_measure("udp64", "small", "kpps", small), _measure("udp1300", "large", "Gbit/s", large))
