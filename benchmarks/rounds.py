"""Takes all measures of all contenders, in turns.

Within a round every contender has its link at the same time, and contenders take turns at each measure: a machine's
speed drifts, and what is compared should be close in time. Those whose turn it is not are idle.
"""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Sequence

from benchmarks.contenders import Contender, Daemon, Link
from benchmarks.measure import DaemonMeasure, Measure, MeasureError, Values
from benchmarks.results import Results
from tests.support.namespaces import Lab

# What measuring can fail with: our own reasons, programs that fail or hang, what they print that can't be read.
_FAILURES = (
    MeasureError,
    AssertionError,
    OSError,
    subprocess.SubprocessError,
    ValueError,
    LookupError,
    ArithmeticError,
)


def take(contenders: Sequence[Contender], measures: Sequence[Measure], rounds: int, seconds: float) -> Results:
    """Everything, `rounds` times; progress goes to standard error."""
    results = Results()
    for number in range(1, rounds + 1):
        with Lab() as lab:
            links = {contender.name: _connect(contender, lab) for contender in contenders}
            for measure in measures:
                for contender in contenders:
                    if isinstance(measure, DaemonMeasure) and not isinstance(contender, Daemon):
                        continue
                    outcome = _take_one(measure, contender, links[contender.name], seconds)
                    results.add(contender.name, measure, outcome)
                    _say(
                        f"round {number}/{rounds}: {measure.name:12} {contender.name:14} {_in_words(measure, outcome)}"
                    )
    return results


def _connect(contender: Contender, lab: Lab) -> Link | str:
    """The link, or why there is none."""
    try:
        return contender.connect(lab)
    except _FAILURES as error:
        return f"did not start: {_reason(error)}"


def _take_one(measure: Measure, contender: Contender, link: Link | str, seconds: float) -> Values | str:
    """The values, or why there are none."""
    try:
        if isinstance(measure, DaemonMeasure):
            assert isinstance(contender, Daemon)
            return measure.run(contender, seconds)
        if isinstance(link, str):
            return link
        _check_alive(link)
        return measure.run(link, seconds)
    except _FAILURES as error:
        return _reason(error)


def _check_alive(link: Link) -> None:
    for daemon in link.daemons:
        if daemon.poll() is not None:
            raise MeasureError(f"the daemon ended with {daemon.returncode}")


def _reason(error: BaseException) -> str:
    """What a person needs, on one line."""
    return " ".join(str(error).split())[:300] or type(error).__name__


def _in_words(measure: Measure, outcome: Values | str) -> str:
    if isinstance(outcome, str):
        return f"failed: {outcome}"
    given = (figure for figure in measure.figures if figure.key in outcome)
    return ", ".join(f"{outcome[figure.key]:.3g} {figure.unit}" for figure in given) or "-"


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)
