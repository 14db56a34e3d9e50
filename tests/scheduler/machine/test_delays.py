"""`every: {delay}`: so long after the end of the job's last run."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.store.tables import delays
from scheduler.verify import verify
from scheduler.words import commands as c
from tests.scheduler.story import START_MS, Story, job

MINUTE_MS = 60_000
TEN = 10 * MINUTE_MS


def again(name: str = "j", delay: str = "10m", **fields: Any) -> dict[str, Any]:
    return job(name, trigger={"every": {"delay": delay}, "id": "t"}, **fields)


def due(story: Story, job: int = 1) -> int | None:
    """Minutes from the beginning."""
    (row,) = delays.of_job(story.store, job)
    return None if row.due_ms is None else (row.due_ms - START_MS) // MINUTE_MS


def at(story: Story, minutes: int) -> None:
    story.now_ms = START_MS + minutes * MINUTE_MS


def ledger(story: Story) -> list[tuple[int, str, str, str]]:
    rows = story.store.rows("SELECT first_ms, outcome, reason, key FROM ledger ORDER BY seq")
    return [
        ((ms - START_MS) // MINUTE_MS, outcome, reason, key.replace(str(START_MS)[:5], ""))
        for ms, outcome, reason, key in rows
    ]


def agrees(story: Story) -> None:
    verdict = verify(story.store, 0, story.now_ms, now_ms=story.now_ms)
    assert verdict.ok, verdict.problems


def test_it_counts_from_the_end_of_the_last_run(story: Story) -> None:
    story.connect()
    story.put(again())
    assert due(story) == 10, "from when it was first applied"
    at(story, 10)
    planned = story.plan_and_apply()
    assert planned == [c.FireDelayed(story.epoch, 1, START_MS + TEN)]
    assert due(story) is None, "while it runs none is due"
    story.plan_and_apply()
    at(story, 13)
    story.work()
    assert due(story) == 23
    at(story, 23)
    story.settle()
    assert due(story) == 33
    keys = [key for (key,) in story.store.rows("SELECT key FROM ledger ORDER BY seq")]
    assert keys == [f"t/0/{START_MS}", f"t/1/{START_MS + 13 * MINUTE_MS}"]
    assert {row[0] for row in story.store.rows("SELECT kind FROM ledger")} == {"delay"}
    agrees(story)


def test_a_run_of_any_cause_holds_it_and_counts(story: Story) -> None:
    story.connect()
    story.put(again())
    at(story, 5)
    story.tell_ok(c.RunJob("default", "j", b"{}", story.now_ms))
    assert due(story) is None
    at(story, 12)
    assert not [each for each in story.plan() if isinstance(each, c.FireDelayed)]
    story.settle()
    assert due(story) == 22


def test_it_fires_late_and_once_however_long_nobody_led(story: Story) -> None:
    story.connect()
    story.put(again(policies={"catchup": {"mode": "latest"}}))
    at(story, 500)
    story.reopen()
    story.settle()
    assert [entry[:3] for entry in ledger(story)] == [(10, "ran", "")]
    assert due(story) == 510
    agrees(story)


def test_what_is_skipped_is_counted_from_its_own_instant(story: Story) -> None:
    story.connect()
    story.put(again())
    story.tell_ok(c.PauseJob("default", "j"))
    at(story, 10)
    story.settle()
    assert [entry[:3] for entry in ledger(story)] == [(10, "skipped", "paused")]
    assert due(story) == 20
    at(story, 20)
    story.settle()
    assert [row[0] for row in story.store.rows("SELECT key FROM ledger")][-1] == f"t/0/{START_MS + TEN}"
    # Much later than the next one would be: from then on, not one entry for each.
    at(story, 500)
    story.settle()
    assert due(story) == 510
    story.tell_ok(c.ResumeJob("default", "j"))
    at(story, 510)
    story.settle()
    assert [entry[1] for entry in ledger(story)] == ["skipped", "skipped", "skipped", "ran"]
    agrees(story)


def test_what_came_due_while_it_was_paused_is_not_run_by_the_resume(story: Story) -> None:
    story.connect()
    story.put(again())
    story.tell_ok(c.PauseJob("default", "j"))
    at(story, 11)
    story.tell_ok(c.ResumeJob("default", "j"))
    assert [entry[:3] for entry in ledger(story)] == [(10, "skipped", "paused")]
    assert due(story) == 20
    agrees(story)


def test_an_edit_fires_nothing_at_once_and_loses_nothing_that_was_due(story: Story) -> None:
    story.connect()
    story.put(again())
    at(story, 8)
    story.put(again(delay="5m"))
    assert due(story) == 13, "by then it would have been due: it counts from the edit"
    at(story, 14)
    story.put(again(delay="30m"))
    assert due(story) == 44
    assert story.store.value("SELECT count(*) FROM delays") == 2
    story.settle()
    assert [entry[:2] for entry in ledger(story)] == [(13, "ran")], "it was due before the edit"
    assert due(story) == 44, "from the end of that run"
    assert story.machine.state.delays == story.store.value("SELECT count(*) FROM delays") == 1
    story.put(again(delay="30m", owner="ann"))
    assert due(story) == 44, "an edit of something else"
    story.put(job("j"))
    assert story.machine.state.delays == story.store.value("SELECT count(*) FROM delays") == 0
    agrees(story)


def test_a_new_trigger_of_a_job_that_ran_counts_from_that_run(story: Story) -> None:
    story.connect()
    story.put(job("j"))
    story.tell_ok(c.RunJob("default", "j", b"{}", story.now_ms))
    story.settle()
    at(story, 4)
    story.put(again())
    assert due(story) == 10
    story.tell_ok(c.RunJob("default", "j", b"{}", story.now_ms))
    story.put(again(delay="20m"))
    assert due(story) is None, "a run goes on"


def test_several_of_one_job_and_a_deletion(story: Story) -> None:
    story.connect()
    both = [{"every": {"delay": "10m"}, "id": "a"}, {"every": {"delay": "15m"}, "id": "b"}]
    story.put(job("j", trigger=both))
    at(story, 10)
    story.settle()
    rows = delays.of_job(story.store, 1)
    assert [(row.due_ms or 0) - START_MS for row in rows] == [2 * TEN, 25 * MINUTE_MS]
    at(story, 21)
    story.tell_ok(c.DeleteJob("default", "j"))
    story.settle()
    assert [entry[:3] for entry in ledger(story)][-1] == (20, "skipped", "cancelled")
    assert story.machine.state.delays == story.store.value("SELECT count(*) FROM delays") == 0
    agrees(story)


def test_a_lost_run_that_nobody_has_resolved_gives_none(story: Story) -> None:
    agent = story.connect()
    story.put(again())
    at(story, 10)
    story.plan_and_apply()
    story.plan_and_apply()
    (attempt,) = story.attempts(1)
    assert story.claim(attempt.id).ok
    story.disconnect(agent)
    at(story, 100)
    story.tell(*story.plan())
    assert due(story) is None


def test_what_the_planner_says_is_judged(story: Story) -> None:
    story.put(again(), job("other", trigger={"every": "1h"}))
    assert story.one(c.FireDelayed(story.epoch, 1, START_MS + TEN)).code == "stale_due", "too early"
    at(story, 10)
    assert story.one(c.FireDelayed(story.epoch, 2, START_MS + TEN)).code == "stale_due", "no delay"
    assert story.one(c.FireDelayed(story.epoch, 1, START_MS)).code == "stale_due"
    assert story.one(c.FireDelayed(story.epoch + 1, 1, START_MS + TEN)).code == "stale_epoch"
    assert story.one(c.FireDelayed(story.epoch, 1, START_MS + TEN)).ok
    assert story.one(c.FireDelayed(story.epoch, 1, START_MS + TEN)).code == "stale_due", "once"


@pytest.mark.parametrize(
    "change",
    [
        f"UPDATE ledger SET key = 't/0/{START_MS + 1}' WHERE seq = 2",
        f"UPDATE runs SET finished_ms = {START_MS + 5} WHERE id = 1",
    ],
)
def test_verify_holds_the_links_against_the_runs(story: Story, change: str) -> None:
    story.connect()
    story.put(again())
    for minutes in (10, 20):
        at(story, minutes)
        story.settle()
    agrees(story)
    story.store.execute(change)
    verdict = verify(story.store, 0, story.now_ms, now_ms=story.now_ms)
    assert "cause" in {problem.kind for problem in verdict.problems}


def test_verify_says_what_is_overdue(story: Story) -> None:
    story.put(again())
    at(story, 11)
    assert verify(story.store, 0, story.now_ms, now_ms=story.now_ms).overdue == 1


def test_an_edit_counts_from_no_end_that_something_came_of(story: Story) -> None:
    story.connect()
    story.put(again())
    at(story, 10)
    story.settle()
    story.tell_ok(c.PauseJob("default", "j"))
    at(story, 20)
    story.settle()
    assert [entry[1] for entry in ledger(story)] == ["ran", "skipped"]
    at(story, 21)
    story.tell_ok(c.ResumeJob("default", "j"))
    story.put(again(delay="20m"))
    assert due(story) == 41, "from the edit: what counts from the run's end was skipped"
    at(story, 41)
    story.settle()
    assert [entry[1] for entry in ledger(story)] == ["ran", "skipped", "ran"]
    agrees(story)


def test_what_is_yet_to_fire_of_an_end_is_not_counted_from_it_again(story: Story) -> None:
    story.connect()
    story.put(again())
    at(story, 10)
    story.settle()
    story.tell_ok(c.PauseJob("default", "j"))
    at(story, 21)
    story.put(again(delay="20m"))
    at(story, 50)
    story.tell_ok(c.DeleteJob("default", "j"))
    story.settle()
    keys = [key for (key,) in story.store.rows("SELECT key FROM ledger ORDER BY seq")]
    assert len(keys) == len(set(keys)) == 3
    agrees(story)


def test_what_ends_with_its_job_does_so_once(story: Story) -> None:
    story.connect()
    story.put(again())
    at(story, 10)
    story.settle()
    story.tell_ok(c.PauseJob("default", "j"))
    at(story, 20)
    story.settle()
    at(story, 21)
    story.put(again(delay="20m"))
    at(story, 45)
    story.tell_ok(c.DeleteJob("default", "j"))
    story.settle()
    assert [entry[1:3] for entry in ledger(story)] == [
        ("ran", ""), ("skipped", "paused"), ("skipped", "cancelled"),
    ]  # fmt: skip
    agrees(story)
