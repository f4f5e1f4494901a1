"""The parts of the benchmarks that only compute."""

from __future__ import annotations

import pytest

from benchmarks.iperf import parse
from benchmarks.measure import Figure, LinkMeasure, MeasureError
from benchmarks.measures import MEASURES
from benchmarks.measures.ping import mean_microseconds
from benchmarks.process import parse_cpu_ticks, parse_memory
from benchmarks.report import as_json, number, table
from benchmarks.results import Results

SPEED = LinkMeasure("speed", (Figure("speed", "speed", "Gbit/s", "higher"),), lambda _link, _seconds: {})
LOAD = LinkMeasure("load", (Figure("load", "sent", "kpps", None),), lambda _link, _seconds: {})


@pytest.fixture
def results() -> Results:
    results = Results()
    for mine, theirs in ((3.0, 1.0), (5.0, 2.0), (4.0, 9.0)):
        results.add("ours", SPEED, {"speed": mine})
        results.add("go", SPEED, {"speed": theirs})
        results.add("ours", LOAD, {"load": 100.0})
    results.add("go", LOAD, "it ended")
    results.add("go", LOAD, "it ended")
    return results


def test_medians_and_ratios(results: Results) -> None:
    (speed,), (load,) = SPEED.figures, LOAD.figures
    assert results.median("ours", speed) == 4
    assert results.ratio("ours", "go", speed) == 2
    assert results.median("go", load) is None
    assert results.ratio("ours", "ours", load) is None  # the load is no achievement
    assert results.ratio("ours", "nobody", speed) is None


def test_the_table_shows_median_spread_ratio_and_failures(results: Results) -> None:
    lines = table(results, ["plain", "ours", "go"], [SPEED, LOAD], "go").splitlines()
    assert [cell.strip() for cell in lines[0].split("|")[1:-1]] == ["", "plain", "ours", "go"]
    assert [[cell.strip() for cell in line.split("|")[1:-1]] for line in lines[2:4]] == [
        ["speed, Gbit/s ↑", "-", "4.00 (3.00-5.00) 2.00x", "2.00 (1.00-9.00) 1.00x"],
        ["sent, kpps", "-", "100 (100-100)", "failed"],
    ]
    assert len({len(line) for line in lines[:4]}) == 1
    assert lines[4:] == ["go, load: failed: it ended"]


def test_a_failure_in_some_rounds_is_told_beside_the_median(results: Results) -> None:
    results.add("ours", SPEED, "too slow")
    row = table(results, ["ours"], [SPEED], "go").splitlines()[2]
    assert "4.00 (3.00-5.00) 2.00x, 1 failed" in row


def test_json_has_every_round(results: Results) -> None:
    found = as_json(results, ["ours", "go"], [SPEED, LOAD], "go")
    assert found["contenders"]["ours"]["speed"] == {"median": 4, "ratio": 2, "rounds": [3, 5, 4]}
    assert "load" not in found["contenders"]["go"]
    assert found["failures"] == [{"contender": "go", "measure": "load", "reasons": ["it ended", "it ended"]}]


@pytest.mark.parametrize(
    ("value", "text"), [(0.0851, "0.085"), (1.234, "1.23"), (12.34, "12.3"), (123.4, "123"), (12345.6, "12,346")]
)
def test_numbers_have_about_three_digits(value: float, text: str) -> None:
    assert number(value) == text


def test_figures_have_names_of_their_own() -> None:
    keys = [figure.key for measure in MEASURES.values() for figure in measure.figures]
    assert len(set(keys)) == len(keys)


def test_iperf_counts_what_arrived() -> None:
    received = parse({"end": {"sum_received": {"bytes": 500_000_000, "seconds": 2.0}}})
    assert received == (2.0, 0.5)


def test_an_error_of_iperf_is_its_own_words() -> None:
    with pytest.raises(MeasureError, match="iperf3: unable to connect"):
        parse({"error": "unable to connect", "end": {}})


def test_ping_tells_its_mean() -> None:
    summary = "20000 packets transmitted\nrtt min/avg/max/mdev = 0.002/0.105/0.9/0.01 ms, ipg/ewma 0.1/0.1 ms\n"
    assert mean_microseconds(summary) == pytest.approx(105)
    with pytest.raises(MeasureError):
        mean_microseconds("5 packets transmitted, 0 received, 100% packet loss\n")


def test_process_files() -> None:
    assert parse_cpu_ticks(f"17 (a) (b) S {'0 ' * 10}30 12 9 9 20\n") == 42
    assert parse_memory("Name:\tx\nVmHWM:\t   1000 kB\nVmRSS:\t500 kB\n", "VmHWM") == pytest.approx(1.024)
    with pytest.raises(ValueError, match="VmHWM"):
        parse_memory("Name:\tkthread\n", "VmHWM")
