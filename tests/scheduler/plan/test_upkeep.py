from __future__ import annotations

from scheduler import commands as c
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
