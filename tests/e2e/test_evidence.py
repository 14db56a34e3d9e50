"""The oracle of the other tests: it must itself catch what it is there for."""

from __future__ import annotations

from pathlib import Path

from bench.evidence import Every, instant, judge, milliseconds, read_lines
from bench.rows import percentile

JOB = Every("j", 1_000, 250)


def test_due_instants_are_those_behind_from_up_to_until() -> None:
    assert list(JOB.due(250, 2_250)) == [1_250, 2_250]
    assert list(JOB.due(249, 1_249)) == [250]
    assert list(Every("k", 1_000).due(999, 3_000)) == [1_000, 2_000, 3_000]


def test_one_line_for_each_due_tick_is_clean() -> None:
    judgement = judge(
        [JOB], {("j", 1_250): 1, ("j", 2_250): 1, ("j", 3_250): 1}, from_ms=1_000, until_ms=3_000
    )

    assert judgement.clean
    assert judgement.due == 2


def test_a_missed_a_doubled_and_a_never_due_tick_are_each_found() -> None:
    seen = {("j", 1_250): 2, ("j", 1_300): 1, ("other", 1_250): 1}

    judgement = judge([JOB], seen, from_ms=1_000, until_ms=3_000)

    assert judgement.missed == [("j", 2_250)]
    assert judgement.doubled == [("j", 1_250)]
    assert judgement.strange == [("j", 1_300), ("other", 1_250)]
    assert "j@1970-01-01T00:00:02.250Z" in str(judgement)


def test_a_doubled_tick_outside_the_window_is_found_too() -> None:
    judgement = judge([JOB], {("j", 1_250): 1, ("j", 9_250): 2}, from_ms=1_000, until_ms=2_000)

    assert judgement.doubled == [("j", 9_250)]


def test_lines_are_counted_by_job_and_instant(tmp_path: Path) -> None:
    file = tmp_path / "ticks.txt"
    file.write_text("a 2026-01-01T00:00:01Z\na 2026-01-01T00:00:01.000Z\nb 2026-01-01T00:00:01.250Z\na \n")

    counts = read_lines(file)

    second = milliseconds("2026-01-01T00:00:01Z")
    assert counts == {("a", second): 2, ("b", second + 250): 1, ("a", 0): 1}


def test_instants_are_written_as_they_are_read() -> None:
    assert instant(milliseconds("2026-11-21T01:02:03.004Z")) == "2026-11-21T01:02:03.004Z"
    assert instant(milliseconds("2026-11-21T02:02:03+01:00")) == "2026-11-21T01:02:03Z"


def test_percentiles_are_measured_values() -> None:
    assert percentile([3.0, 1.0, 2.0], 0.5) == 2.0
    assert percentile([1.0, 2.0], 0.99) == 2.0
