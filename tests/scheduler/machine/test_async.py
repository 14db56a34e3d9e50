"""A task that somebody outside completes: its process ends and frees its slot, its word comes once, before or
after that, in time; and what meets it while it waits."""

from __future__ import annotations

import json
from typing import Any

import pytest

from scheduler.machine.rules.completing import PROGRESS_MS_MIN
from scheduler.store.reads import outputs as output_reads
from scheduler.store.tables import completions
from scheduler.store.tables import tasks as task_rows
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.machine.test_sleep import pass_time, restore
from tests.scheduler.story import START_MS, Story, job

MINUTE_MS = 60_000
ANN = c.Actor("ann", "10.0.0.7")
HANDS_ON: dict[str, Any] = {"run": "submit", "async": {"timeout": "10m"}, "outputs": ["rows", "path"]}
TASKS: dict[str, dict[str, Any]] = {
    "submit": HANDS_ON,
    "load": {"noop": True, "needs": ["submit"]},
    "tell": {"noop": True, "needs": ["submit"], "rule": "any_failed"},
}


def begun(story: Story, tasks: dict[str, dict[str, Any]] = TASKS, *, slots: int = 100, **fields: Any) -> int:
    """A run of which a task's process goes on."""
    story.connect(slots=slots)
    story.put(job(tasks=tasks, **fields))
    run = int(story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run"))
    story.plan_and_apply()
    assert story.claim(1).ok
    return run


def handed_on(story: Story, tasks: dict[str, dict[str, Any]] = TASKS, **fields: Any) -> int:
    """One whose process has ended, at the story's first instant."""
    run = begun(story, tasks, **fields)
    assert story.finish(1, tail=b"job 17 submitted").ok
    assert story.attempt(1).state == "awaiting"
    return run


def complete(run: int, outcome: str = "succeeded", **fields: Any) -> c.CompleteTask:
    return c.CompleteTask(run, "submit", outcome, **fields)


def code(story: Story, command: c.Command) -> Code:
    before = story.store.value("SELECT count(*) FROM audit")
    outcome = story.one(command)
    assert outcome.ok or story.store.value("SELECT count(*) FROM audit") == before
    return outcome.code


def given(story: Story, run: int) -> dict[str, Any]:
    found = output_reads.of_tasks(story.store, run, story.tasks(run))
    return {task: json.loads(text) for task, text in found.items()}


def busy(story: Story) -> int:
    return int(story.store.value("SELECT sum(busy) FROM agents"))


# -- a word -----------------------------------------------------------------------------------------


def test_its_process_ends_frees_its_slot_and_somebody_completes_it(story: Story) -> None:
    run = handed_on(story)
    (awaiting,) = story.told(e.AttemptAwaiting)
    assert (awaiting.attempt, awaiting.until_ms) == (1, START_MS + 10 * MINUTE_MS)
    assert (busy(story), story.attempt(1).live, story.attempt(1).finished_ms) == (0, 0, None)
    assert story.tasks(run) == {"submit": "active", "load": "blocked", "tell": "blocked"}
    pass_time(story, 9)
    assert story.attempt(1).state == "awaiting"
    story.tell_ok(complete(run, attempt=1, message="17 is done"))
    (said,) = story.told(e.AttemptCompleted)
    assert (said.attempt, said.outcome, said.actor, said.name) == (1, "succeeded", "", "submit")
    ended = story.attempt(1)
    assert (ended.state, ended.finished_ms, ended.exit_code) == ("succeeded", story.now_ms, 0)
    assert (ended.tail, ended.reason) == (b"job 17 submitted", "completed: 17 is done")
    story.settle()
    assert story.tasks(run) == {"submit": "succeeded", "load": "succeeded", "tell": "skipped"}
    assert (story.run(run).state, busy(story)) == ("succeeded", 0)
    assert verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms).ok


def test_who_completes_it_as_failed_fails_it_and_says_why(story: Story) -> None:
    run = handed_on(story)
    story.tell_ok(complete(run, "failed", message="disk full", actor=ANN))
    story.settle()
    assert story.tasks(run) == {"submit": "failed", "load": "skipped", "tell": "succeeded"}
    assert story.run(run).state == "failed"
    assert story.run(run).reason == "completed as failed by ann: disk full"


def test_a_persons_word_is_in_the_audit_with_what_it_came_to(story: Story) -> None:
    run = handed_on(story)
    story.tell_ok(complete(run, message="I looked", actor=ANN))
    columns = "action, kind, name, run, before, after, reason, actor"
    entry = story.store.row(f"SELECT {columns} FROM audit ORDER BY id DESC")
    assert entry == ("complete", "task", "j/submit", run, "active", "succeeded", "I looked", "ann")


