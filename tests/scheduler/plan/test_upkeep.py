from __future__ import annotations

import pytest

from scheduler.plan import PlanCache, plan
from scheduler.plan.passes.upkeep import COMPILED_MAX, JOBS_MAX, PERIOD_MS
from scheduler.words import commands as c
from tests.scheduler.story import START_MS, Story, job

DAY_MS = 86_400_000


@pytest.mark.parametrize(("keep", "most"), [(1, 1), (2, 2), (4, 4), (5, 6), (20, 24)])
def test_a_job_keeps_so_many_runs(story: Story, keep: int, most: int) -> None:
    story.connect()
    story.put(job(policies={"retention": {"runs": keep, "age": "365d"}}))
    for number in range(1, 61):
        story.now_ms += 3_000
        story.tell_ok(c.RunJob("default", "j", b"{}", story.now_ms))
        story.settle()
        story.now_ms += PERIOD_MS
        story.settle()
        ids = [row[0] for row in story.store.rows("SELECT id FROM runs ORDER BY id")]
        assert min(number, keep) <= len(ids) <= most
        assert ids == list(range(ids[0], number + 1)), "the newest"
    assert story.job().runs_stored == len(ids)


def test_a_run_that_does_not_end_keeps_no_others(story: Story) -> None:
    """Runs were counted with those that go on: behind an old one that still ran, one too many was left."""
    story.connect()
    policies = {"retention": {"runs": 1, "age": "365d"}, "overlap": "allow"}
    story.put(job(policies=policies))
    story.tell_ok(c.RunJob("default", "j", b"{}", story.now_ms))
    story.plan_and_apply()
    assert story.claim(1).ok
    for _ in range(4):
        story.tell_ok(c.RunJob("default", "j", b"{}", story.now_ms))
        story.plan_and_apply()
        attempt = story.machine.state.last_attempt
        assert story.claim(attempt).ok
        assert story.finish(attempt).ok
    for _ in range(3):
        story.now_ms += PERIOD_MS
        story.plan_and_apply()
    assert story.store.rows("SELECT id FROM runs ORDER BY id") == [(1,), (5,)]
    story.now_ms += PERIOD_MS
    assert story.plan() == []


def test_jobs_with_low_ids_do_not_keep_others_from_their_turn(story: Story) -> None:
    count = 2 * JOBS_MAX + 3
    story.connect(slots=1_000)
    names = [f"j-{number}" for number in range(count)]
    story.put(*(job(name, policies={"retention": {"runs": 1, "age": "365d"}}) for name in names))
    for _ in range(4):
        for begin in range(0, count, 10):
            story.tell_ok(*(c.RunJob("default", n, b"{}", story.now_ms) for n in names[begin : begin + 10]))
        story.settle()
    turned: set[int] = set()
    for _ in range(4):
        story.now_ms += PERIOD_MS
        turned |= {each.job for each in story.plan() if isinstance(each, c.Purge)}  # nothing is applied
    assert len(turned) == count


def test_old_runs_go_by_age_also_of_deleted_jobs(story: Story) -> None:
    story.connect()
    policies = {"retention": {"runs": 100, "age": "10d"}}
    story.put(job("kept", policies=policies), job("gone", policies=policies))
    for name in ("kept", "gone"):
        story.tell_ok(c.RunJob("default", name, b"{}", story.now_ms))
    story.settle()
    story.tell_ok(c.DeleteJob("default", "gone"))
    story.now_ms = START_MS + 9 * DAY_MS
    story.settle()
    assert len(story.runs()) == 2
    story.now_ms = START_MS + 11 * DAY_MS
    story.settle()
    assert story.runs() == []


def test_old_keys_are_swept(story: Story) -> None:
    story.put(job(), key="k", body=b"1")
    story.now_ms += DAY_MS - 1_000
    story.settle()
    assert story.store.value("SELECT count(*) FROM idempotency") == 1
    story.now_ms += 3_000
    story.settle()
    assert story.store.value("SELECT count(*) FROM idempotency") == 0


def purges(story: Story, cache: PlanCache, after_ms: int) -> int:
    """How many the plan holds that is made so long after now."""
    commands = plan(story.store, story.now_ms + after_ms, epoch=1, lead_ms=50, cache=cache)
    return sum(isinstance(command, c.Purge) for command in commands)


def test_an_office_begins_with_what_is_due_and_looks_for_old_runs_later(story: Story) -> None:
    story.connect()
    story.put(job(policies={"retention": {"runs": 100, "age": "10d"}}))
    story.tell_ok(c.RunJob("default", "j", b"{}", story.now_ms))
    story.settle()
    story.now_ms += 11 * DAY_MS
    cache = PlanCache()
    assert purges(story, cache, 0) == 0
    assert purges(story, cache, PERIOD_MS) == 1


def test_a_search_reads_few_jobs_for_the_first_time_and_goes_on_from_there(story: Story) -> None:
    story.connect(slots=100)
    names = [f"j-{number}" for number in range(2 * COMPILED_MAX + 5)]
    story.put(*(job(name, policies={"retention": {"runs": 100, "age": "10d"}}) for name in names))
    for name in names:
        story.tell_ok(c.RunJob("default", name, b"{}", story.now_ms))
    story.settle()
    story.now_ms += 11 * DAY_MS
    cache = PlanCache()
    assert [purges(story, cache, turn * PERIOD_MS) for turn in range(4)] == [0, COMPILED_MAX, COMPILED_MAX, 5]
