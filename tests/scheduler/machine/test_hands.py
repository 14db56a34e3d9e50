"""Hands on a live run: suspended, resumed, held, released."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scheduler.machine.context import ROW
from scheduler.plan import wake_ms
from scheduler.store.tables import clocks, holds
from scheduler.store.tables import tasks as task_rows
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.story import START_MS, Story, job

MINUTE_MS = 60_000
ADA = c.Actor("ada")
TASKS = 5_000
CHAIN: dict[str, dict[str, Any]] = {
    "first": {"noop": True, "retry": {"max": 1, "first": "1m"}},
    "second": {"noop": True, "needs": ["first"]},
    "third": {"noop": True, "needs": ["second"]},
}


def run_job(story: Story, name: str = "j", **fields: Any) -> int:
    return int(story.value(c.RunJob("default", name, b"{}", story.now_ms, **fields), "run"))


def placed(story: Story, run: int) -> int:
    """The attempt that the next plan places."""
    story.plan_and_apply()
    return story.attempts(run)[-1].id


def suspend(story: Story, run: int, reason: str = "") -> None:
    story.tell_ok(c.SuspendRun(run, reason, ADA))


def resume(story: Story, run: int) -> None:
    story.tell_ok(c.ResumeRun(run, "", ADA))


# -- nothing starts -------------------------------------------------------------------------------


def test_of_a_suspended_run_nothing_starts_and_what_runs_goes_on(story: Story) -> None:
    story.connect()
    story.put(job(tasks=CHAIN))
    run = run_job(story)
    story.claim(placed(story, run))
    suspend(story, run, "the database is moved")

    assert story.run(run).state == "suspended"
    told = story.told(e.RunHeld)[0]
    assert (told.run, told.state, told.actor) == (run, "suspended", "ada")
    assert told.reason == "the database is moved"
    story.finish(story.attempts(run)[0].id)
    story.settle()
    assert story.tasks(run) == {"first": "succeeded", "second": "blocked", "third": "blocked"}
    assert story.plan() == []

    resume(story, run)
    assert (story.run(run).state, story.tasks(run)["second"]) == ("running", "queued")
    assert holds.get(story.store, run) is None
    story.settle()
    assert story.run(run).state == "succeeded"
    assert verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms).ok


def test_a_run_may_end_while_it_is_suspended(story: Story) -> None:
    story.connect()
    story.put(job(policies={"timeout": "1h"}))
    run = run_job(story)
    story.claim(placed(story, run))
    suspend(story, run)
    story.finish(story.attempts(run)[0].id, exit_code=3)
    assert story.run(run).state == "failed"
    assert clocks.get(story.store, run) is None
    refusal = story.one(c.ResumeRun(run))
    assert (refusal.code, refusal.value) == (Code.ENDED, {"state": "failed"})


def test_what_waits_for_an_agent_leaves_the_queue(story: Story) -> None:
    story.put(job(tasks={"a": {"noop": True}, "b": {"noop": True}}))
    run = run_job(story)
    suspend(story, run)
    assert story.run(run).state == "suspended"
    assert story.tasks(run) == {"a": "blocked", "b": "blocked"}
    story.connect()
    story.settle()
    assert story.attempts(run) == []
    resume(story, run)
    assert story.run(run).state == "pending"
    story.settle()
    assert story.run(run).state == "succeeded"


def test_an_attempt_without_a_grant_is_taken_back_and_counts_for_nothing(story: Story) -> None:
    agent = story.connect(slots=1)
    story.put(job())
    run = run_job(story)
    attempt = placed(story, run)
    suspend(story, run)
    taken = story.attempt(attempt)
    assert (taken.state, taken.reason) == ("revoked", "its run is suspended")
    assert story.claim(attempt).code == Code.REVOKED
    assert story.store.value("SELECT busy FROM agents WHERE id = ?", (agent,)) == 0
    resume(story, run)
    story.settle()
    assert [each.number for each in story.attempts(run)] == [1, 1]
    assert story.run(run).state == "succeeded"


def test_a_grant_that_comes_before_its_task_has_its_turn_is_refused(tmp_path: Path) -> None:
    """The walk goes on in slices: what it has not come to starts as little."""
    story = Story(tmp_path / "small.db", room=ROW)
    story.lead()
    story.connect()
    story.put(job(tasks={name: {"noop": True} for name in "abcdefgh"}))
    run = run_job(story)
    for _ in range(8):
        story.plan_and_apply()
    last = story.attempts(run)[-1].id
    suspend(story, run)
    assert story.attempt(last).state == "assigned"
    assert story.claim(last).code == Code.REVOKED
    for _ in range(8):
        story.plan_and_apply()
    assert story.tasks(run) == dict.fromkeys("abcdefgh", "blocked")


def test_a_retry_that_comes_due_waits_with_its_run_and_is_the_next_try(story: Story) -> None:
    story.connect()
    story.put(job(tasks=CHAIN))
    run = run_job(story)
    story.claim(placed(story, run))
    story.finish(story.attempts(run)[0].id, exit_code=1)
    assert story.tasks(run)["first"] == "retry_wait"
    suspend(story, run)
    assert story.tasks(run)["first"] == "retry_wait"
    story.now_ms += MINUTE_MS
    story.settle()
    assert story.tasks(run)["first"] == "blocked"
    resume(story, run)
    story.settle()
    tries = [(each.number, each.state) for each in story.attempts(run)]
    assert tries[:2] == [(1, "failed"), (2, "succeeded")]
    assert story.run(run).state == "succeeded"


def test_a_task_that_needs_any_is_queued_again_whatever_its_other_needs_did_meanwhile(story: Story) -> None:
    tasks = {
        "a": {"noop": True}, "b": {"noop": True},
        "c": {"noop": True, "needs": ["a", "b"], "rule": "any_success"},
    }  # fmt: skip
    story.connect(slots=2)
    story.put(job(tasks=tasks))
    run = run_job(story)
    story.plan_and_apply()
    for attempt in story.attempts(run):
        story.claim(attempt.id)
    story.finish(story.attempts(run)[0].id)
    assert story.tasks(run)["c"] == "active"
    suspend(story, run)
    story.finish(story.attempts(run)[1].id)
    assert story.tasks(run)["c"] == "blocked"
    resume(story, run)
    story.settle()
    assert story.run(run).state == "succeeded"


def test_a_task_that_never_can_start_ends_while_its_run_is_suspended(story: Story) -> None:
    story.connect()
    story.put(job(tasks={"a": {"noop": True}, "b": {"noop": True, "needs": ["a"]}}))
    run = run_job(story)
    story.claim(placed(story, run))
    suspend(story, run)
    story.finish(story.attempts(run)[0].id, exit_code=1)
    assert story.tasks(run) == {"a": "failed", "b": "skipped"}
    assert story.run(run).state == "failed"


def test_a_cancelled_run_does_not_stay_suspended(story: Story) -> None:
    story.connect()
    story.put(job(tasks=CHAIN))
    run = run_job(story)
    attempt = placed(story, run)
    story.claim(attempt)
    suspend(story, run)
    story.tell_ok(c.CancelRun(run, ADA))
    assert story.one(c.SuspendRun(run)).code == Code.CONFLICT
    story.finish(attempt, exit_code=None, reason="cancelled")
    assert story.run(run).state == "cancelled"


def test_a_run_that_is_cancelled_in_slices_is_not_kept_by_who_lets_it_go_on(tmp_path: Path) -> None:
    story = Story(tmp_path / "s.db", room=ROW)
    story.lead()
    story.put(job(tasks={f"t{number}": {"noop": True} for number in range(5)}))
    run = run_job(story)
    while story.run(run).unfinished:
        story.plan_and_apply()
    suspend(story, run)
    story.tell_ok(c.CancelRun(run, ADA))
    story.plan_and_apply()
    assert story.run(run).walk == "stop"
    resume(story, run)
    while story.run(run).unfinished:
        story.plan_and_apply()
    assert story.run(run).state == "cancelled"


def test_the_deletion_of_its_job_ends_a_suspended_run(story: Story) -> None:
    story.connect()
    story.put(job(tasks=CHAIN, policies={"timeout": "1h"}))
    begun, waits = run_job(story), run_job(story)
    story.claim(placed(story, begun))
    for run in (begun, waits):
        suspend(story, run)
    story.tell_ok(c.DeleteJob("default", "j"))
    assert story.run(waits).state == "cancelled"
    assert (story.run(begun).state, story.run(begun).stop_ms) == ("running", START_MS + 60 * MINUTE_MS)
    story.finish(story.attempts(begun)[0].id)
    assert story.run(begun).state == "cancelled"


# -- clocks ---------------------------------------------------------------------------------------


def test_the_timeout_stands_still_while_a_run_is_suspended(story: Story) -> None:
    story.connect()
    story.put(job(tasks=CHAIN, policies={"timeout": "10m"}))
    run = run_job(story)
    story.claim(placed(story, run))
    story.now_ms += 4 * MINUTE_MS
    suspend(story, run)
    assert story.run(run).stop_ms is None
    assert wake_ms(story.store) is None
    story.now_ms += 100 * MINUTE_MS
    story.settle()
    assert story.run(run).state == "suspended"
    resume(story, run)
    assert story.run(run).stop_ms == story.now_ms + 6 * MINUTE_MS
    assert clocks.get(story.store, run) is None


def test_a_timeout_that_stands_still_for_a_sleep_too_goes_on_when_both_are_over(story: Story) -> None:
    tasks = {"nap": {"sleep": "10m"}, "last": {"noop": True, "needs": ["nap"]}}
    story.put(job(tasks=tasks, policies={"timeout": "5m"}))
    run = run_job(story)
    story.now_ms += MINUTE_MS
    suspend(story, run)
    story.now_ms += 20 * MINUTE_MS
    story.settle()
    assert story.tasks(run) == {"nap": "succeeded", "last": "blocked"}
    assert story.run(run).stop_ms is None
    resume(story, run)
    assert story.run(run).stop_ms == story.now_ms + 5 * MINUTE_MS  # none of it passed while it slept


def test_a_start_deadline_stands_still_and_a_pause_beside_it_counts_once(story: Story) -> None:
    story.put(job(policies={"start_deadline": "10m"}))
    run = run_job(story)
    story.now_ms += 2 * MINUTE_MS
    suspend(story, run)
    assert story.run(run).deadline_ms is None
    story.now_ms += 30 * MINUTE_MS
    story.tell_ok(c.Pause("", "the power is off"))
    story.now_ms += 30 * MINUTE_MS
    resume(story, run)
    story.now_ms += 20 * MINUTE_MS
    story.tell_ok(c.Resume(""))
    story.plan_and_apply()  # the deadline is judged with what the pause alone kept back
    assert story.run(run).deadline_ms == START_MS + (10 + 60 + 20) * MINUTE_MS
    story.now_ms = START_MS + 90 * MINUTE_MS - 1
    assert story.plan() == []
    story.now_ms += 1
    story.plan_and_apply()
    assert story.run(run).state == "expired"


# -- held and released ----------------------------------------------------------------------------


def test_a_held_run_waits_for_its_release(story: Story) -> None:
    story.connect()
    story.put(job(policies={"start_deadline": "1m"}))
    run = run_job(story, held=True, reason="after the audit", actor=ADA)
    assert story.run(run).state == "held"
    assert [(each.state, each.reason) for each in story.told(e.RunHeld)] == [("held", "after the audit")]
    story.now_ms += 60 * MINUTE_MS
    story.settle()
    assert (story.run(run).state, story.tasks(run)) == ("held", {"main": "blocked"})
    story.tell_ok(c.ReleaseRun(run, "", ADA))
    assert (story.run(run).state, story.run(run).deadline_ms) == ("pending", story.now_ms + MINUTE_MS)
    story.settle()
    assert story.run(run).state == "succeeded"


def test_a_held_run_counts_for_overlap(story: Story) -> None:
    story.connect()
    story.put(job(trigger={"every": "1m"}, policies={"overlap": "skip"}))
    run_job(story, held=True)
    story.now_ms += MINUTE_MS
    story.settle()
    assert story.ledger()[-1][2:] == ("skipped", "overlap")


def test_a_run_that_waits_behind_others_is_released_from_that(story: Story) -> None:
    story.put(job(trigger={"every": "1m"}, policies={"overlap": "queue_one"}))
    for _ in range(2):
        story.now_ms += MINUTE_MS
        story.plan_and_apply()
    assert [bool(story.run(run).waiting) for run in (1, 2)] == [False, True]
    story.tell_ok(c.ReleaseRun(2, "it cannot wait", ADA))
    assert (story.run(2).waiting, story.tasks(2)) == (0, {"main": "queued"})
    assert story.run(1).state == "pending"


def test_no_release_lifts_a_quota(story: Story) -> None:
    story.tell_ok(c.PutNamespace("default", b"{}", active_max=1))
    story.put(job())
    first, second = run_job(story), run_job(story)
    refusal = story.one(c.ReleaseRun(second))
    assert refusal.code == Code.CONFLICT
    assert "no release lifts a quota" in refusal.detail
    story.tell_ok(c.CancelRun(first), c.AdmitRuns(story.epoch, "default"))
    assert story.tasks(second) == {"main": "queued"}


@pytest.mark.parametrize(
    ("command", "says"),
    [
        (c.ResumeRun(1), "run 1 is held, not suspended: release it"),
        (c.SuspendRun(1), "run 1 is held: nothing of it starts until it is released"),
        (c.ReleaseRun(2), "run 2 is suspended, not held: resume it"),
    ],
)
def test_each_word_is_for_its_own_state(story: Story, command: c.Command, says: str) -> None:
    story.put(job())
    run_job(story, held=True)
    suspend(story, run_job(story))
    refusal = story.one(command)
    assert (refusal.code, refusal.detail) == (Code.CONFLICT, says)


@pytest.mark.parametrize("kind", [c.SuspendRun, c.ResumeRun, c.ReleaseRun])
def test_no_run_and_a_reason_without_end_are_refused(story: Story, kind: Any) -> None:
    story.put(job())
    run = run_job(story)
    assert story.one(kind(run + 1)).code == Code.NOT_FOUND
    assert story.one(kind(run, "x" * 501)).code == Code.INVALID
    held = c.RunJob("default", "j", b"{}", story.now_ms, held=True, reason="x" * 501)
    assert story.one(held).code == Code.INVALID
    assert story.run(run).state == "pending"


def test_who_asks_twice_is_told_that_it_is_done(story: Story) -> None:
    story.put(job())
    run = run_job(story)
    resume(story, run)
    suspend(story, run, "first")
    story.now_ms += 5
    suspend(story, run, "second")
    hold = holds.get(story.store, run)
    assert hold is not None
    assert (hold.since_ms, hold.reason) == (START_MS, "second")
    resume(story, run)
    resume(story, run)
    assert story.run(run).state == "pending"
    audit = story.store.rows("SELECT action, before, after FROM audit WHERE run = ? ORDER BY id", (run,))
    assert audit[-4:] == [
        ("suspend", "pending", "suspended"),
        ("suspend", "suspended", "suspended"),
        ("resume", "suspended", "pending"),
        ("resume", "pending", "pending"),
    ]


# -- many tasks -----------------------------------------------------------------------------------


def test_of_thousands_of_tasks_no_command_touches_more_than_there_is_room_for(story: Story) -> None:
    tasks = {f"t{place}": {"noop": True} for place in range(TASKS)}
    story.put(job(tasks=tasks))
    run = run_job(story)
    story.settle()
    assert story.store.value("SELECT count(*) FROM tasks WHERE state = 'queued'") == TASKS
    suspend(story, run)
    queued = story.store.value("SELECT count(*) FROM tasks WHERE state = 'queued'")
    assert TASKS - 1_000 < queued < TASKS
    story.connect(slots=3)
    story.plan_and_apply()
    assert story.attempts(run) == []  # what the walk has not come to is not placed either
    story.settle()
    assert story.store.value("SELECT count(*) FROM tasks WHERE state = 'blocked'") == TASKS
    resume(story, run)
    assert story.store.value("SELECT count(*) FROM tasks WHERE state = 'queued'") < 1_000
    suspend(story, run)  # in the middle of the other walk
    resume(story, run)
    for _ in range(60):
        unfinished = [each for each in story.plan() if isinstance(each, c.Continue)]
        if not unfinished:
            break
        story.tell_ok(*unfinished)
    waits = story.store.value("SELECT count(*) FROM tasks WHERE state = 'blocked'")
    assert (waits, story.run(run).state) == (0, "pending")


def test_holds_go_with_their_run(story: Story) -> None:
    story.connect()
    story.put(job(policies={"start_deadline": "1h", "retention": {"runs": 1}}))
    run = run_job(story)
    suspend(story, run)
    resume(story, run)
    assert holds.get(story.store, run) is not None
    story.settle()
    story.tell_ok(c.Purge(story.epoch, story.job().id, run, 10))
    assert story.store.value("SELECT count(*) FROM run_holds") == 0
    assert task_rows.of_run(story.store, run) == []
