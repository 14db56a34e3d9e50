"""Jobs whose instants are known beforehand are due at those, by the oracle and by what they are put as."""

from __future__ import annotations

from datetime import UTC, datetime

import pytest

from chaos import instants
from chaos.case import Declared
from chaos.checkers.due import due_ms, is_due
from chaos.workload import schedule_jobs
from scheduler.model import parse_job, prepare
from scheduler.ticks import schedule

NOW_MS = 1_800_000_000_123
HOUR_MS = 3_600_000


@pytest.mark.parametrize("name", instants.JOBS)
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


def test_others_have_no_instants_of_their_own() -> None:
    assert instants.timed(Declared("pulse", 1_000), NOW_MS) == Declared("pulse", 1_000)
    assert {*instants.JOBS} <= {job.name for job, _, _ in schedule_jobs("full")}
