"""What a measure is: a name, the figures it gives, and a function that takes them."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Literal, TypeAlias

from benchmarks.contenders import Daemon, Link

# By the key of the figure. A figure that makes no sense for a contender is not there.
Values: TypeAlias = Mapping[str, float]


class MeasureError(Exception):
    """A contender could not be measured; the text says why."""


@dataclass(frozen=True)
class Figure:
    """One row of the table. `better` is None for what describes the load and is no achievement."""

    key: str
    title: str
    unit: str
    better: Literal["higher", "lower"] | None


@dataclass(frozen=True)
class LinkMeasure:
    """Traffic over a running link, shared with the other measures of the round."""

    name: str
    figures: tuple[Figure, ...]
    run: Callable[[Link, float], Values]


@dataclass(frozen=True)
class DaemonMeasure:
    """Something only a WireGuard daemon does, started for it afresh."""

    name: str
    figures: tuple[Figure, ...]
    run: Callable[[Daemon, float], Values]


Measure: TypeAlias = LinkMeasure | DaemonMeasure
