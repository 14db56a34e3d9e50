"""Admission windows of a group: its tasks start within them alone."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.explain.findings import Cluster
from scheduler.explain.runs import explain_run
from scheduler.machine.rules.gates import window
from scheduler.model import JobError, parse_job
from scheduler.plan.planner import wake_ms
from scheduler.store.tables import rounds
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from scheduler.words.record import Actor
from tests.scheduler.machine.test_groups import begun, newest, work
from tests.scheduler.machine.test_groups import states as by_round
from tests.scheduler.machine.test_windows import ENDS_MS, HOUR_MS, NIGHT, OPENS_MS
from tests.scheduler.story import START_MS, Story, job

DAY_MS = 24 * HOUR_MS


def states(story: Story, number: int) -> dict[str, str]:
    """Of each task in its newest round."""
    return {name: found[-1] for name, found in by_round(story, number).items()}


def until(story: Story, at_ms: int) -> None:
    """All is done that can be until then."""
    while (next_ms := wake_ms(story.store)) is not None and next_ms < at_ms:
        story.now_ms = max(story.now_ms, next_ms)
        work(story)
    story.now_ms = at_ms
    work(story)


def outside(story: Story, number: int) -> list[tuple[str, str, int | None]]:
    """(task, what it waits for, until when)"""
    told = explain_run(story.store, story.run(number), Cluster(story.now_ms, "node-a", True), story.compiled)
    return [(task.name, gate.opens, gate.opens_ms) for task in told.tasks for gate in task.gates
            if gate.gate == window.NAME and gate.state != "ready"]  # fmt: skip


def test_its_tasks_wait_for_the_window_and_others_do_not(story: Story) -> None:
    number = begun(story, {"admission": NIGHT})
    work(story)
    assert states(story, number) == {
        "first": "succeeded", "a": "blocked", "b": "blocked", "load": "active", "last": "blocked",
    }  # fmt: skip
    assert outside(story, number) == [(name, "its next window", OPENS_MS) for name in "ab"]
    assert wake_ms(story.store) == OPENS_MS
    story.now_ms = OPENS_MS
    group = newest(story, number, "load").id
    story.tell_ok(c.RejudgeGroup(story.epoch, group))
    assert e.WindowOpened(group, number, "load", 0) in story.events
    work(story)
    assert story.run(number).state == "succeeded"


def test_within_a_window_they_start_at_once(story: Story) -> None:
    story.now_ms = OPENS_MS
    number = begun(story, {"admission": NIGHT})
    work(story)
    assert (story.run(number).state, story.now_ms) == ("succeeded", OPENS_MS)


def granted(story: Story, number: int, task: str) -> int:
    """The attempt of this task, which its agent has."""
    while story.plan_and_apply():
        pass
    for attempt in story.attempts(number):
        if attempt.state == "assigned":
            assert story.claim(attempt.id).ok
        if story.store.value("SELECT name FROM tasks WHERE id = ?", (attempt.task,)) == task:
            return attempt.id
        if attempt.live:
            assert story.finish(attempt.id).ok
    return granted(story, number, task)


def test_what_runs_when_it_ends_goes_on_and_the_next_waits(story: Story) -> None:
    story.now_ms = OPENS_MS
    number = begun(story, {"admission": NIGHT})
    attempt = granted(story, number, "a")
    story.now_ms = ENDS_MS
    story.plan_and_apply()
    assert story.finish(attempt).ok
    work(story)
    found = states(story, number)
    assert (found["a"], found["b"], found["load"]) == ("succeeded", "blocked", "active")
    opens_ms = OPENS_MS + 3 * DAY_MS  # Saturday's night is none, Sunday's neither: on Monday
    assert outside(story, number) == [("b", "its next window", opens_ms)]
    story.now_ms = opens_ms
    work(story)
    assert story.run(number).state == "succeeded"


def test_what_waits_in_a_queue_when_it_ends_is_not_placed(story: Story) -> None:
    story.now_ms = OPENS_MS
    number = begun(story, {"admission": NIGHT}, tasks={"a": {"noop": True, "on": {"pool": "late"}}},
                   groups={"load": {"tasks": ["a"], "admission": NIGHT}})  # fmt: skip
    work(story)
    assert states(story, number)["a"] == "queued"
    story.now_ms = ENDS_MS
    story.connect("late-1", session="s9", pool="late")
    work(story)
    assert states(story, number)["a"] == "blocked"
    until(story, OPENS_MS + 3 * DAY_MS)
    assert story.run(number).state == "succeeded"


def test_a_window_that_ends_is_over_before_anybody_says_so(story: Story) -> None:
    """What is put back then goes on in the next one, though that is open as the group is looked at."""
    two = {"windows": ["20:00-21:00", "21:01-22:00"]}
    story.now_ms = OPENS_MS
    number = begun(story, {"admission": two})
    assert story.finish(granted(story, number, "first")).ok
    while story.plan_and_apply():
        pass
    (attempt,) = [each.id for each in story.attempts(number) if each.state == "assigned"]
    story.now_ms = OPENS_MS + HOUR_MS
    assert story.claim(attempt).code == Code.REVOKED
    story.tell_ok(c.Revoke(story.epoch, attempt, "unclaimed"))
    assert states(story, number)["a"] == "blocked"
    story.now_ms += 60_000
    work(story)
    assert story.run(number).state == "succeeded"


def test_what_an_agent_has_not_claimed_when_it_ends_does_not_start(story: Story) -> None:
    story.now_ms = OPENS_MS
    number = begun(story, {"admission": NIGHT})
    work_first = granted(story, number, "first")
    assert story.finish(work_first).ok
    while story.plan_and_apply():
        pass
    (attempt,) = [each.id for each in story.attempts(number) if each.state == "assigned"]
    story.now_ms = ENDS_MS
    story.tell_ok(c.RejudgeGroup(story.epoch, newest(story, number, "load").id))
    assert story.claim(attempt).code == Code.REVOKED
    assert story.attempt(attempt).state == "assigned"
    story.tell_ok(c.Revoke(story.epoch, attempt, "unclaimed"))
    assert states(story, number)["a"] == "blocked"


def test_a_round_that_has_begun_is_stopped_where_it_says_so(story: Story) -> None:
    story.now_ms = OPENS_MS
    number = begun(story, {"admission": {**NIGHT, "at_end": "terminate"}, "retry": {"max": 2, "first": "1s"},
                           "catch": ["fix"]})  # fmt: skip
    attempt = granted(story, number, "a")
    story.now_ms = ENDS_MS
    story.plan_and_apply()
    story.plan_and_apply()
    assert story.attempt(attempt).state == "cancelling"
    assert story.finish(attempt, reason="cancelled", exit_code=None).ok
    work(story)
    found = states(story, number)
    assert (found["load"], found["b"], found["last"]) == ("timed_out", "cancelled", "skipped")
    assert (story.run(number).state, story.run(number).reason) == ("timed_out", "admission")
    assert story.attempts(number)[-1].id == attempt, "nothing is tried again, and nothing caught"


def test_a_round_that_has_not_begun_waits_whatever_it_says(story: Story) -> None:
    story.now_ms = ENDS_MS - 1
    number = begun(story, {"admission": {**NIGHT, "at_end": "terminate"}, "tasks": ["a"]},
                   tasks={"a": {"noop": True, "on": {"pool": "late"}}}, groups={
                       "load": {"tasks": ["a"], "admission": {**NIGHT, "at_end": "terminate"}}})  # fmt: skip
    work(story)
    story.now_ms = ENDS_MS
    work(story)
    assert states(story, number)["load"] == "active"
    story.connect("late-1", session="s9", pool="late")
    until(story, OPENS_MS + 3 * DAY_MS)
    assert story.run(number).state == "succeeded"


def test_a_failure_is_caught_and_tried_again_within_windows(story: Story) -> None:
    story.now_ms = ENDS_MS - 1
    number = begun(story, {"admission": NIGHT, "retry": {"max": 1, "first": "1h"}, "catch": ["fix"]})
    work(story, fails={"a": (0, 1)}, times=10)
    assert story.now_ms < OPENS_MS + DAY_MS
    assert states(story, number)["a"] == "blocked", "the second round waits for its window"
    story.now_ms = OPENS_MS + 3 * DAY_MS
    work(story, fails={"a": (0, 1)})
    assert story.run(number).state == "succeeded"
    assert states(story, number)["fix"] == "succeeded"


def test_a_suspended_run_goes_on_in_a_window_after_its_resume(story: Story) -> None:
    number = begun(story, {"admission": NIGHT})
    work(story)
    story.tell_ok(c.SuspendRun(number, "", Actor("ada")))
    story.now_ms = OPENS_MS
    work(story)
    assert states(story, number)["a"] == "blocked"
    story.tell_ok(c.ResumeRun(number, "", Actor("ada")))
    work(story)
    assert story.run(number).state == "succeeded"


def test_a_run_that_ends_leaves_no_window(story: Story) -> None:
    number = begun(story, {"admission": NIGHT})
    work(story)
    story.tell_ok(c.CancelRun(number, Actor("ada")))
    work(story)
    assert (story.run(number).state, rounds.next_ms(story.store)) == ("cancelled", None)
    assert story.one(c.RejudgeGroup(story.epoch, 1)).code == Code.SUPERSEDED


@pytest.mark.parametrize(
    ("admission", "pointer"),
    [
        ({"windows": ["Mon 25:00-26:00"]}, "/groups/load/admission/windows/0"),
        ({"windows": []}, "/groups/load/admission/windows"),
        ({**NIGHT, "outside": "skip"}, "/groups/load/admission/outside"),
        ({**NIGHT, "tz": "Mars/Base"}, "/groups/load/admission/tz"),
        ({}, "/groups/load/admission/windows"),
    ],
)
def test_what_is_no_window_is_refused_where_it_stands(admission: dict[str, Any], pointer: str) -> None:
    document = job(tasks={"a": {"noop": True}}, groups={"load": {"tasks": ["a"], "admission": admission}})
    with pytest.raises(JobError) as raised:
        parse_job(document)
    assert [problem.pointer for problem in raised.value.problems] == [pointer]


def divided(story: Story, *, join: Any = "all", slots: int = 1, fanout: Any = None, **says: Any) -> int:
    """A run of a group with a divided task, whose window is open; its agent has so many slots."""
    story.now_ms = OPENS_MS
    story.connect("agent", slots=slots)
    many = {"noop": True, "fanout": {"n": 3, **(fanout or {})}, "join": join}
    tasks = {"many": many, "last": {"noop": True, "needs": ["load"]}}
    group = {"tasks": ["many"], "admission": {**NIGHT, **says}}
    story.put(job(tasks=tasks, groups={"load": group}, policies={"overlap": "allow"}))
    return int(story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run"))


def at_work(story: Story, number: int) -> dict[str, int]:
    """The attempt of each member that has one, which its agent has."""
    while story.plan_and_apply():
        pass
    found: dict[str, int] = {}
    for attempt in [each for each in story.attempts(number) if each.live]:
        if attempt.state == "assigned":
            assert story.claim(attempt.id).ok
        found[story.store.value("SELECT member FROM tasks WHERE id = ?", (attempt.task,))] = attempt.id
    return found


def one_by_one(story: Story, number: int) -> dict[str, str]:
    """The state of each member, of the whole by an empty name."""
    asked = "SELECT member, state FROM tasks WHERE run = ? AND name = 'many' ORDER BY id"
    return dict(story.store.rows(asked, (number,)))


NEXT_MS = OPENS_MS + 3 * DAY_MS  #: after Friday's


TURNS = {"fanout": {"max_parallel": 1}, "slots": 3}


@pytest.mark.parametrize("says", [TURNS, {"slots": 1}], ids=["turns", "queued"])
def test_members_begin_within_windows_alone(story: Story, says: dict[str, Any]) -> None:
    """They had no turn yet, or wait for a slot."""
    number = divided(story, **says)
    (first,) = at_work(story, number).values()
    story.now_ms = ENDS_MS
    story.plan_and_apply()
    assert story.finish(first).ok
    work(story)
    assert one_by_one(story, number) == {"": "active", "0": "succeeded", "1": "blocked", "2": "blocked"}
    assert {each[0] for each in outside(story, number)} == {"many"}
    assert {each[2] for each in outside(story, number)} == {NEXT_MS}
    story.reopen()
    until(story, NEXT_MS - 1)
    assert one_by_one(story, number)["1"] == "blocked"
    until(story, NEXT_MS)
    assert story.run(number).state == "succeeded"


def test_who_the_members_are_is_read_in_the_window(story: Story) -> None:
    number = divided(story)
    story.tell_ok(c.CancelRun(number, Actor("ada")))
    story.now_ms = ENDS_MS
    number = int(story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run"))
    work(story)
    assert one_by_one(story, number) == {"": "blocked"}
    until(story, NEXT_MS)
    assert story.run(number).state == "succeeded"


def test_members_behind_the_end_of_their_group_wait_for_windows_too(story: Story) -> None:
    number = divided(story, join="any", slots=1)
    (first,) = at_work(story, number).values()
    assert story.finish(first).ok
    (second,) = at_work(story, number).values()
    story.now_ms = ENDS_MS
    story.plan_and_apply()
    assert story.finish(second).ok
    work(story)
    assert states(story, number)["load"] == "succeeded"
    assert one_by_one(story, number)["2"] == "blocked"
    assert (story.run(number).state, wake_ms(story.store)) == ("running", NEXT_MS)
    until(story, NEXT_MS)
    assert (story.run(number).state, rounds.next_ms(story.store)) == ("succeeded", None)


@pytest.mark.parametrize("join", ["all", "any"])
def test_members_are_stopped_where_their_group_says_so(story: Story, join: str) -> None:
    """Those too that go on behind the end of their group."""
    number = divided(story, join=join, slots=2, fanout={"n": 4}, at_end="terminate")
    assert story.finish(at_work(story, number)["0"]).ok
    left = {member: attempt for member, attempt in at_work(story, number).items() if member}
    story.now_ms = ENDS_MS
    while story.plan_and_apply():
        pass
    for attempt in left.values():
        assert story.attempt(attempt).state == "cancelling"
        assert story.finish(attempt, reason="cancelled", exit_code=None).ok
    for attempt in at_work(story, number).values():  # of what needs the group
        assert story.finish(attempt).ok
    work(story)
    found = one_by_one(story, number)
    assert [found[each] for each in "123"] == ["cancelled"] * 3
    asked = "SELECT member, reason FROM tasks WHERE run = ? AND member != ''"
    reasons: dict[str, str] = dict(story.store.rows(asked, (number,)))
    assert {reasons[each] for each in "123" if each not in left} == {"admission"}
    assert states(story, number)["load"] == {"all": "timed_out", "any": "succeeded"}[join]
    assert story.run(number).state == {"all": "timed_out", "any": "succeeded"}[join]


def test_members_that_have_not_begun_wait_whatever_their_group_says(story: Story) -> None:
    number = divided(story, at_end="terminate", slots=0)
    work(story)
    assert set(one_by_one(story, number).values()) == {"active", "queued"}
    story.now_ms = ENDS_MS
    work(story)
    assert states(story, number)["load"] == "active"
    story.connect("late", session="s9")
    until(story, NEXT_MS)
    assert story.run(number).state == "succeeded"


def test_members_of_a_suspended_run_wait_for_its_resume_and_the_window(story: Story) -> None:
    number = divided(story, slots=1)
    (first,) = at_work(story, number).values()
    story.tell_ok(c.SuspendRun(number, "", Actor("ada")))
    assert story.finish(first).ok
    until(story, NEXT_MS)
    assert set(one_by_one(story, number).values()) == {"active", "succeeded", "blocked"}
    story.now_ms = ENDS_MS + 3 * DAY_MS
    story.tell_ok(c.ResumeRun(number, "", Actor("ada")))
    work(story)
    assert set(one_by_one(story, number).values()) == {"active", "succeeded", "blocked"}
    until(story, NEXT_MS + DAY_MS)
    assert story.run(number).state == "succeeded"


def test_by_the_clocks_of_its_zone(story: Story) -> None:
    night = {"windows": ["Fri 10:00-11:00"], "tz": "Europe/Berlin"}
    number = begun(story, {"admission": night})  # 08:00 in UTC, 09:00 there
    work(story)
    assert outside(story, number)[0][2] == START_MS + HOUR_MS