def test_the_same_word_twice_is_one_and_another_hears_what_stands(story: Story) -> None:
    run = handed_on(story)
    word = complete(run, attempt=1, message="done", outputs=b'{"rows":3}')
    story.tell_ok(word)
    entries = story.store.value("SELECT count(*) FROM audit")
    again = story.one(word)
    assert (again.ok, again.value) == (True, {"run": run, "attempt": 1, "outcome": "succeeded"})
    assert (story.told(e.AttemptCompleted), story.store.value("SELECT count(*) FROM audit")) == ([], entries)
    for other in (
        complete(run, "failed", attempt=1, message="done", outputs=b'{"rows":3}'),
        complete(run, attempt=1, message="done", outputs=b'{"rows":4}'),
        complete(run, attempt=1, message="do", outputs=b'{"rows":3}'),
        complete(run, actor=ANN),
    ):
        refused = story.one(other)
        assert refused.code == Code.CONFLICT
        assert (refused.value or {})["outcome"] == "succeeded"
    story.settle()
    assert story.one(word).ok  # the run is over, and it is the same word still


def test_one_that_comes_before_its_process_ended_waits_for_that(story: Story) -> None:
    run = begun(story, {"submit": HANDS_ON})
    story.tell_ok(complete(run, attempt=1, outputs=b'{"rows":3}'))
    assert (story.attempt(1).state, story.tasks(run)["submit"]) == ("granted", "active")
    assert story.one(complete(run, attempt=1, outputs=b'{"rows":3}')).ok
    assert code(story, complete(run, "failed", attempt=1)) == Code.CONFLICT
    assert story.finish(1, outputs=b'{"path":"/a","rows":1}').ok
    assert (story.attempt(1).state, busy(story)) == ("succeeded", 0)
    assert given(story, run) == {"submit": {"path": "/a", "rows": 3}}


@pytest.mark.parametrize("outcome", ["succeeded", "failed"])
def test_a_bad_end_of_its_process_is_its_end_whatever_was_said(story: Story, outcome: str) -> None:
    run = begun(story)
    story.tell_ok(complete(run, outcome, attempt=1))
    assert story.finish(1, exit_code=7).ok
    assert (story.attempt(1).state, story.attempt(1).exit_code) == ("failed", 7)
    assert story.tasks(run)["submit"] == "failed"


def test_a_failed_word_before_its_process_ended_fails_it_then(story: Story) -> None:
    run = begun(story)
    story.tell_ok(complete(run, "failed", attempt=1, message="no"))
    assert story.finish(1).ok
    assert (story.attempt(1).state, story.attempt(1).reason) == ("failed", "completed as failed: no")


def test_what_its_process_gave_and_what_came_with_the_word_are_one(story: Story) -> None:
    run = begun(story)
    assert story.finish(1, outputs=b'{"path":"/a","rows":1}').ok
    assert given(story, run) == {}
    assert code(story, complete(run, attempt=1, outputs=b'{"lines":3}')) == Code.INVALID
    assert code(story, complete(run, attempt=1, outputs=b"[3]")) == Code.INVALID
    assert code(story, complete(run, attempt=1, outputs=b'{"rows":"' + b"x" * 70_000 + b'"}')) == Code.INVALID
    story.tell_ok(complete(run, attempt=1, outputs=b'{"rows":3}'))
    assert given(story, run) == {"submit": {"path": "/a", "rows": 3}}


def test_a_warning_of_its_process_stays_one(story: Story) -> None:
    run = handed_on(story, {"submit": {**HANDS_ON, "exit": {"ok": [1], "warn": [0]}}})
    story.tell_ok(complete(run, attempt=1))
    assert (story.run(run).state, story.run(run).warned) == ("succeeded", 1)


def test_what_its_exit_skips_or_is_there_already_awaits_nobody(story: Story) -> None:
    run = begun(story, {"submit": {**HANDS_ON, "exit": {"skip": [9]}}})
    assert story.finish(1, exit_code=9).ok
    assert story.tasks(run) == {"submit": "skipped"}


