"""Jobs whose instants are known beforehand are due at those, by the oracle and by what they are put as."""

from __future__ import annotations

import pytest

from chaos import instants
from chaos.case import Declared
from chaos.checkers.due import due_ms, is_due
from chaos.workload import schedule_jobs
from scheduler.model import parse_job, prepare
from scheduler.ticks import schedule

NOW_MS = 1_800_000_000_123


@pytest.mark.parametrize("name", instants.JOBS)
def test_what_is_put_is_due_when_the_oracle_says(name: str) -> None:
    job = instants.timed(Declared(name), NOW_MS)
    put = parse_job({"job": name, "noop": True, "triggers": instants.triggers(job)})

    found = [ms for each in prepare(put, NOW_MS).triggers for ms in schedule(each.spec).upcoming(NOW_MS, 99)]

    assert sorted(found) == list(job.times) == due_ms(job, NOW_MS, NOW_MS + 10**6)
    assert job.times[0] > NOW_MS + instants.FIRST_MS - instants.STEP_MS
    assert due_ms(job, job.times[0], job.times[1]) == [job.times[1]]
    assert is_due(job, job.times[-1])
    assert not is_due(job, job.times[-1] + instants.STEP_MS)


def test_others_have_no_instants_of_their_own() -> None:
    assert instants.timed(Declared("pulse", 1_000), NOW_MS) == Declared("pulse", 1_000)
    assert {*instants.JOBS} <= {job.name for job, _, _ in schedule_jobs("full")}
