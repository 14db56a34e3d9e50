"""Pieces of constant offset, for jumps where one would look wrong: at the turn of the year."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, tzinfo
from itertools import pairwise

import pytest

from scheduler.ticks.cron import CronSchedule
from scheduler.ticks.expression import parse_expression
from scheduler.ticks.zones import Zone, zone

NEW_YEAR_S = int(datetime(2030, 1, 1, tzinfo=UTC).timestamp())


class OneJump(tzinfo):
    """A zone whose offset changes once; the real data has no jump at a new year of UTC today."""

    def __init__(self, at_s: int, before: timedelta, after: timedelta) -> None:
        self._at = datetime.fromtimestamp(at_s, UTC).replace(tzinfo=None)
        self._before, self._after = before, after

    def fromutc(self, dt: datetime) -> datetime:
        late = dt.replace(tzinfo=None) >= self._at
        return dt + (self._after if late else self._before)

    def utcoffset(self, dt: datetime | None) -> timedelta:
        assert dt is not None
        naive = dt.replace(tzinfo=None)
        return self._after if naive - self._after >= self._at else self._before

    def dst(self, dt: datetime | None) -> timedelta:
        return timedelta(0)

    def tzname(self, dt: datetime | None) -> str:
        return "one jump"


HOUR = timedelta(hours=1)


@pytest.mark.parametrize("at_s", [NEW_YEAR_S, NEW_YEAR_S - 1_800, NEW_YEAR_S + 1_800, NEW_YEAR_S - 3_600])
def test_a_repeated_hour_at_new_year_counts_once(at_s: int) -> None:
    place = Zone("test", OneJump(at_s, 2 * HOUR, HOUR))
    fixed = CronSchedule(parse_expression("5-55/10 0-23 * * *"), place, "skip")
    found = fixed.between((NEW_YEAR_S - 7_200) * 1000, (NEW_YEAR_S + 10_800) * 1000)
    # five hours of UTC show four hours of the clock once
    assert len(found) == 24
    for cut in range(-7_200, 10_800, 600):
        middle = (NEW_YEAR_S + cut) * 1000
        parts = fixed.between((NEW_YEAR_S - 7_200) * 1000, middle)
        parts += fixed.between(middle, (NEW_YEAR_S + 10_800) * 1000)
        assert parts == found, cut


@pytest.mark.parametrize("at_s", [NEW_YEAR_S, NEW_YEAR_S - 1_800, NEW_YEAR_S + 1_800])
def test_an_hour_left_out_at_new_year_is_made_up_once(at_s: int) -> None:
    place = Zone("test", OneJump(at_s, HOUR, 2 * HOUR))
    hidden = datetime.fromtimestamp(at_s + 3_600 + 60, UTC)  # a reading inside the gap
    text = f"{hidden.minute} {hidden.hour} * * *"
    made_up = CronSchedule(parse_expression(text), place, "cron")
    day_ms = 43_200_000
    assert made_up.between(at_s * 1000 - day_ms, at_s * 1000 + day_ms) == [at_s * 1000]
    assert made_up.between(at_s * 1000 - day_ms, at_s * 1000 - 1) == []
    assert made_up.between(at_s * 1000 - 1, at_s * 1000) == [at_s * 1000]
    skipped = CronSchedule(parse_expression(text), place, "skip")
    assert skipped.between(at_s * 1000 - day_ms, at_s * 1000 + day_ms) == []


def test_segments_cover_a_range_without_holes() -> None:
    start_s, end_s = NEW_YEAR_S - 5 * 366 * 86_400, NEW_YEAR_S + 5 * 366 * 86_400
    pieces = list(zone("Europe/Berlin").segments(start_s, end_s))
    assert pieces[0].start_s == start_s
    assert pieces[-1].end_s == end_s
    assert all(a.end_s == b.start_s for a, b in pairwise(pieces))
    assert {piece.offset_s for piece in pieces} == {3_600, 7_200}
    assert sum(piece.gap_s > 0 for piece in pieces) == 10
