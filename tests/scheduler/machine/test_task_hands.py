"""Hands on single tasks of a live run: held, released, skipped, tried now, stopped; failures that wait."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.store.tables import holds
from scheduler.store.tables import tasks as task_rows
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.machine.test_hands import ADA, MINUTE_MS, placed, resume, run_job, suspend
from tests.scheduler.story import START_MS, Story, job

TASKS: dict[str, dict[str, Any]] = {
    "first": {"noop": True},
    "second": {"noop": True, "needs": ["first"]},
    "third": {"noop": True, "needs": ["second"]},
    "anyway": {"noop": True, "needs": ["second"], "rule": "all_done"},
}
HOLD = {"on_failure": "hold"}


def task(story: Story, run: int, name: str) -> task_rows.Task:
    row = task_rows.find(story.store, run, name, task_rows.ONLY, task_rows.FIRST)
    assert row is not None
    return row


def begun(story: Story, **fields: Any) -> int:
    """A run whose first task has its grant."""
    story.connect()
    story.put(job(tasks=TASKS, **fields))
    run = run_job(story)
    story.claim(placed(story, run))
    return run


def end(story: Story, run: int, exit_code: int = 0) -> None:
    story.finish(story.attempts(run)[-1].id, exit_code=exit_code)


# -- held before its start ------------------------------------------------------------------------


def test_a_breakpoint_holds_a_task_that_becomes_ready(story: Story) -> None:
    run = begun(story)
    story.tell_ok(c.HoldTask(run, "second", "look at the data first", ADA))
    assert story.tasks(run)["second"] == "held"
    told = story.told(e.TaskHeld)[0]
    assert (told.name, told.failed, told.actor) == ("second", "", "ada")
    assert told.reason == "look at the data first"
    end(story, run)
    story.settle()
    assert story.tasks(run)["second"] == "held"
    assert story.run(run).state == "running"
    story.tell_ok(c.ReleaseTask(run, "second", "it is right", ADA))
    assert story.tasks(run)["second"] == "queued"
    assert holds.get(story.store, run, task(story, run, "second").id) is None
    story.settle()
    assert story.run(run).state == "succeeded"
    assert verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms).ok


def test_one_that_is_released_before_its_needs_have_ended_waits_for_them(story: Story) -> None:
    run = begun(story)
    story.tell_ok(c.HoldTask(run, "second"), c.ReleaseTask(run, "second"))
    assert story.tasks(run)["second"] == "blocked"
    story.tell_ok(c.HoldTask(run, "third"))
    end(story, run)
    story.settle()
    assert story.tasks(run)["third"] == "held"
    story.tell_ok(c.ReleaseTask(run, "third"))
    story.settle()
    assert story.run(run).state == "succeeded"


@pytest.mark.parametrize("state", ["queued", "assigned", "retry_wait"])
def test_what_has_not_started_is_held_wherever_it_is(story: Story, state: str) -> None:
    agent = story.connect() if state != "queued" else 0
    story.put(job(retry={"max": 2, "first": "1m"}))
    run = run_job(story)
    if state != "queued":
        attempt = placed(story, run)
    if state == "retry_wait":
        story.claim(attempt)
        story.finish(attempt, exit_code=1)
        assert story.tasks(run) == {"main": "retry_wait"}
    story.tell_ok(c.HoldTask(run, "main"))
    story.now_ms += 5 * MINUTE_MS
    assert story.plan() == []
    assert (story.tasks(run), task(story, run, "main").wake_ms) == ({"main": "held"}, None)
    assert story.store.value("SELECT coalesce(sum(busy), 0) FROM agents") == 0
    story.tell_ok(c.ReleaseTask(run, "main"))
    assert story.tasks(run) == {"main": "queued"}
    if agent:
        story.settle()
        numbers = [each.number for each in story.attempts(run)]
        assert numbers == ([1, 2] if state == "retry_wait" else [1, 1])


def test_one_that_has_started_is_not_held_and_a_held_one_that_can_never_start_ends(story: Story) -> None:
    run = begun(story)
    refusal = story.one(c.HoldTask(run, "first"))
    assert (refusal.code, refusal.detail) == (Code.CONFLICT, "task first has started: it can be stopped")
    story.tell_ok(c.HoldTask(run, "second"))
    end(story, run, exit_code=1)
    assert story.tasks(run)["second"] == "skipped"


def test_a_sleep_is_held_before_it_begins(story: Story) -> None:
    story.connect()
    story.put(job(tasks={"a": {"noop": True}, "nap": {"sleep": "1m", "needs": ["a"]}}))
    run = run_job(story)
    story.tell_ok(c.HoldTask(run, "nap"))
    story.settle()
    assert story.tasks(run)["nap"] == "held"
    story.tell_ok(c.ReleaseTask(run, "nap"))
    assert task(story, run, "nap").wake_ms == story.now_ms + MINUTE_MS


def test_a_held_task_of_a_suspended_run_waits_for_both(story: Story) -> None:
    run = begun(story)
    story.tell_ok(c.HoldTask(run, "second"))
    end(story, run)
    suspend(story, run)
    story.tell_ok(c.ReleaseTask(run, "second"))
    assert story.tasks(run)["second"] == "blocked"
    story.tell_ok(c.HoldTask(run, "second"))
    resume(story, run)
    assert story.tasks(run)["second"] == "held"
    story.tell_ok(c.ReleaseTask(run, "second"))
    assert story.tasks(run)["second"] == "queued"


# -- skipped ----------------------------------------------------------------------------------------


def test_what_needs_a_skipped_task_is_skipped_by_its_rule(story: Story) -> None:
    run = begun(story)
    story.tell_ok(c.SkipTask(run, "second", "not today", actor=ADA))
    assert task(story, run, "second").reason == "skipped by ada: not today"
    assert story.tasks(run) == {
        "first": "active", "second": "skipped", "third": "skipped", "anyway": "queued"
    }  # fmt: skip
    end(story, run)
    story.settle()
    assert story.run(run).state == "succeeded"


def test_what_needs_one_that_is_passed_over_goes_on(story: Story) -> None:
    run = begun(story)
    story.tell_ok(c.SkipTask(run, "second", passes=True))
    assert story.tasks(run) == {"first": "active", "second": "skipped", "third": "queued", "anyway": "queued"}


@pytest.mark.parametrize("state", ["queued", "assigned", "retry_wait", "held"])
def test_what_has_not_started_is_skipped_wherever_it_is(story: Story, state: str) -> None:
    if state not in ("queued", "held"):
        story.connect()
    story.put(job(retry={"max": 2, "first": "1m"}, trigger={"at": "2027-01-15T08:01:00Z"}))
    story.now_ms += MINUTE_MS
    story.plan_and_apply()
    if state == "retry_wait":
        story.claim(story.attempts(1)[0].id)
        end(story, 1, exit_code=1)
    if state == "held":
        story.tell_ok(c.HoldTask(1, "main"))
    story.tell_ok(c.SkipTask(1, "main"))
    assert (story.tasks(1), story.run(1).state) == ({"main": "skipped"}, "succeeded")
    assert story.ledger()[-1][2:] == ("ran", "")
    assert story.store.value("SELECT coalesce(sum(busy), 0) FROM agents") == 0


# -- tried now --------------------------------------------------------------------------------------


def test_a_task_is_tried_before_its_pause_is_over(story: Story) -> None:
    story.connect()
    story.put(job(retry={"max": 1, "first": "10m"}))
    run = run_job(story)
    story.claim(placed(story, run))
    end(story, run, exit_code=1)
    story.tell_ok(c.RetryTask(run, "main", "the disk is there again", ADA))
    story.settle()
    assert [each.state for each in story.attempts(run)] == ["failed", "succeeded"]
    refusal = story.one(c.RetryTask(run, "main"))
    assert refusal.code == Code.ENDED


def test_a_suspended_run_has_nothing_tried(story: Story) -> None:
    story.connect()
    story.put(job(retry={"max": 1, "first": "10m"}))
    run = run_job(story)
    story.claim(placed(story, run))
    end(story, run, exit_code=1)
    suspend(story, run)
    assert story.one(c.RetryTask(run, "main")).detail == f"run {run} is suspended: nothing of it starts"


# -- stopped ----------------------------------------------------------------------------------------


def test_the_attempt_of_one_task_is_stopped_and_the_run_goes_on_by_its_rules(story: Story) -> None:
    story.connect()
    story.put(job(tasks={**TASKS, "first": {"noop": True, "retry": {"max": 5}}, "beside": {"noop": True}}))
    run = run_job(story)
    story.plan_and_apply()
    for attempt in story.attempts(run):
        story.claim(attempt.id)
    mine = next(each for each in story.attempts(run) if each.task == task(story, run, "first").id)
    story.tell_ok(c.StopTask(run, "first", "", ADA))
    assert [each.attempt for each in story.told(e.AttemptCancelling)] == [mine.id]
    story.tell_ok(c.StopTask(run, "first", "", ADA))
    story.finish(mine.id, exit_code=143)  # its own end came first: it is not tried again all the same
    assert story.tasks(run) == {
        "first": "failed", "second": "skipped", "third": "skipped", "anyway": "active", "beside": "active"
    }  # fmt: skip
    story.settle()
    assert story.run(run).state == "failed"


def test_a_stopped_task_ends_as_cancelled(story: Story) -> None:
    run = begun(story)
    story.tell_ok(c.StopTask(run, "first"))
    story.finish(story.attempts(run)[0].id, exit_code=None, reason="cancelled")
    story.settle()
    assert story.tasks(run) == {
        "first": "cancelled", "second": "skipped", "third": "skipped", "anyway": "succeeded"
    }  # fmt: skip
    assert story.run(run).state == "cancelled"


@pytest.mark.parametrize("state", ["assigned", "retry_wait", "asleep"])
def test_what_is_under_way_without_a_grant_is_stopped_at_once(story: Story, state: str) -> None:
    story.connect()
    work: dict[str, Any] = {"sleep": "1h"} if state == "asleep" else {"noop": True, "retry": {"max": 1}}
    story.put(job(tasks={"main": work}))
    run = run_job(story)
    story.plan_and_apply()
    if state == "retry_wait":
        story.claim(story.attempts(run)[0].id)
        end(story, run, exit_code=1)
    story.tell_ok(c.StopTask(run, "main", "enough", ADA))
    assert (story.run(run).state, task(story, run, "main").reason) == ("cancelled", "stopped by ada: enough")


# -- failures that wait for a person ----------------------------------------------------------------


def test_a_failure_waits_for_a_person_and_goes_on_as_failed(story: Story) -> None:
    run = begun(story, policies={**HOLD, "timeout": "10m"})
    end(story, run, exit_code=3)
    held = story.told(e.TaskHeld)[0]
    assert (held.failed, held.actor) == ("failed", "")
    assert (story.run(run).state, story.tasks(run)["first"]) == ("running", "held")
    assert story.run(run).stop_ms is None  # the timeout waits with it
    story.now_ms += 60 * MINUTE_MS
    assert story.plan() == []
    story.tell_ok(c.ReleaseTask(run, "first", "so be it", ADA))
    first = task(story, run, "first")
    assert (first.state, first.exit_code) == ("failed", 3)
    assert story.tasks(run)["anyway"] == "queued"
    story.settle()
    assert story.run(run).state == "failed"


def test_a_failure_that_waits_is_tried_again_as_often_as_a_person_likes(story: Story) -> None:
    run = begun(story, policies={**HOLD, "timeout": "10m"})
    for number in (2, 3):
        end(story, run, exit_code=1)
        assert story.tasks(run)["first"] == "held"
        story.tell_ok(c.RetryTask(run, "first", "", ADA))
        story.claim(placed(story, run))
        assert story.attempts(run)[-1].number == number
        assert story.run(run).stop_ms == story.now_ms + 10 * MINUTE_MS
    story.settle()
    assert story.run(run).state == "succeeded"
    assert story.store.value("SELECT count(*) FROM run_holds") == 0


def test_a_failure_that_waits_is_passed_over(story: Story) -> None:
    run = begun(story, policies=HOLD)
    end(story, run, exit_code=1)
    story.tell_ok(c.SkipTask(run, "first", passes=True, actor=ADA))
    story.settle()
    assert (story.tasks(run)["first"], story.run(run).state) == ("skipped", "succeeded")


def test_retries_come_first_and_what_may_fail_waits_for_nobody(story: Story) -> None:
    story.connect()
    work = {"noop": True, "retry": {"max": 1, "first": "1m"}}
    story.put(job(tasks={"a": work, "b": {"noop": True, "allow_failure": True}}, policies=HOLD))
    run = run_job(story)
    story.settle(exit_code=1)
    assert story.tasks(run) == {"a": "retry_wait", "b": "failed"}
    story.now_ms += MINUTE_MS
    story.settle(exit_code=1)
    assert story.tasks(run)["a"] == "held"
    story.tell_ok(c.CancelRun(run))
    assert story.run(run).state == "cancelled"


def test_what_a_person_stopped_does_not_wait_for_another(story: Story) -> None:
    run = begun(story, policies=HOLD)
    story.tell_ok(c.StopTask(run, "first"))
    end(story, run, exit_code=1)
    assert story.tasks(run)["first"] == "failed"


# -- refused ----------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [c.HoldTask, c.ReleaseTask, c.SkipTask, c.RetryTask, c.StopTask])
def test_no_run_no_task_and_ends_are_refused(story: Story, kind: Any) -> None:
    run = begun(story)
    assert story.one(kind(run + 1, "first")).code == Code.NOT_FOUND
    assert story.one(kind(run, "frist")).detail == f"run {run} has no task 'frist'"
    assert story.one(kind(run, "second", "x" * 501)).code == Code.INVALID
    end(story, run)
    assert story.one(kind(run, "first")).code == Code.ENDED
    story.tell_ok(c.CancelRun(run))
    assert story.one(kind(run, "second")).code == Code.ENDED


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (c.SkipTask(1, "first"), "task first has started: it can be stopped"),
        (c.RetryTask(1, "first"), "task first is active: it waits for no other try"),
        (c.RetryTask(1, "second"), "task second is blocked: it waits for no other try"),
        (
            c.StopTask(1, "second"),
            "task second is blocked: there is nothing to stop, it can be held or skipped",
        ),
        (c.RetryTask(1, "third"), "task third is held before its start: release it"),
    ],
)
def test_what_cannot_be_says_what_can(story: Story, command: c.Command, says: str) -> None:
    assert begun(story) == 1
    story.tell_ok(c.HoldTask(1, "third"))
    refusal = story.one(command)
    assert (refusal.code, refusal.detail) == (Code.CONFLICT, says)


def test_what_is_skipped_while_its_run_waits_skips_what_needs_it_once_the_run_goes_on(story: Story) -> None:
    story.connect()
    tasks = {"a": {"noop": True}, "b": {"noop": True, "needs": ["a"]}, "c": {"noop": True, "needs": ["b"]}}
    story.put(job("j", tasks=tasks, policies={"overlap": "queue_all"}, trigger={"every": "1m"}))
    first = story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run")
    story.now_ms += 60_000
    story.plan_and_apply()
    (waiting,) = [run for run, in story.store.rows("SELECT id FROM runs WHERE waiting = 1")]
    story.tell_ok(c.SkipTask(waiting, "a", "why"))
    story.settle()

    assert story.run(first).state == "succeeded"
    assert story.tasks(waiting) == {"a": "skipped", "b": "skipped", "c": "skipped"}
    assert story.run(waiting).finished_ms is not None
