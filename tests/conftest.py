"""Which tests run on Windows; and which defects and mistakes of other implementations a run showed to be absent."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterable, Sequence
from pathlib import Path

import pytest

from tests.defects import DEFECTS, MISTAKES

_TABLES: dict[str, tuple[str, Sequence[object]]] = {
    "defect": ("defects of the reference not reproduced", tuple(DEFECTS)),
    "mistake": ("mistakes of other implementations not repeated", MISTAKES),
}

_TESTS = Path(__file__).parent

# What cannot even be imported there, and why. Tests that only lack something skip themselves.
_NOT_ON_WINDOWS = {
    "interop": "network namespaces, and daemons in them",
    "netns": "network namespaces",
    "peers": "network namespaces",
    "defects": "daemons and offloads of Linux",
    "unit/test_benchmarks.py": "the benchmarks measure with /proc and taskset",
    "unit/test_cli_show.py": "serves a device on a Unix socket",
    "unit/test_uapi_client.py": "Unix sockets",
    "unit/test_uapi_server.py": "Unix sockets",
    "unit/test_uapi_socket.py": "Unix sockets",
}


def pytest_ignore_collect(collection_path: Path) -> bool | None:
    """None leaves it to pytest."""
    if sys.platform != "win32":
        return None
    return collection_path.relative_to(_TESTS).as_posix() in _NOT_ON_WINDOWS or None


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
