"""Jobs whose instants are known beforehand are due at those, by the oracle and by what they are put as."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chaos import instants
from chaos.case import Declared
from chaos.checkers.due import due_ms, is_due
from chaos.workload import schedule_jobs
from scheduler.model import parse_job, prepare
from scheduler.model.known_dates import dates_of
from scheduler.model.objects.parsing import parse_document, prepare_document
from scheduler.ticks import schedule
from scheduler.words.commands import PreparedObject

NOW_MS = 1_800_000_000_123
HOUR_MS = 3_600_000


@pytest.mark.parametrize("name", [name for name in instants.JOBS if name not in instants.DATED])
def test_what_is_put_is_due_when_the_oracle_says(name: str) -> None:
    job = instants.timed(Declared(name), NOW_MS)
    put = parse_job({"job": name, "noop": True, "triggers": instants.triggers(job)})

    found = [
        ms for each in prepare(put, NOW_MS).triggers
        for ms in schedule(each.spec).between(NOW_MS, NOW_MS + HOUR_MS, 999)
    ]  # fmt: skip

    assert sorted(found) == list(job.times) == due_ms(job, NOW_MS, NOW_MS + HOUR_MS)
    assert job.times[0] > NOW_MS + instants.FIRST_MS - instants.STEP_MS
    assert due_ms(job, job.times[0], job.times[1]) == [job.times[1]]
    assert is_due(job, job.times[-1])
    assert not is_due(job, job.times[-1] + instants.STEP_MS)


def test_a_day_said_in_a_roundabout_way_is_that_day_alone_whatever_the_day() -> None:
    """Also where the day ends while it is due."""
    midnight_ms = round(datetime(2028, 1, 1, tzinfo=UTC).timestamp() * 1000)
    for number in range(1, 367):
        now_ms = midnight_ms + number * 24 * HOUR_MS - (60_000 if number % 2 else 5 * HOUR_MS)
        job = instants.timed(Declared(instants.DAY), now_ms)
        put = parse_job({"job": job.name, "noop": True, "triggers": instants.triggers(job)})
        last, both = (schedule(each.spec) for each in prepare(put, now_ms).triggers)

        assert last.between(now_ms, now_ms + HOUR_MS, 999) == list(job.times)
        assert len(job.times) == (20 if number % 2 else instants.COUNT[instants.DAY])
        assert both.between(now_ms, now_ms + HOUR_MS, 999) == []


def working(job: Declared, now_ms: int) -> list[list[int]]:
    """Of each trigger by its id the instants of the hour, and of the day before and after."""
    document = {"calendar": instants.CALENDAR, **instants.calendar_of(job)}
    calendar = prepare_document(parse_document(document), now_ms)
    assert isinstance(calendar, PreparedObject)
    put = parse_job({"job": job.name, "noop": True, "triggers": instants.triggers(job)})
    known = prepare(put, now_ms, calendars=lambda space, name: dates_of(space, name, calendar.spec)).triggers
    return [schedule(each.spec).between(now_ms, now_ms + HOUR_MS, 999) for each in known]


def test_a_working_day_is_that_day_alone_and_the_day_before_comes_to_it_whatever_the_day() -> None:
    midnight_ms = round(datetime(2028, 1, 1, tzinfo=UTC).timestamp() * 1000)
    for number in range(1, 367):
        now_ms = midnight_ms + number * 24 * HOUR_MS - (60_000 if number % 2 else 5 * HOUR_MS)
        this, moved = (instants.timed(Declared(name), now_ms) for name in instants.DATED)

        assert working(this, now_ms) == [list(this.times), []]
        assert working(moved, now_ms) == [list(moved.times)]
        assert len(this.times) == len(moved.times) == (20 if number % 2 else 60)


def test_others_have_no_instants_of_their_own() -> None:
    assert instants.timed(Declared("pulse", 1_000), NOW_MS) == Declared("pulse", 1_000)
    assert {*instants.JOBS} <= {job.name for job, _, _ in schedule_jobs("full")}
