"""At the end of a run: which defects and mistakes of other implementations it showed to be absent (`tests.defects`)."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence

import pytest

from tests.defects import DEFECTS, MISTAKES

_TABLES: dict[str, tuple[str, Sequence[object]]] = {
    "defect": ("defects of the reference not reproduced", tuple(DEFECTS)),
    "mistake": ("mistakes of other implementations not repeated", MISTAKES),
}


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Have each report tell what its test shows."""
    for item in items:
        for name, (_, subjects) in _TABLES.items():
            for marker in item.iter_markers(name):
                for subject in marker.args:
                    if subject not in subjects:
                        raise pytest.UsageError(f"{item.nodeid}: tests.defects knows no {name} {subject!r}")
                    item.user_properties.append((name, subject))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    outcomes: dict[tuple[str, object], set[str]] = defaultdict(set)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport) and (report.when == "call" or not report.passed):
                for name, subject in report.user_properties:
                    outcomes[name, subject].add(report.outcome)
    for name, (title, subjects) in _TABLES.items():
        verdicts = {subject: _verdict(outcomes[name, subject]) for subject in subjects}
        if set(verdicts.values()) == {"not run"}:
            continue
        good = list(verdicts.values()).count("passed")
        others = [f"; {verdict}: {_those(verdicts, verdict)}" for verdict in ("failed", "skipped", "not run")
                  if verdict in verdicts.values()]  # fmt: skip
        terminalreporter.write_line(f"{title}: {good} of {len(subjects)}{''.join(others)}")


def _verdict(outcomes: Iterable[str]) -> str:
    """The worst of its tests counts; one that is skipped, as those of the other engine are, leaves it to the rest."""
    return next((outcome for outcome in ("failed", "passed", "skipped") if outcome in outcomes), "not run")


def _those(verdicts: dict[object, str], wanted: str) -> str:
    return ", ".join(str(subject) for subject, verdict in verdicts.items() if verdict == wanted)
