"""Results as a table for people and as JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from benchmarks.measure import Figure, Measure
from benchmarks.results import Results

_ARROWS = {"higher": " ↑", "lower": " ↓", None: ""}


def table(results: Results, contenders: Sequence[str], measures: Sequence[Measure], reference: str) -> str:
    """A Markdown table: a row per figure, a column per contender, failures below it."""
    rows = [["", *contenders]]
    for measure in measures:
        for figure in measure.figures:
            cells = [_cell(results, contender, measure, figure, reference) for contender in contenders]
            rows.append([f"{figure.title}, {figure.unit}{_ARROWS[figure.better]}", *cells])
    lines = _aligned(rows)
    lines += [
        f"{contender}, {measure}: failed: {reason}"
        for (contender, measure), reasons in results.failures.items()
        for reason in dict.fromkeys(reasons)
    ]
    return "\n".join(lines)


def _cell(results: Results, contender: str, measure: Measure, figure: Figure, reference: str) -> str:
    """Median, spread and ratio."""
    median = results.median(contender, figure)
    failed = len(results.failures.get((contender, measure.name), ()))
    if median is None:
        return "failed" if failed else "-"
    values = results.values[contender, figure.key]
    text = number(median)
    if len(values) > 1:
        text += f" ({number(min(values))}-{number(max(values))})"
    if (ratio := results.ratio(contender, reference, figure)) is not None:
        text += f" {ratio:.2f}x"
    return f"{text}, {failed} failed" if failed else text


def number(value: float) -> str:
    """Three digits, more where they are whole."""
    for limit, digits in ((100, 0), (10, 1), (1, 2)):
        if abs(value) >= limit:
            return f"{value:,.{digits}f}"
    return f"{value:.3f}"


def _aligned(rows: list[list[str]]) -> list[str]:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    lines = [
        "| " + " | ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=True)) + " |" for row in rows
    ]
    return [lines[0], "|" + "|".join("-" * (width + 2) for width in widths) + "|", *lines[1:]]


def as_json(results: Results, contenders: Sequence[str], measures: Sequence[Measure], reference: str) -> dict[str, Any]:
    """Every round of every figure."""
    figures = [figure for measure in measures for figure in measure.figures]
    return {
        "reference": reference,
        "figures": {
            figure.key: {"title": figure.title, "unit": figure.unit, "better": figure.better} for figure in figures
        },
        "contenders": {
            contender: {
                figure.key: {
                    "median": results.median(contender, figure),
                    "ratio": results.ratio(contender, reference, figure),
                    "rounds": results.values[contender, figure.key],
                }
                for figure in figures
                if results.values.get((contender, figure.key))
            }
            for contender in contenders
        },
        "failures": [
            {"contender": contender, "measure": measure, "reasons": reasons}
            for (contender, measure), reasons in results.failures.items()
        ],
    }
