"""What was measured."""

from __future__ import annotations

import statistics
from collections import defaultdict
from dataclasses import dataclass, field

from benchmarks.measure import Figure, Measure, Values


@dataclass
class Results:
    """The value of each round by contender and figure; the reasons of failures by contender and measure."""

    values: dict[tuple[str, str], list[float]] = field(default_factory=lambda: defaultdict(list))
    failures: dict[tuple[str, str], list[str]] = field(default_factory=lambda: defaultdict(list))

    def add(self, contender: str, measure: Measure, outcome: Values | str) -> None:
        """One round: the values, or why there are none."""
        if isinstance(outcome, str):
            self.failures[contender, measure.name].append(outcome)
            return
        for key, value in outcome.items():
            self.values[contender, key].append(value)

    def median(self, contender: str, figure: Figure) -> float | None:
        """None without a single value."""
        values = self.values.get((contender, figure.key))
        return statistics.median(values) if values else None

    def ratio(self, contender: str, reference: str, figure: Figure) -> float | None:
        """Median to median; None where that says nothing."""
        mine, theirs = self.median(contender, figure), self.median(reference, figure)
        return mine / theirs if mine is not None and theirs and figure.better else None
