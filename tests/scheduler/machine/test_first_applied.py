"""Repeats without a start: counted from the entry that first held their trigger."""

from __future__ import annotations

import json

import pytest

from scheduler.model import parse_job, prepare
from scheduler.verify import verify
from scheduler.words import commands as c
from tests.scheduler.story import START_MS, Story, job

DAILY = {"iso8601": "R//P1D", "id": "daily"}
DAY_MS = 86_400_000


def first_applied(story: Story) -> list[int | None]:
    return [json.loads(trigger.spec).get("first_applied_ms") for trigger in story.triggers()]


def ran(story: Story) -> list[int]:
    """When the ticks that ran were due, after the start of the story."""
    rows = story.store.rows("SELECT tick_ms FROM runs WHERE tick_ms IS NOT NULL ORDER BY id")
    return [row[0] - START_MS for row in rows]


def at(story: Story, after_ms: int) -> None:
    story.now_ms = START_MS + after_ms
    story.settle()


@pytest.fixture
def put(story: Story) -> Story:
    story.connect()
    story.now_ms = START_MS + 12_345
    story.put(job(trigger=DAILY))
    story.settle()
    return story


def test_its_first_instant_is_that_entry_s_own(put: Story) -> None:
    assert first_applied(put) == [START_MS + 12_345]
    assert ran(put) == [12_345]


@pytest.mark.parametrize("ahead_ms", [-700, 0, 700])
def test_whose_clock_proposed_it_does_not_matter(story: Story, ahead_ms: int) -> None:
    story.connect()
    prepared = prepare(parse_job(job(trigger=DAILY)), story.now_ms + ahead_ms)
    story.tell_ok(c.PutJobs((prepared,), story.now_ms + ahead_ms))
    story.now_ms += 1_000
    story.settle()
    (at_ms,) = ran(story)
    assert [at_ms + START_MS] == first_applied(story)
    assert max(0, ahead_ms) <= at_ms <= max(0, ahead_ms) + 100


def test_an_edit_keeps_it(put: Story) -> None:
    at(put, 3_600_000)
    put.put(job(trigger=DAILY, description="other"))
    at(put, 12_345 + DAY_MS)
    put.put(job(trigger={**DAILY, "iso8601": "R//PT12H"}))
    at(put, 12_345 + 2 * DAY_MS)
    assert set(first_applied(put)) == {START_MS + 12_345}
    # The change fired nothing, and what it says is counted from the same instant.
    assert ran(put) == [12_345, 12_345 + DAY_MS, 12_345 + DAY_MS + DAY_MS // 2, 12_345 + 2 * DAY_MS]
    assert verify(put.store, START_MS, put.now_ms, now_ms=put.now_ms).ok


def test_what_the_job_had_left_out_for_a_time_comes_back_to_it(put: Story) -> None:
    at(put, 20_000)
    put.put(job())
    at(put, 30_000)
    put.put(job(trigger=DAILY))
    at(put, 12_345 + DAY_MS)
    assert ran(put) == [12_345, 12_345 + DAY_MS]


def test_a_new_job_of_the_name_counts_anew(put: Story) -> None:
    put.tell_ok(c.DeleteJob("default", "j"))
    put.now_ms = START_MS + 50_000
    put.put(job(trigger=DAILY))
    put.settle()
    assert ran(put) == [12_345, 50_000]


def test_a_month_is_counted_from_its_day_in_its_zone(story: Story) -> None:
    story.connect()
    story.put(job(trigger={"iso8601": "R3//P1M", "tz": "Europe/Berlin"}))
    story.settle()
    (trigger,) = story.triggers()
    assert [trigger.next_due_ms] == [START_MS + 31 * DAY_MS]  # 15 January to 15 February


def test_of_a_span_those_outside_are_none(story: Story) -> None:
    story.connect()
    span = {"from": "2027-01-17T00:00:00Z", "until": "2027-01-20T00:00:00Z"}
    story.put(job(trigger={**DAILY, "valid": span}))
    for day in range(8):
        at(story, day * DAY_MS)
    assert ran(story) == [2 * DAY_MS, 3 * DAY_MS, 4 * DAY_MS]
    story.put(job(trigger={**DAILY, "valid": span}, description="it is over, and may stay"))


def test_once_and_never_again(story: Story) -> None:
    story.connect()
    story.put(job(trigger={"iso8601": "R1//P1D"}))
    for day in range(4):
        at(story, day * DAY_MS)
    assert ran(story) == [0]
    story.put(job(trigger={"iso8601": "R1//P1D"}, description="it is over, and may stay"))
