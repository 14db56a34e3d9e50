from __future__ import annotations

from scheduler import commands as c
from scheduler.plan import PlanCache, plan
from scheduler.plan.upkeep import COMPILED_MAX, PERIOD_MS
from tests.scheduler.story import START_MS, Story, job

DAY_MS = 86_400_000


def test_a_job_keeps_so_many_runs(story: Story) -> None:
    story.connect()
    story.put(job(policies={"retention": {"runs": 5, "age": "365d"}}))
    for _ in range(60):
        story.now_ms += 3_000
        story.tell_ok(c.RunJob("default", "j", b"{}", story.now_ms))
        story.settle()
    ids = [row[0] for row in story.store.rows("SELECT id FROM runs ORDER BY id")]
    assert 5 <= len(ids) <= 25
    assert ids[-1] == 60
    assert story.job().runs_kept == len(ids)


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
