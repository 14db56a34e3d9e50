"""A task that asks a person: who may answer, once, in time; and what meets it while it waits."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest

from scheduler.store.reads import approvals as approval_reads
from scheduler.store.reads.approvals import Wanted
from scheduler.store.tables import approvals
from scheduler.store.tables import tasks as task_rows
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.machine.test_sleep import pass_time, restore
from tests.scheduler.story import START_MS, Story, job

MINUTE_MS = 60_000
ANN, BOB, CARL = (c.Actor(name, "10.0.0.7") for name in ("ann", "bob", "carl"))
ASKS: dict[str, Any] = {"approval": {"by": ["ann", "bob"], "expires": "10m", "text": "Pay?"}}
TASKS: dict[str, dict[str, Any]] = {
    "load": {"noop": True},
    "approve": {**ASKS, "needs": ["load"]},
    "pay": {"noop": True, "needs": ["approve"]},
    "tell": {"noop": True, "needs": ["approve"], "rule": "any_failed"},
}


def asking(story: Story, *, by: c.Actor = CARL, **fields: Any) -> int:
    """A run of which a task asks."""
    story.connect()
    story.put(job(**{"tasks": TASKS, **fields}), actor=CARL)
    run = int(story.value(c.RunJob("default", "j", b"{}", story.now_ms, actor=by), "run"))
    story.settle()
    assert story.tasks(run)["approve"] == "active"
    return run


def four_eyes() -> dict[str, dict[str, Any]]:
    return {**TASKS, "approve": {"approval": {"four_eyes": True, "expires": "10m"}, "needs": ["load"]}}


def approve(run: int, by: c.Actor = ANN, reason: str = "", **fields: Any) -> c.AnswerApproval:
    return c.AnswerApproval(run, "approve", "approved", reason, actor=by, **fields)


def reject(run: int, by: c.Actor = ANN, reason: str = "", **fields: Any) -> c.AnswerApproval:
    return c.AnswerApproval(run, "approve", "rejected", reason, actor=by, **fields)


def row(story: Story, run: int) -> approvals.Approval:
    task = task_rows.newest(story.store, run, "approve")
    assert task is not None
    found = approvals.get(story.store, task.id)
    assert found is not None
    return found


def code(story: Story, command: c.Command) -> Code:
    before = story.store.value("SELECT count(*) FROM audit")
    outcome = story.one(command)
    assert outcome.ok or story.store.value("SELECT count(*) FROM audit") == before
    return outcome.code


# -- an answer --------------------------------------------------------------------------------------


def test_a_run_waits_without_a_slot_and_goes_on_when_somebody_approves(story: Story) -> None:
    run = asking(story)
    (told,) = story.store.rows("SELECT sum(busy) FROM agents")
    assert told == (0,)
    asked = row(story, run)
    assert (asked.open, asked.expires_ms, asked.text) == (1, story.now_ms + 10 * MINUTE_MS, "Pay?")
    story.tell_ok(approve(run, reason="it is right"))
    (answered,) = story.told(e.ApprovalAnswered)
    assert (answered.answer, answered.actor, answered.reason) == ("approved", "ann", "it is right")
    states = {"load": "succeeded", "approve": "succeeded", "pay": "queued", "tell": "skipped"}
    assert story.tasks(run) == states
    story.settle()
    assert story.run(run).state == "succeeded"
    assert (row(story, run).open, row(story, run).actor) == (0, "ann")
    assert verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms).ok


def test_who_rejects_fails_the_task_and_says_why(story: Story) -> None:
    run = asking(story)
    story.tell_ok(reject(run, BOB, "not today"))
    story.settle()
    states = {"load": "succeeded", "approve": "failed", "pay": "skipped", "tell": "succeeded"}
    assert story.tasks(run) == states
    assert (story.run(run).state, story.run(run).reason) == ("failed", "rejected by bob: not today")


def test_it_is_in_the_audit_and_in_the_events(story: Story) -> None:
    run = asking(story)
    story.tell_ok(approve(run, reason="it is right"))
    columns = "action, kind, name, run, before, after, reason, actor"
    entry = story.store.row(f"SELECT {columns} FROM audit ORDER BY id DESC")
    assert entry == ("approve", "task", "j/approve", run, "active", "approved", "it is right", "ann")


def test_the_same_answer_twice_is_one_and_another_hears_who_answered(story: Story) -> None:
    run = asking(story)
    story.tell_ok(approve(run, reason="it is right"))
    entries = story.store.value("SELECT count(*) FROM audit")
    again = story.one(approve(run, reason="once more"))
    assert (again.ok, again.value) == (True, {"run": run, "answer": "approved"})
    assert story.store.value("SELECT count(*) FROM audit") == entries
    assert story.told(e.ApprovalAnswered) == []
    assert row(story, run).reason == "it is right"
    for other in (reject(run), approve(run, BOB), reject(run, BOB)):
        outcome = story.one(other)
        assert (outcome.code, outcome.detail) == (
            Code.CONFLICT, f"task approve of run {run} was approved by ann",
        )  # fmt: skip
    story.settle()
    assert story.one(approve(run)).ok  # also of a run that has ended by now


@pytest.mark.parametrize("who", [CARL, c.NOBODY])
def test_who_is_not_named_may_not(story: Story, who: c.Actor) -> None:
    run = asking(story)
    outcome = story.one(approve(run, who))
    assert outcome.code == Code.NOT_ALLOWED
    assert "ann or bob, with the role approver in default may answer" in outcome.detail
    assert row(story, run).open == 1


def test_where_nobody_is_named_whoever_has_the_role_may(story: Story) -> None:
    run = asking(story, tasks={**TASKS, "approve": {"approval": {}, "needs": ["load"]}})
    assert row(story, run).expires_ms - story.now_ms == 7 * 86_400_000
    story.tell_ok(approve(run, CARL))


def test_what_is_no_answer_is_refused(story: Story) -> None:
    run = asking(story)
    assert code(story, c.AnswerApproval(run, "approve", "maybe", actor=ANN)) == Code.INVALID
    assert code(story, approve(run, reason="x" * 501)) == Code.INVALID
    assert code(story, approve(99)) == Code.NOT_FOUND
    assert code(story, c.AnswerApproval(run, "nothing", "approved", actor=ANN)) == Code.NOT_FOUND
    assert code(story, approve(run, round=1)) == Code.NOT_FOUND
    for task in ("load", "pay"):  # which is over, and which has not begun
        assert code(story, c.AnswerApproval(run, task, "approved", actor=ANN)) == Code.CONFLICT
    assert row(story, run).open == 1


# -- four eyes ---------------------------------------------------------------------------------------


def test_four_eyes_keep_out_who_asked_for_the_run(story: Story) -> None:
    run = asking(story, tasks=four_eyes(), by=ANN)
    outcome = story.one(approve(run, ANN))
    assert outcome.code == Code.NOT_ALLOWED
    assert "four eyes" in outcome.detail
    story.tell_ok(approve(run, CARL))  # who wrote the job, and did not run it


def test_of_a_tick_it_is_who_gave_it_parameters_as_well_as_who_wrote_the_revision(story: Story) -> None:
    at = {"at": "2027-01-15T08:01:00Z", "id": "at"}
    params = {"sum": {"type": "integer", "default": 1}}
    tasks = four_eyes()
    tasks["approve"]["approval"]["by"] = ["ann", "bob", "carl"]
    story.connect()
    story.put(job(tasks=tasks, trigger=at, params=params), actor=BOB)
    at_ms = START_MS + MINUTE_MS
    give = c.ChangeTick("default", "j", "at", at_ms, "give", "more", params=b'{"sum":9}', actor=ANN)
    story.tell_ok(give)
    pass_time(story, 1)
    assert (story.run(1).params, story.run(1).actor) == ('{"sum":9}', "ann")
    assert row(story, 1).barred == "ann, bob"
    for who in (ANN, BOB):
        assert code(story, approve(1, who)) == Code.NOT_ALLOWED
    said = story.one(approve(1, c.Actor("dora", ""))).detail
    assert "but not ann or bob (four eyes)" in said
    mine = [
        len(approval_reads.page(story.store, Wanted(None, who), limit=9)[0]) for who in ("ann", "bob", "carl")
    ]
    assert mine == [0, 0, 1]
    story.tell_ok(approve(1, CARL))


@pytest.mark.parametrize("how", ["taken back", "moved"])
def test_who_gave_a_tick_parameters_counts_as_long_as_it_has_them(story: Story, how: str) -> None:
    at, params = {"at": "2027-01-15T08:01:00Z", "id": "at"}, {"sum": {"type": "integer", "default": 1}}
    story.connect()
    story.put(job(tasks=four_eyes(), trigger=at, params=params), actor=BOB)
    tick = c.ChangeTick("default", "j", "at", START_MS + MINUTE_MS, "give", params=b'{"sum":9}', actor=ANN)
    story.tell_ok(tick)
    if how == "taken back":
        story.tell_ok(msgspec.structs.replace(tick, params=b"", actor=CARL))
    else:
        to_ms = START_MS + 2 * MINUTE_MS
        story.tell_ok(msgspec.structs.replace(tick, act="move", params=b"", to_ms=to_ms, actor=CARL))
    pass_time(story, 1)
    pass_time(story, 1)
    assert row(story, 1).barred == {"taken back": "bob", "moved": "ann, bob"}[how]


def test_of_a_tick_it_is_who_wrote_the_revision(story: Story) -> None:
    story.connect()
    story.put(job(tasks=four_eyes(), trigger={"at": "2027-01-15T08:01:00Z"}), actor=BOB)
    story.now_ms = START_MS + MINUTE_MS
    story.settle()
    assert code(story, approve(1, BOB)) == Code.NOT_ALLOWED
    story.tell_ok(approve(1, CARL))


def test_an_edit_meanwhile_changes_nothing_of_that(story: Story) -> None:
    story.connect()
    story.put(job(tasks=four_eyes(), trigger={"at": "2027-01-15T08:01:00Z"}), actor=BOB)
    story.now_ms = START_MS + MINUTE_MS
    story.settle()
    story.put(job(tasks=four_eyes(), labels={"a": "b"}), actor=CARL)
    assert code(story, approve(1, BOB)) == Code.NOT_ALLOWED
    story.tell_ok(approve(1, CARL))


def test_in_a_run_within_another_it_is_who_asked_for_the_outermost(story: Story) -> None:
    story.connect()
    story.put(job(tasks=four_eyes()), job("above", tasks={"a": {"job": {"name": "j"}}}), actor=CARL)
    story.put(job("top", tasks={"a": {"job": {"name": "above"}}}), actor=CARL)
    top = int(story.value(c.RunJob("default", "top", b"{}", story.now_ms, actor=ANN), "run"))
    story.settle()
    assert code(story, approve(top + 2, ANN)) == Code.NOT_ALLOWED
    story.tell_ok(approve(top + 2, CARL))
    story.settle()
    assert story.run(top).state == "succeeded"


@pytest.mark.parametrize("wait", [True, False])
def test_so_it_is_where_the_inner_run_asks_as_soon_as_it_is_made(story: Story, wait: bool) -> None:
    asks = {"approve": {"approval": {"four_eyes": True}}}
    story.put(job(tasks=asks), job("top", tasks={"a": {"job": {"name": "j", "wait": wait}}}), actor=CARL)
    top = int(story.value(c.RunJob("default", "top", b"{}", story.now_ms, actor=ANN), "run"))
    story.settle()
    assert row(story, top + 1).barred == "ann"
    assert code(story, approve(top + 1, ANN)) == Code.NOT_ALLOWED
    story.tell_ok(approve(top + 1, CARL))


def test_who_repeats_a_run_asked_for_it(story: Story) -> None:
    run = asking(story, tasks=four_eyes(), by=ANN)
    story.tell_ok(reject(run, BOB))
    story.settle()
    again = int(story.value(c.RerunRun(run, b"{}", story.now_ms, actor=BOB), "run"))
    story.settle()
    assert code(story, approve(again, BOB)) == Code.NOT_ALLOWED
    story.tell_ok(approve(again, ANN))


def test_who_repeats_a_tick_asked_for_it_whoever_gave_it_parameters(story: Story) -> None:
    """As with a run by hand: the second pair of eyes is that of who did not ask for this one."""
    at, params = {"at": "2027-01-15T08:01:00Z", "id": "at"}, {"sum": {"type": "integer", "default": 1}}
    story.connect()
    story.put(job(tasks=four_eyes(), trigger=at, params=params), actor=CARL)
    given = b'{"sum":9}'
    story.tell_ok(c.ChangeTick("default", "j", "at", START_MS + MINUTE_MS, "give", params=given, actor=ANN))
    pass_time(story, 1)
    story.tell_ok(reject(1, BOB))
    story.settle()
    again = int(story.value(c.RerunRun(1, given, story.now_ms, actor=BOB), "run"))
    story.settle()
    assert row(story, again).barred == "bob"
    assert code(story, approve(again, BOB)) == Code.NOT_ALLOWED
    story.tell_ok(approve(again, ANN))


# -- time --------------------------------------------------------------------------------------------


def test_an_answer_at_its_end_is_none_and_the_task_expires(story: Story) -> None:
    run = asking(story)
    story.now_ms += 10 * MINUTE_MS - 1
    assert story.plan() == []
    story.now_ms += 1
    assert code(story, approve(run)) == Code.ENDED
    story.settle()
    assert story.tasks(run)["approve"] == "expired"
    assert (story.run(run).state, story.run(run).reason) == ("expired", "nobody answered in time")
    assert (row(story, run).open, row(story, run).answer) == (0, "")
    assert code(story, approve(run)) == Code.ENDED
    assert story.tasks(run)["tell"] == "succeeded"
    assert verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms).ok


def test_an_answer_in_the_last_moment_counts(story: Story) -> None:
    run = asking(story)
    story.now_ms += 10 * MINUTE_MS - 1
    story.tell_ok(approve(run))


def test_the_timeout_of_its_run_stands_still(story: Story) -> None:
    run = asking(story, policies={"timeout": "5m"})
    assert story.run(run).stop_ms is None
    story.now_ms += 9 * MINUTE_MS
    story.settle()
    story.tell_ok(approve(run))
    assert story.run(run).stop_ms == story.now_ms + 5 * MINUTE_MS


# -- what meets it while it waits ---------------------------------------------------------------------


def test_a_run_that_is_suspended_is_answered_and_goes_on_later(story: Story) -> None:
    run = asking(story)
    story.tell_ok(c.SuspendRun(run, "look", ANN), approve(run))
    story.settle()
    assert story.tasks(run)["pay"] == "blocked"
    story.tell_ok(c.ResumeRun(run, "", ANN))
    story.settle()
    assert story.run(run).state == "succeeded"


@pytest.mark.parametrize("how", ["cancel", "stop", "delete"])
def test_what_ends_the_task_ends_the_question(story: Story, how: str) -> None:
    run = asking(story)
    ends: dict[str, c.Command] = {
        "cancel": c.CancelRun(run, BOB), "stop": c.StopTask(run, "approve", "", BOB),
        "delete": c.DeleteJob("default", "j", actor=BOB),
    }  # fmt: skip
    story.tell_ok(ends[how])
    assert story.tasks(run)["approve"] == "cancelled"
    assert (row(story, run).open, row(story, run).answer) == (0, "")
    assert code(story, approve(run)) == Code.ENDED
    story.settle()
    assert story.run(run).finished_ms is not None


def test_it_is_neither_held_nor_skipped_once_it_asks(story: Story) -> None:
    run = asking(story)
    for hand in (c.HoldTask(run, "approve"), c.SkipTask(run, "approve"), c.RetryTask(run, "approve")):
        assert code(story, hand) == Code.CONFLICT
    assert row(story, run).open == 1


@pytest.mark.parametrize("group", [False, True])
def test_no_hand_lets_what_waits_for_a_yes_pass_without_it(story: Story, group: bool) -> None:
    groups: dict[str, Any] = {"groups": {"g": {"tasks": ["approve"], "needs": ["load"]}}} if group else {}
    needs = "g" if group else "approve"
    tasks = {
        "load": {"noop": True},
        "approve": {**ASKS, **({} if group else {"needs": ["load"]})},
        "pay": {"noop": True, "needs": [needs]},
    }
    story.put(job(tasks=tasks, **groups), actor=CARL)  # no agent: what comes first waits
    run = int(story.value(c.RunJob("default", "j", b"{}", story.now_ms, actor=CARL), "run"))
    story.settle()
    assert code(story, c.SkipTask(run, needs, passes=True, actor=CARL)) == Code.CONFLICT
    story.tell_ok(c.SkipTask(run, "load", passes=True, actor=CARL))
    assert story.tasks(run)["pay"] == "blocked"
    story.tell_ok(c.CancelRun(run))

    run = int(story.value(c.RunJob("default", "j", b"{}", story.now_ms, actor=CARL), "run"))
    story.tell_ok(c.SkipTask(run, needs, actor=CARL))
    assert story.tasks(run)["pay"] == "skipped"


def test_a_purged_run_takes_it_along(story: Story) -> None:
    run = asking(story)
    story.tell_ok(approve(run))
    story.settle()
    story.tell_ok(c.Purge(story.epoch, story.run(run).job, run, 10))
    assert story.store.value("SELECT count(*) FROM approvals") == 0


def test_each_round_of_a_group_asks_anew_and_an_answer_is_for_its_own(story: Story) -> None:
    tasks = {"approve": ASKS, "pay": {"noop": True, "needs": ["approve"]}}
    groups = {"block": {"tasks": ["approve", "pay"], "retry": {"max": 1, "first": "1s"}}}
    run = asking(story, tasks=tasks, groups=groups)
    story.tell_ok(reject(run, round=0))
    story.now_ms += 1_000
    story.settle()
    assert story.one(reject(run, round=0)).ok  # what got no reply is sent again, and is not for this round
    assert row(story, run).open == 1
    story.tell_ok(approve(run, round=1))
    story.settle()
    assert story.run(run).state == "succeeded"


def test_who_catches_a_rejection_may_ask_again(story: Story) -> None:
    tasks = {"approve": ASKS, "again": {"approval": {"by": ["carl"]}}}
    groups = {"block": {"tasks": ["approve"], "catch": ["again"]}}
    run = asking(story, tasks=tasks, groups=groups)
    story.tell_ok(reject(run))
    story.tell_ok(c.AnswerApproval(run, "again", "approved", actor=CARL))
    assert story.run(run).state == "succeeded"


def test_a_condition_reads_it_and_finally_asks(story: Story) -> None:
    tasks = {
        "approve": {**ASKS, "allow_failure": True},
        "no": {"noop": True, "needs": ["approve"], "rule": "all_done", "when": "approve.failed"},
        "last": {"approval": {"by": ["carl"]}},
    }
    last: dict[str, Any] = {"finally": ["last"]}
    run = asking(story, tasks=tasks, **last)
    story.tell_ok(reject(run))
    story.settle()
    assert story.tasks(run) == {"approve": "failed", "no": "succeeded", "last": "active"}
    story.tell_ok(c.AnswerApproval(run, "last", "approved", actor=CARL))
    assert story.run(run).state == "succeeded"


# -- repeated ----------------------------------------------------------------------------------------


def test_a_rerun_asks_anew_where_what_waited_for_the_answer_is_made_anew(story: Story) -> None:
    run = asking(story)
    story.tell_ok(approve(run))
    story.settle(exit_code=1)
    assert story.tasks(run)["pay"] == "failed"
    again = int(story.value(c.RerunRun(run, b"{}", story.now_ms, from_failed=True), "run"))
    assert story.tasks(again)["load"] == "succeeded"
    assert row(story, again).open == 1
    story.tell_ok(approve(again, BOB))
    story.settle()
    assert story.run(again).state == "succeeded"


def test_what_was_done_with_the_approval_is_not_done_again(story: Story) -> None:
    after = {"report": {"noop": True, "needs": ["pay"]}}
    run = asking(story, tasks={**TASKS, **after})
    story.tell_ok(approve(run))
    story.plan_and_apply()
    story.work()
    story.settle(exit_code=1)
    assert story.tasks(run)["report"] == "failed"
    again = int(story.value(c.RerunRun(run, b"{}", story.now_ms, from_failed=True), "run"))
    assert story.tasks(again)["approve"] == story.tasks(again)["pay"] == "succeeded"
    assert story.store.value("SELECT count(*) FROM approvals WHERE run = ?", (again,)) == 0


def test_from_a_task_behind_it_it_is_asked_anew_too(story: Story) -> None:
    run = asking(story)
    story.tell_ok(approve(run))
    story.settle()
    again = int(story.value(c.RerunRun(run, b"{}", story.now_ms, from_task="pay"), "run"))
    assert (story.tasks(again)["load"], story.tasks(again)["approve"]) == ("succeeded", "active")


# -- kept ----------------------------------------------------------------------------------------------


def test_a_new_leader_and_a_restart_keep_the_question(story: Story) -> None:
    run = asking(story)
    story.reopen()
    story.lead()
    story.tell_ok(approve(run))
    story.settle()
    assert story.run(run).state == "succeeded"


def test_after_a_restore_it_is_given_up_since_somebody_may_have_answered(story: Story) -> None:
    run = asking(story)
    restore(story)
    story.settle()
    pass_time(story, 1)
    assert story.tasks(run)["approve"] == "expired"
    assert (row(story, run).open, task_rows.newest(story.store, run, "approve").reason) == (0, "restored")  # type: ignore[union-attr]
    assert code(story, approve(run)) == Code.ENDED
    again = int(story.value(c.RerunRun(run, b"{}", story.now_ms, from_failed=True), "run"))
    story.settle()
    assert row(story, again).open == 1
