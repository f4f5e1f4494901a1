"""Round trips, one after the other without pause."""

from __future__ import annotations

import re

from benchmarks.contenders import Link
from benchmarks.measure import Figure, LinkMeasure, MeasureError, Values

_COUNT = 20_000


def flood(link: Link, seconds: float) -> Values:
    """The mean of 20,000 round trips, or of as many as there are in twice the time of a measure."""
    words = ["ping", "-n", "-f", "-q", "-c", str(_COUNT), "-w", str(max(1, round(2 * seconds))), link.address]
    # Its exit status says whether the count was reached.
    return {"ping": mean_microseconds(link.sender.run(*words, check=False))}


def mean_microseconds(output: str) -> float:
    """The mean round trip that ping's summary tells. Raises MeasureError when nothing came back."""
    found = re.search(r"^rtt min/avg/max/mdev = [\d.]+/([\d.]+)/", output, re.MULTILINE)
    if found is None:
        raise MeasureError("no answer to ping")
    return float(found[1]) * 1000


MEASURES = (LinkMeasure("ping", (Figure("ping", "ping flood, mean", "µs", "lower"),), flood),)