@pytest.mark.parametrize(
    ("command", "said"),
    [
        (c.CompleteTask(1, "load", "succeeded"), Code.CONFLICT),
        (c.CompleteTask(1, "lod", "succeeded"), Code.NOT_FOUND),
        (c.CompleteTask(9, "submit", "succeeded"), Code.NOT_FOUND),
        (c.CompleteTask(1, "submit", "succeeded", attempt=9), Code.NOT_FOUND),
        (c.CompleteTask(1, "submit", "done"), Code.INVALID),
        (c.CompleteTask(1, "submit", "failed", "x" * 501), Code.INVALID),
    ],
)
def test_what_cannot_be_completed_says_so(story: Story, command: c.CompleteTask, said: Code) -> None:
    handed_on(story)
    assert code(story, command) == said
    assert story.attempt(1).state == "awaiting"


def test_one_that_has_not_started_cannot_be_completed(story: Story) -> None:
    story.put(job(tasks=TASKS))
    run = int(story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run"))
    assert code(story, complete(run)) == Code.CONFLICT
    story.connect()
    story.plan_and_apply()
    assert code(story, complete(run)) == Code.CONFLICT


# -- time, retries, ends -------------------------------------------------------------------------------


def test_nobody_completes_it_and_its_time_from_its_start_is_over(story: Story) -> None:
    run = begun(story)
    story.now_ms += 4 * MINUTE_MS
    assert story.finish(1).ok
    story.now_ms += 6 * MINUTE_MS - 1
    assert story.plan() == []
    story.now_ms += 1
    assert code(story, complete(run, attempt=1)) == Code.ENDED  # by the stamp, before any clock said so
    story.settle()
    assert (story.attempt(1).state, story.attempt(1).reason) == ("timed_out", "nobody completed it in time")
    assert story.tasks(run)["submit"] == "timed_out"
    assert code(story, complete(run, attempt=1)) == Code.ENDED
    assert story.run(run).state == "timed_out"


def test_its_process_may_take_no_longer_than_all_of_it(story: Story) -> None:
    run = begun(story, {"submit": HANDS_ON})
    assert story.compiled(0, 1, "default", "j").tasks[0].timeout_ms == 10 * MINUTE_MS
    ended_ms, row = story.now_ms + MINUTE_MS, story.attempt(1)
    story.now_ms += 11 * MINUTE_MS  # its end was told late
    told = c.Finish(1, row.agent, row.granted_ms, ended_ms, 0, "exit")
    assert story.one(told).ok
    assert (story.attempt(1).state, busy(story)) == ("timed_out", 0)
    assert story.attempt(1).finished_ms == story.now_ms, "it went on until its time was over"
    assert story.tasks(run)["submit"] == "timed_out"
    assert story.one(told).value == {"state": "timed_out", "late": False}, "the same once more"
    assert not story.attempt(1).late


def test_a_retry_is_another_attempt_and_the_word_of_the_former_is_refused(story: Story) -> None:
    run = handed_on(story, {"submit": {**HANDS_ON, "retry": {"max": 1, "first": "1s"}}})
    story.tell_ok(complete(run, "failed", attempt=1))
    assert story.tasks(run)["submit"] == "retry_wait"
    story.now_ms += 1_000
    story.plan_and_apply()
    story.plan_and_apply()
    assert story.claim(2).ok
    assert code(story, complete(run, attempt=1)) == Code.CONFLICT
    assert story.finish(2).ok
    assert (story.attempt(2).state, story.tasks(run)["submit"]) == ("awaiting", "active")
    assert code(story, complete(run, attempt=1)) == Code.CONFLICT
    story.tell_ok(complete(run, attempt=2))
    assert story.run(run).state == "succeeded"


def test_one_that_timed_out_is_tried_again(story: Story) -> None:
    run = handed_on(story, {"submit": {**HANDS_ON, "retry": {"max": 1, "first": "1s"}}})
    story.now_ms += 10 * MINUTE_MS
    story.plan_and_apply()
    assert story.tasks(run)["submit"] == "retry_wait"
    assert code(story, complete(run, attempt=1)) == Code.ENDED


@pytest.mark.parametrize("how", ["cancel", "stop", "timeout", "delete"])
def test_what_ends_it_meanwhile_ends_it_at_once_but_for_the_end_of_its_job(story: Story, how: str) -> None:
    run = handed_on(story, policies={"timeout": "5m"})
    if how == "cancel":
        story.tell_ok(c.CancelRun(run))
    elif how == "stop":
        story.tell_ok(c.StopTask(run, "submit"))
    elif how == "timeout":
        story.now_ms += 5 * MINUTE_MS  # its run's stands not still: the work goes on elsewhere
        story.plan_and_apply()
    else:
        story.tell_ok(c.DeleteJob("default", "j"))
        assert story.attempt(1).state == "awaiting"
        story.tell_ok(complete(run, attempt=1))
        # Nothing more of it starts.
        states = {"submit": "succeeded", "load": "cancelled", "tell": "cancelled"}
        assert (story.attempt(1).state, story.tasks(run)) == ("succeeded", states)
        return
    (ended,) = story.told(e.AttemptEnded)
    assert (ended.attempt, ended.state, busy(story)) == (1, "cancelled", 0)
    assert story.tasks(run)["submit"] == "cancelled"
    assert code(story, complete(run, attempt=1)) == Code.ENDED
    story.settle()
    states = {"cancel": "cancelled", "stop": "cancelled", "timeout": "timed_out"}
    assert story.run(run).state == states[how]


def test_one_that_is_asked_to_stop_awaits_nobody_behind_its_process(story: Story) -> None:
    run = begun(story)
    story.tell_ok(c.CancelRun(run))
    assert story.attempt(1).state == "cancelling"
    assert story.finish(1).ok
    assert (story.attempt(1).state, story.run(run).state) == ("cancelled", "cancelled")


def test_it_is_completed_while_its_run_is_suspended(story: Story) -> None:
    run = handed_on(story)
    story.tell_ok(c.SuspendRun(run))
    story.tell_ok(complete(run, attempt=1))
    assert (story.tasks(run)["submit"], story.run(run).state) == ("succeeded", "suspended")


# -- agents and what it holds ------------------------------------------------------------------------


def test_its_agent_may_go_and_come_back_anew_and_its_slot_is_free(story: Story) -> None:
    run = handed_on(story, slots=1)
    other = int(story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run"))
    story.plan_and_apply()
    assert story.claim(2).ok
    story.disconnect(1)
    pass_time(story, 2)
    assert story.attempt(1).state == "awaiting"
    story.connect(session="s2", boot_id="boot-2")
    assert story.attempt(1).state == "awaiting"
    assert story.attempt(2).state == "lost"  # a process, which the boot ended
    story.tell_ok(complete(run, attempt=1))
    assert story.tasks(run)["submit"] == "succeeded"
    assert story.tasks(other)["submit"] == "lost"


def test_the_same_end_of_its_process_told_again_changes_nothing(story: Story) -> None:
    run = handed_on(story)
    assert story.finish(1).ok
    assert (story.attempt(1).state, busy(story)) == ("awaiting", 0)
    assert code(story, c.ReportRunning(1, 1, START_MS)) == Code.ENDED
    assert story.claim(1).ok  # the same claim, the same grant
    story.tell_ok(complete(run, attempt=1))
    assert story.finish(1).ok
    assert (story.attempt(1).state, story.attempt(1).late) == ("succeeded", "")


def test_a_lost_one_is_lost_whatever_was_said_before(story: Story) -> None:
    run = begun(story)
    story.tell_ok(complete(run, attempt=1))
    story.disconnect(1)
    story.tell_ok(c.ResolveRun(run))
    assert (story.attempt(1).state, story.tasks(run)["submit"]) == ("lost", "lost")


def test_it_keeps_its_locks_until_it_is_completed(story: Story) -> None:
    story.apply({"resource": "yard"})
    run = handed_on(story, {"submit": {**HANDS_ON, "locks": ["yard"]}})
    other = int(story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run"))
    story.settle()
    assert story.tasks(other)["submit"] == "queued"
    assert story.store.value("SELECT count(*) FROM lock_holds") == 1
    story.tell_ok(complete(run, attempt=1))
    assert story.store.value("SELECT count(*) FROM lock_holds") == 0
    story.settle()
    assert story.attempt(2).state == "awaiting"


@pytest.mark.parametrize("how", ["cancel", "timeout"])
def test_one_that_nobody_completes_gives_its_locks_back(story: Story, how: str) -> None:
    story.apply({"resource": "yard"})
    run = handed_on(story, {"submit": {**HANDS_ON, "locks": ["yard"]}})
    if how == "cancel":
        story.tell_ok(c.CancelRun(run))
    else:
        pass_time(story, 10)
    assert story.store.value("SELECT count(*) FROM lock_holds") == 0


def test_members_are_completed_one_by_one_and_its_join_waits(story: Story) -> None:
    tasks: dict[str, dict[str, Any]] = {
        "submit": {**HANDS_ON, "fanout": {"foreach": ["a", "b"]}},
        "load": {"noop": True, "needs": ["submit"]},
    }
    story.connect()
    story.put(job(tasks=tasks))
    run = int(story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run"))
    story.settle()
    assert [each.state for each in story.attempts(run)] == ["awaiting", "awaiting"]
    whole = story.one(complete(run))
    assert (whole.code, "say which of its members" in whole.detail) == (Code.CONFLICT, True)
    story.tell_ok(complete(run, attempt=1, outputs=b'{"rows":1}'))
    story.tell_ok(complete(run, member="1", actor=ANN, outputs=b'{"rows":2}'))
    story.settle()
    assert story.run(run).state == "succeeded"
    assert given(story, run)["submit"]["rows"] == "[1,2]"


def test_a_member_that_nobody_completes_times_out_by_itself(story: Story) -> None:
    story.connect()
    story.put(job(tasks={"submit": {**HANDS_ON, "fanout": {"foreach": ["a"]}}}))
    run = int(story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run"))
    story.settle()
    assert story.attempt(1).state == "awaiting"
    pass_time(story, 10)
    assert (story.attempt(1).state, story.run(run).state) == ("timed_out", "timed_out")


# -- how far it is -----------------------------------------------------------------------------------


def test_it_tells_how_far_it_is_but_not_all_the_time(story: Story) -> None:
    run = begun(story)
    story.tell_ok(c.ReportProgress(run, 1, 10, "copying"))
    (told,) = story.told(e.AttemptProgressed)
    assert (told.attempt, told.percent, told.text) == (1, 10, "copying")
    assert story.one(c.ReportProgress(run, 1, 10, "copying")).ok  # the same
    assert story.told(e.AttemptProgressed) == []
    refused = story.one(c.ReportProgress(run, 1, 20, "copying"))
    assert (refused.code, refused.value) == (Code.LIMIT, {"again_ms": story.now_ms + PROGRESS_MS_MIN})
    assert story.finish(1).ok
    story.now_ms += PROGRESS_MS_MIN
    story.tell_ok(c.ReportProgress(run, 1, None, "the last of them"))
    known = completions.get(story.store, 1, run)
    assert (known.percent, known.doing, known.told_ms) == (None, "the last of them", story.now_ms)
    assert code(story, c.ReportProgress(run, 1, 101)) == Code.INVALID
    assert code(story, c.ReportProgress(run, 1, 1, "x" * 201)) == Code.INVALID
    assert code(story, c.ReportProgress(run, 9, 1)) == Code.NOT_FOUND
    story.tell_ok(complete(run, attempt=1))
    story.now_ms += PROGRESS_MS_MIN
    assert code(story, c.ReportProgress(run, 1, 30)) == Code.ENDED


# -- restarts, restores, retention ----------------------------------------------------------------------


def test_a_new_leader_and_a_restart_in_the_middle_change_nothing(story: Story) -> None:
    run = handed_on(story)
    story.lead()
    story.reopen()
    pass_time(story, 9)
    story.lead()
    story.tell_ok(complete(run, attempt=1))
    story.settle()
    assert story.run(run).state == "succeeded"


@pytest.mark.parametrize("on_lost", ["wait", "retry"])
def test_after_a_restore_it_may_be_completed_still_and_its_time_begins_anew(
    story: Story, on_lost: str
) -> None:
    policies = {"on_lost": on_lost, "idempotent": on_lost == "retry"}
    run = handed_on(story, policies=policies)
    story.now_ms += 20 * MINUTE_MS
    restore(story)
    restored_ms = story.now_ms
    pass_time(story, 1)
    assert story.attempt(1).state == "awaiting"
    story.now_ms = restored_ms + 10 * MINUTE_MS - 1
    story.settle()
    assert story.attempt(1).state == "awaiting"
    story.tell_ok(complete(run, attempt=1))
    story.settle()
    assert story.run(run).state == "succeeded"


def test_after_a_restore_nobody_completes_it_and_it_times_out(story: Story) -> None:
    run = handed_on(story)
    restore(story)
    pass_time(story, 1)
    pass_time(story, 9)
    assert (story.attempt(1).state, story.run(run).state) == ("timed_out", "timed_out")


def test_what_is_known_of_it_goes_with_its_run(story: Story) -> None:
    run = handed_on(story)
    story.tell_ok(complete(run, attempt=1))
    story.settle()
    assert story.store.value("SELECT count(*) FROM completions") == 1
    story.tell_ok(c.Purge(story.epoch, story.job().id, run, 100))
    assert story.store.value("SELECT count(*) FROM completions") == 0
    assert code(story, complete(run, attempt=1)) == Code.NOT_FOUND


def test_the_row_of_its_task_says_that_it_is_awaited(story: Story) -> None:
    run = handed_on(story)
    task = task_rows.newest(story.store, run, "submit")
    assert task is not None
    assert task.is_awaited
