"""UDP datagrams delivered when more are sent than can be."""

from __future__ import annotations

from benchmarks.contenders import Link
from benchmarks.iperf import iperf
from benchmarks.measure import Figure, LinkMeasure, Values
from benchmarks.program import running

_PORT = 9000
_SIZE = 64


def small(link: Link, seconds: float) -> Values:
    """64-byte datagrams, sent one by one without pause, counted at the receiving socket."""
    with (
        running(link.receiver, "sink", link.address, _PORT, seconds) as sink,
        running(link.sender, "blast", link.address, _PORT, "--size", _SIZE) as blast,
    ):
        delivered, offered = sink.report(), blast.stop()
    return {
        "udp64": delivered["datagrams"] / delivered["seconds"] / 1000,
        "udp64-offered": offered["datagrams"] / offered["seconds"] / 1000,
    }


def large(link: Link, seconds: float) -> Values:
    """1300-byte datagrams, as fast as iperf3 sends."""
    return {"udp1300": iperf(link, seconds, "-u", "-l", "1300", "-b", "0").gigabits_per_second}


MEASURES = (
    LinkMeasure(
        "udp64",
        (
            Figure("udp64", "small UDP delivered", "kpps", "higher"),
            Figure("udp64-offered", "of so many sent", "kpps", None),
        ),
        small,
    ),
    LinkMeasure("udp1300", (Figure("udp1300", "large UDP delivered", "Gbit/s", "higher"),), large),
)
