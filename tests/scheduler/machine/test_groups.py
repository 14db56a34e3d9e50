"""Groups: one box for what is outside, rounds of what is inside, failures that are caught."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import pytest

from scheduler.store.tables import rounds
from scheduler.store.tables import tasks as task_rows
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from scheduler.words.record import Actor
from tests.scheduler.machine.test_conditions import ASSIGNED, explained
from tests.scheduler.story import START_MS, Story, job

Tasks = dict[str, dict[str, Any]]
NOOP: dict[str, Any] = {"noop": True}
TASKS: Tasks = {
    "first": NOOP,
    "a": NOOP,
    "b": {**NOOP, "needs": ["a"]},
    "fix": NOOP,
    "last": {**NOOP, "needs": ["load"]},
}
INSIDE = ("a", "b")
Fails = Mapping[str, Iterable[int]]
"""Of tasks, the rounds in which their work fails."""


def load(**fields: Any) -> dict[str, Any]:
    return {"load": {"tasks": list(INSIDE), "needs": ["first"], **fields}}


def begun(story: Story, group: Mapping[str, Any] | None = None, **fields: Any) -> int:
    tasks = {name: task for name, task in TASKS.items() if name != "fix" or (group and "catch" in group)}
    document = {"tasks": tasks, "groups": load(**(group or {})), **fields}
    story.connect()
    story.put(job(**document))
    return int(story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run"))


def work(story: Story, fails: Fails | None = None, times: int = 300) -> None:
    """Agents do their work, and time passes while something waits for it."""
    for _ in range(times):
        planned = story.plan_and_apply()
        assigned = story.store.rows(ASSIGNED)
        for attempt, name in assigned:
            round = story.store.value("SELECT round FROM tasks WHERE id = ?", (story.attempt(attempt).task,))
            assert story.claim(attempt).ok
            assert story.finish(attempt, exit_code=int(round in (fails or {}).get(name, ()))).ok
        if not planned and not assigned:
            wake_ms = task_rows.next_wake_ms(story.store)
            if wake_ms is None:
                return
            story.now_ms = max(story.now_ms, wake_ms)
    raise AssertionError("the plan never comes to rest")


def states(story: Story, run: int) -> dict[str, list[str]]:
    """Of each task, round by round."""
    found: dict[str, list[str]] = {}
    for task in sorted(task_rows.of_run(story.store, run), key=lambda task: task.round):
        found.setdefault(task.name, []).append(task.state)
    return found


def newest(story: Story, run: int, name: str) -> task_rows.Task:
    row = task_rows.newest(story.store, run, name)
    assert row is not None
    return row


# -- one box ------------------------------------------------------------------------------------------


def test_what_is_inside_begins_with_its_group_and_what_needs_it_after_it(story: Story) -> None:
    run = begun(story)
    assert story.tasks(run) == {
        "first": "queued", "load": "blocked", "a": "blocked", "b": "blocked", "last": "blocked",
    }  # fmt: skip
    gate = next(gate for gate in explained(story, run).tasks[2].gates if gate.gate == "group")
    assert (gate.state, gate.reason) == ("waits", "its group load is blocked")

    story.plan_and_apply()
    story.work()
    assert story.tasks(run) | {"first": ""} == {
        "first": "", "load": "active", "a": "active", "b": "blocked", "last": "blocked",
    }  # fmt: skip
    work(story)
    assert set(story.tasks(run).values()) == {"succeeded"}
    assert story.run(run).state == "succeeded"
    assert story.store.value("SELECT count(*) FROM rounds") == 0


def test_its_state_is_the_worst_of_its_tasks_that_count(story: Story) -> None:
    run = begun(story)
    work(story, {"a": [0]})
    assert states(story, run) == {
        "first": ["succeeded"], "load": ["failed"], "a": ["failed"], "b": ["skipped"], "last": ["skipped"],
    }  # fmt: skip
    row = story.run(run)
    assert (row.state, row.exit_code) == ("failed", 1)


def test_a_failure_that_is_allowed_inside_is_none_of_the_group(story: Story) -> None:
    story.connect()
    story.put(job(tasks={"a": {**NOOP, "allow_failure": True}, "last": {**NOOP, "needs": ["g"]}},
                  groups={"g": {"tasks": ["a"]}}))  # fmt: skip
    run = int(story.value(c.RunJob("default", "j", b"{}", START_MS), "run"))
    work(story, {"a": [0]})
    assert states(story, run) == {"g": ["succeeded"], "a": ["failed"], "last": ["succeeded"]}
    assert story.run(run).state == "succeeded"


@pytest.mark.parametrize(
    ("group", "reason"),
    [({"when": "first.failed"}, "when"), ({"rule": "any_failed"}, "upstream")],
)
def test_a_group_that_is_skipped_skips_what_is_inside(story: Story, group: Any, reason: str) -> None:
    run = begun(story, group)
    work(story)
    assert story.tasks(run) == {
        "first": "succeeded", "load": "skipped", "a": "skipped", "b": "skipped", "last": "skipped",
    }  # fmt: skip
    assert newest(story, run, "load").reason == reason
    assert {newest(story, run, name).reason for name in INSIDE} == {"group"}
    assert story.run(run).state == "succeeded"


def test_a_group_at_the_root_begins_with_its_run_and_again_after_a_wait(story: Story) -> None:
    story.connect()
    story.put(job(tasks={"a": NOOP, "b": NOOP},
                  groups={"g": {"tasks": ["a", "b"], "when": "plan_date > '2000-01-01'"}},
                  policies={"overlap": "queue_all"}, trigger={"every": "1m"}))  # fmt: skip
    for _ in range(3):
        story.now_ms += 60_000
        story.plan_and_apply()
    work(story)
    assert story.runs() == [("tick", "succeeded")] * 3


def test_rules_and_conditions_inside_are_judged_as_outside(story: Story) -> None:
    tasks: Tasks = {
        "out": NOOP,
        "a": {**NOOP, "when": "out.succeeded"},
        "b": NOOP,
        "c": {
            **NOOP,
            "needs": ["a", "b"],
            "rule": "any_failed",
            "when": "a.succeeded and out.exit_code == 0",
        },
        "d": {**NOOP, "needs": ["c"], "when": "b.failed"},
        "after": {**NOOP, "needs": ["g"], "rule": "any_failed", "when": "g.failed and not g.warned"},
    }
    story.connect()
    story.put(job(tasks=tasks, groups={"g": {"tasks": ["a", "b", "c", "d"], "needs": ["out"]}}))
    run = int(story.value(c.RunJob("default", "j", b"{}", START_MS), "run"))
    work(story, {"b": [0]})
    assert story.tasks(run) == {
        "out": "succeeded", "g": "failed", "a": "succeeded", "b": "failed", "c": "succeeded",
        "d": "succeeded", "after": "succeeded",
    }  # fmt: skip


# -- rounds -------------------------------------------------------------------------------------------


def test_a_retry_begins_all_tasks_anew_and_keeps_what_was(story: Story) -> None:
    run = begun(story, {"retry": {"delays": ["1m", "5m"]}})
    work(story, {"b": [0, 1]})
    assert states(story, run) == {
        "first": ["succeeded"], "load": ["succeeded"], "a": ["succeeded"] * 3,
        "b": ["failed", "failed", "succeeded"], "last": ["succeeded"],
    }  # fmt: skip
    assert story.now_ms == START_MS + 6 * 60_000
    assert story.run(run).state == "succeeded"
    numbers = {row.task: row.number for row in story.attempts(run)}
    assert len(numbers) == 8
    assert set(numbers.values()) == {1}
    assert newest(story, run, "load").attempts == 3


def test_retries_come_to_an_end(story: Story) -> None:
    run = begun(story, {"retry": {"max": 2, "backoff": "constant", "first": "10s"}})
    work(story, {"a": range(9)})
    assert states(story, run)["load"] == ["failed"]
    assert states(story, run)["a"] == ["failed"] * 3
    assert states(story, run)["b"] == ["skipped"] * 3
    assert story.run(run).state == "failed"


@pytest.mark.parametrize("wake_first", [False, True])
def test_a_round_begins_beside_the_end_of_a_group_that_nobody_needs(tmp_path: Path, wake_first: bool) -> None:
    """With room for one row at a time both are tells that are rows, and one of them has nobody to tell."""
    story = Story(tmp_path / "state.db", room=1)
    story.lead()
    story.connect()
    groups = {"ga": {"tasks": ["a"]}, "gb": {"tasks": ["b"], "retry": {"max": 1, "first": "10s"}}}
    story.put(job(tasks={"a": NOOP, "b": NOOP}, groups=groups))
    run = story.value(c.RunJob("default", "j", b"{}", story.now_ms), "run")
    while len(assigned := {name: attempt for attempt, name in story.store.rows(ASSIGNED)}) < 2:
        assert story.plan_and_apply()
    for attempt in assigned.values():
        assert story.claim(attempt).ok
    assert story.finish(assigned["b"], exit_code=1).ok
    while newest(story, run, "gb").state != "retry_wait":
        assert story.plan_and_apply()
    group = newest(story, run, "gb")
    assert group.wake_ms is not None
    story.now_ms = group.wake_ms
    row = story.attempt(assigned["a"])
    both = [
        c.Finish(row.id, row.agent, story.now_ms, story.now_ms, 0, "exit"),
        c.Wake(story.epoch, group.id, group.wake_ms),
    ]
    story.tell_ok(*reversed(both) if wake_first else both)
    work(story)
    assert story.run(run).state == "succeeded"


def test_a_wait_for_another_round_is_told(story: Story) -> None:
    run = begun(story, {"retry": {"max": 1, "first": "10s"}})
    for _ in range(4):
        story.plan_and_apply()
        for attempt, name in story.store.rows(ASSIGNED):
            assert story.claim(attempt).ok
            assert story.finish(attempt, exit_code=int(name == "a")).ok
            ended = story.told(e.RoundEnded)
            if ended:
                assert (ended[0].state, ended[0].then) == ("failed", "retry")
    group = next(task for task in explained(story, run).tasks if task.name == "load")
    assert group.state == "retry_wait"
    assert [gate.gate for gate in group.gates if gate.state != "ready"] == ["retry"]
    assert story.run(run).open_tasks == 2


def test_conditions_and_needs_read_the_newest_round(story: Story) -> None:
    tasks: Tasks = {
        "a": NOOP,
        "b": {**NOOP, "needs": ["a"], "rule": "any_failed"},
        "c": {**NOOP, "needs": ["a"], "rule": "all_done", "when": "a.succeeded"},
    }
    story.connect()
    story.put(job(tasks=tasks, groups={"g": {"tasks": ["a", "b", "c"], "retry": {"max": 1}}}))
    run = int(story.value(c.RunJob("default", "j", b"{}", START_MS), "run"))
    work(story, {"a": [0]})
    assert states(story, run) == {
        "g": ["succeeded"], "a": ["failed", "succeeded"], "b": ["succeeded", "skipped"],
        "c": ["skipped", "succeeded"],
    }  # fmt: skip


@pytest.mark.parametrize("again", [False, True])
def test_what_was_lost_is_begun_anew_only_where_the_job_says_so(story: Story, again: bool) -> None:
    """The task's own retries after a loss are used up before."""
    policies = {"on_lost": "retry", "idempotent": True} if again else {"on_lost": "fail"}
    run = begun(story, {"retry": {"max": 1}}, policies=policies)
    for _ in range(30):
        story.plan_and_apply()
        for attempt, name in story.store.rows(ASSIGNED):
            assert story.claim(attempt).ok
            is_lost = name == "a" and newest(story, run, name).round == 0
            end: dict[str, Any] = {"exit_code": None, "reason": "gone"} if is_lost else {}
            assert story.finish(attempt, **end).ok
        story.now_ms += 10_000
    assert states(story, run)["a"] == (["lost", "succeeded"] if again else ["lost"])
    assert story.run(run).state == ("succeeded" if again else "lost")


# -- failures that are caught -------------------------------------------------------------------------


def test_a_catch_runs_after_a_failure_and_then_the_group_has_succeeded(story: Story) -> None:
    run = begun(story, {"catch": ["fix"]})
    work(story, {"b": [0]})
    assert story.tasks(run) == {
        "first": "succeeded", "load": "succeeded", "a": "succeeded", "b": "failed", "fix": "succeeded",
        "last": "succeeded",
    }  # fmt: skip
    assert story.run(run).state == "succeeded"


def test_a_catch_never_runs_without_its_failure(story: Story) -> None:
    run = begun(story, {"catch": ["fix"]})
    work(story)
    assert story.tasks(run)["fix"] == "skipped"
    assert newest(story, run, "fix").reason == "catch"
    assert newest(story, run, "fix").attempts == 0


def test_a_catch_that_fails_leaves_the_failure(story: Story) -> None:
    run = begun(story, {"catch": ["fix"]})
    work(story, {"b": [0], "fix": [0]})
    assert states(story, run)["load"] == ["failed"]
    assert newest(story, run, "load").reason == "what was to catch it: failed"
    assert story.tasks(run)["last"] == "skipped"


def test_a_catch_of_which_all_is_skipped_catches_nothing(story: Story) -> None:
    story.connect()
    story.put(job(tasks={"a": NOOP, "fix": {**NOOP, "when": "a.timed_out"}},
                  groups={"g": {"tasks": ["a"], "catch": ["fix"]}}))  # fmt: skip
    run = int(story.value(c.RunJob("default", "j", b"{}", START_MS), "run"))
    work(story, {"a": [0]})
    assert story.tasks(run) == {"g": "failed", "a": "failed", "fix": "skipped"}


def test_a_failure_is_caught_once_all_retries_are_used_up(story: Story) -> None:
    run = begun(story, {"catch": ["fix"], "retry": {"max": 1}})
    work(story, {"b": [0, 1]})
    assert states(story, run)["b"] == ["failed", "failed"]
    assert states(story, run)["fix"] == ["skipped", "succeeded"]
    assert story.run(run).state == "succeeded"


# -- again until something holds ----------------------------------------------------------------------


def test_a_group_is_begun_anew_until_its_condition_holds(story: Story) -> None:
    run = begun(story, {"repeat": {"until": "b.exit_code == 0 and b.succeeded", "max": 5, "pause": "1m"},
                        "catch": ["fix"]})  # fmt: skip
    work(story, {"b": [0, 1]})
    assert states(story, run)["b"] == ["failed", "failed", "succeeded"]
    assert states(story, run)["fix"] == ["succeeded", "succeeded", "skipped"]
    assert story.now_ms == START_MS + 2 * 60_000
    assert story.run(run).state == "succeeded"


def test_a_condition_that_never_holds_fails_the_group_and_is_not_caught(story: Story) -> None:
    run = begun(story, {"repeat": {"until": "a.failed", "max": 3}, "catch": ["fix"]})
    work(story)
    assert states(story, run)["a"] == ["succeeded"] * 3
    assert states(story, run)["fix"] == ["skipped"] * 3
    assert newest(story, run, "load").reason == "after 3 rounds its condition does not hold: a.failed"
    assert story.run(run).state == "failed"


def test_each_repeat_has_all_retries(story: Story) -> None:
    run = begun(story, {"repeat": {"until": "plan_date < '2000-01-01'", "max": 2}, "retry": {"max": 1}})
    work(story, {"b": [0, 2]})
    assert states(story, run)["b"] == ["failed", "succeeded", "failed", "succeeded"]


# -- hands, ends, restores ----------------------------------------------------------------------------

ANN = Actor("ann")


def hand(story: Story, kind: type[Any], run: int, task: str, **fields: Any) -> Any:
    return story.one(kind(run=run, task=task, actor=ANN, **fields))


def test_on_failure_hold_waits_for_the_group_where_that_deals_with_failures(story: Story) -> None:
    run = begun(story, {"retry": {"max": 1}}, policies={"on_failure": "hold"})
    work(story, {"a": [0, 1]})
    assert states(story, run)["a"] == ["failed", "failed"]
    assert states(story, run)["load"] == ["held"]
    assert hand(story, c.RetryTask, run, "load").ok
    work(story)
    assert states(story, run)["a"] == ["failed", "failed", "succeeded"]
    assert story.run(run).state == "succeeded"


def test_a_held_group_that_is_released_has_failed(story: Story) -> None:
    run = begun(story, {"catch": ["fix"]}, policies={"on_failure": "hold"})
    work(story, {"a": [0], "fix": [0]})
    assert states(story, run)["load"] == ["held"]
    assert hand(story, c.ReleaseTask, run, "load").ok
    work(story)
    assert states(story, run)["load"] == ["failed"]
    assert story.run(run).state == "failed"


def test_a_group_is_held_before_it_begins_and_let_go(story: Story) -> None:
    run = begun(story)
    assert hand(story, c.HoldTask, run, "load").ok
    work(story)
    assert story.tasks(run) | {"first": ""} == {
        "first": "", "load": "held", "a": "blocked", "b": "blocked", "last": "blocked",
    }  # fmt: skip
    assert hand(story, c.ReleaseTask, run, "load").ok
    work(story)
    assert story.run(run).state == "succeeded"


@pytest.mark.parametrize("passes", [False, True])
def test_a_group_that_a_person_skips_skips_what_is_inside(story: Story, passes: bool) -> None:
    run = begun(story)
    assert hand(story, c.SkipTask, run, "load", passes=passes).ok
    work(story)
    assert {name: state for name, state in story.tasks(run).items() if name != "first"} == {
        "load": "skipped", "a": "skipped", "b": "skipped", "last": "succeeded" if passes else "skipped",
    }  # fmt: skip
    assert story.run(run).state == "succeeded"


def test_a_group_that_waits_for_another_round_is_begun_now_or_skipped(story: Story) -> None:
    run = begun(story, {"retry": {"max": 3, "first": "1h"}})
    for _ in range(4):
        story.plan_and_apply()
        for attempt, name in story.store.rows(ASSIGNED):
            assert story.claim(attempt).ok
            assert story.finish(attempt, exit_code=int(name == "a")).ok
    assert states(story, run)["load"] == ["retry_wait"]
    assert hand(story, c.RetryTask, run, "load").ok
    for _ in range(4):
        story.plan_and_apply()
        for attempt, name in story.store.rows(ASSIGNED):
            assert story.claim(attempt).ok
            assert story.finish(attempt, exit_code=int(name == "a")).ok
    assert states(story, run)["a"] == ["failed", "failed"]
    assert story.now_ms == START_MS
    assert hand(story, c.SkipTask, run, "load", passes=False).ok
    work(story)
    assert states(story, run)["load"] == ["skipped"]
    assert states(story, run)["last"] == ["skipped"]


def test_a_task_that_a_person_stops_is_not_begun_anew(story: Story) -> None:
    run = begun(story, {"retry": {"max": 3}, "catch": ["fix"]})
    story.plan_and_apply()
    story.work()
    assert hand(story, c.HoldTask, run, "a").ok
    assert hand(story, c.RetryTask, run, "a").code is Code.CONFLICT
    assert hand(story, c.ReleaseTask, run, "a").ok
    story.plan_and_apply()
    assert hand(story, c.StopTask, run, "a").ok
    work(story)
    assert states(story, run)["a"] == ["cancelled"]
    assert states(story, run)["load"] == ["cancelled"]
    assert states(story, run)["fix"] == ["skipped"]


@pytest.mark.parametrize("round", [0, 1])
def test_a_group_that_a_person_stops_ends_with_what_goes_on_inside(story: Story, round: int) -> None:
    tasks: Tasks = {**{f"t{number}": NOOP for number in range(6)}, "fix": NOOP,
                    "last": {**NOOP, "needs": ["g"], "rule": "all_done"}}  # fmt: skip
    inside = [f"t{number}" for number in range(6)]
    group = {"tasks": inside, "catch": ["fix"], "retry": {"max": 5, "first": "1s"}}
    story.connect(slots=2)
    story.put(job(tasks=tasks, groups={"g": group}))
    run = int(story.value(c.RunJob("default", "j", b"{}", START_MS), "run"))
    for _ in range(30):
        if newest(story, run, "t0").round == round:
            break
        story.plan_and_apply()
        story.work(exit_code=1)
        story.now_ms += 1_000
    for _ in range(3):
        story.plan_and_apply()
    first, other = (attempt for attempt, _ in story.store.rows(ASSIGNED))
    assert story.claim(first).ok
    assert hand(story, c.HoldTask, run, "t5").ok
    assert hand(story, c.StopTask, run, "g").ok
    story.plan_and_apply()
    assert [story.attempt(each).state for each in (first, other)] == ["cancelling", "revoked"]
    assert states(story, run)["g"] == ["active"]
    assert story.finish(first, exit_code=None, reason="cancelled").ok
    assert newest(story, run, "g").state == "cancelled"
    work(story)
    assert {newest(story, run, f"t{number}").state for number in range(6)} == {"cancelled"}
    assert newest(story, run, "fix").state == "skipped"
    assert story.tasks(run)["last"] == "succeeded"
    assert story.run(run).state == "cancelled"


@pytest.mark.parametrize("round", [0, 1])
def test_a_run_that_is_cancelled_ends_its_groups(story: Story, round: int) -> None:
    run = begun(story, {"retry": {"max": 3, "first": "10s"}})
    for _ in range(7):
        story.plan_and_apply()
        for attempt, name in story.store.rows(ASSIGNED):
            assert story.claim(attempt).ok
            if name != "a" or newest(story, run, "a").round < round:
                assert story.finish(attempt, exit_code=int(name == "a")).ok
        story.now_ms += 10_000
    assert newest(story, run, "a").round == round
    assert newest(story, run, "a").state == "active"
    story.tell_ok(c.CancelRun(run, ANN))
    (attempt,) = [row.id for row in story.attempts(run) if row.live]
    assert story.finish(attempt, exit_code=None, reason="cancelled").ok
    work(story)
    assert story.run(run).state == "cancelled"
    assert states(story, run)["load"] == ["cancelled"]
    assert states(story, run)["a"][-1] == "cancelled"
    assert story.store.value("SELECT count(*) FROM rounds") == 0


@pytest.mark.parametrize("cancelled", [False, True])
def test_what_comes_last_waits_for_groups_in_any_round(story: Story, cancelled: bool) -> None:
    tasks: Tasks = {"a": NOOP, "z": {**NOOP, "when": "g.ended"}}
    group = {"tasks": ["a"], "retry": {"max": 1, "first": "10s"}}
    story.connect()
    story.put({**job(tasks=tasks, groups={"g": group}), "finally": ["z"]})
    run = int(story.value(c.RunJob("default", "j", b"{}", START_MS), "run"))
    for _ in range(7):
        story.plan_and_apply()
        for attempt, _ in story.store.rows(ASSIGNED):
            assert story.claim(attempt).ok
            if newest(story, run, "a").round == 0:
                assert story.finish(attempt, exit_code=1).ok
        story.now_ms += 10_000
    assert story.tasks(run) == {"g": "active", "a": "active", "z": "blocked"}
    if cancelled:
        story.tell_ok(c.CancelRun(run, ANN))
        assert states(story, run)["z"] == ["blocked"]
    (attempt,) = [row.id for row in story.attempts(run) if row.live]
    end: dict[str, Any] = {"exit_code": None, "reason": "cancelled"} if cancelled else {}
    assert story.finish(attempt, **end).ok
    work(story)
    ended = "cancelled" if cancelled else "succeeded"
    assert states(story, run) == {"g": [ended], "a": ["failed", ended], "z": ["succeeded"]}
    assert story.run(run).state == ended


def test_a_run_that_is_cancelled_while_all_of_it_succeeds_has_succeeded(story: Story) -> None:
    story.connect()
    story.put(job(tasks={"a": NOOP}, groups={"g": {"tasks": ["a"]}}))
    run = int(story.value(c.RunJob("default", "j", b"{}", START_MS), "run"))
    story.plan_and_apply()
    story.plan_and_apply()
    ((attempt, _),) = story.store.rows(ASSIGNED)
    assert story.claim(attempt).ok
    story.tell_ok(c.CancelRun(run, ANN))
    assert states(story, run) == {"g": ["active"], "a": ["active"]}
    assert story.finish(attempt).ok
    assert states(story, run) == {"g": ["succeeded"], "a": ["succeeded"]}
    assert story.run(run).state == "succeeded"


def test_a_suspended_run_begins_no_round(story: Story) -> None:
    run = begun(story, {"retry": {"max": 3, "first": "10s"}})
    for _ in range(4):
        story.plan_and_apply()
        for attempt, name in story.store.rows(ASSIGNED):
            assert story.claim(attempt).ok
            assert story.finish(attempt, exit_code=int(name == "a")).ok
    story.tell_ok(c.SuspendRun(run, "", ANN))
    work(story)
    assert states(story, run)["load"] == ["blocked"]
    assert states(story, run)["a"] == ["failed"]
    story.tell_ok(c.ResumeRun(run, "", ANN))
    work(story)
    assert states(story, run)["a"] == ["failed", "succeeded"]
    assert story.run(run).state == "succeeded"


def test_a_job_that_is_deleted_begins_no_round(story: Story) -> None:
    run = begun(story, {"retry": {"max": 3, "first": "10s"}})
    story.plan_and_apply()
    story.work()
    story.plan_and_apply()
    story.tell_ok(c.DeleteJob("default", "j", None, ANN))
    work(story, {"a": [0]})
    assert states(story, run)["load"] in (["failed"], ["cancelled"])
    assert len(states(story, run)["a"]) == 1
    assert rounds.of_run(story.store, run) == []


# -- what ends before its turn ------------------------------------------------------------------------


def begun_inside(story: Story, group: Mapping[str, Any]) -> int:
    """What is before the group has ended: its first task goes on."""
    run = begun(story, group)
    for _ in range(4):
        story.plan_and_apply()
        for attempt, name in story.store.rows(ASSIGNED):
            if name == "first":
                assert story.claim(attempt).ok
                assert story.finish(attempt).ok
    assert states(story, run)["a"] == ["active"]
    return run


@pytest.mark.parametrize(("fails", "ends"), [({}, "succeeded"), ({"a": [0]}, "failed")])
def test_a_task_that_catches_may_be_skipped_before_anything_fails(
    story: Story, fails: Fails, ends: str
) -> None:
    run = begun_inside(story, {"catch": ["fix"]})
    story.tell_ok(c.SkipTask(run, "fix", "", actor=ANN))
    assert states(story, run)["load"] == ["active"], "the end of what catches is none of its tasks"
    work(story, fails)
    assert (states(story, run)["load"], states(story, run)["fix"]) == ([ends], ["skipped"])
    assert story.run(run).state == ends


@pytest.mark.parametrize(("skipped", "b"), [("a", "skipped"), ("b", "skipped"), ("ab", "skipped")])
def test_tasks_of_a_group_may_be_skipped_before_it_begins(story: Story, skipped: str, b: str) -> None:
    run = begun(story)
    for name in skipped:
        story.tell_ok(c.SkipTask(run, name, "", actor=ANN))
    assert rounds.of_run(story.store, run)[0].open_tasks == 2 - len(skipped)
    work(story)
    assert (states(story, run)["load"], states(story, run)["b"]) == (["succeeded"], [b])
    assert states(story, run)["last"] == ["succeeded"]


def test_what_was_skipped_counts_for_those_that_come_after_it_inside(story: Story) -> None:
    run = begun(story)
    story.tell_ok(c.SkipTask(run, "a", "", True, ANN))
    work(story)
    assert states(story, run)["b"] == ["succeeded"]


def test_a_group_that_never_begins_ends_all_that_waits_inside(story: Story) -> None:
    run = begun(story)
    for name in ("a", "load"):
        story.tell_ok(c.SkipTask(run, name, "", actor=ANN))
    work(story)
    assert states(story, run)["b"] == ["skipped"]
    assert story.run(run).state == "succeeded"


def test_no_hand_is_laid_on_a_round_that_is_being_made(story: Story) -> None:
    run = begun_inside(story, {"retry": {"max": 1}})
    rounds.change(story.store, rounds.of_run(story.store, run)[0], unmade=1)
    assert story.one(c.SkipTask(run, "b", "", actor=ANN)).code is Code.CONFLICT


# -- reruns -------------------------------------------------------------------------------------------


def test_a_rerun_takes_over_a_group_as_a_whole_or_makes_it_anew(story: Story) -> None:
    run = begun(story, {"catch": ["fix"], "retry": {"max": 1}})
    work(story, {"b": [0, 1], "last": [0]})
    assert story.run(run).state == "failed"
    again = int(story.value(c.RerunRun(run, b"{}", story.now_ms, from_failed=True, actor=ANN), "run"))
    work(story)
    assert states(story, again) == {
        "first": ["succeeded"], "load": ["succeeded"], "a": ["succeeded"], "b": ["failed"],
        "fix": ["succeeded"], "last": ["succeeded"],
    }  # fmt: skip
    assert len(story.attempts(again)) == 1
    third = int(story.value(c.RerunRun(run, b"{}", story.now_ms, from_task="load", actor=ANN), "run"))
    work(story)
    assert states(story, third)["b"] == ["succeeded"]
    assert states(story, third)["fix"] == ["skipped"]
    assert story.run(third).state == "succeeded"
    inside = story.one(c.RerunRun(run, b"{}", story.now_ms, from_task="b", actor=ANN))
    assert (inside.code, "name load" in inside.detail) == (Code.INVALID, True)


def test_the_exit_code_of_a_run_is_that_of_its_last_task_whatever_rounds_came_before(story: Story) -> None:
    several: dict[str, Any] = {"run": "x", "exit": {"ok": [0, 4, 5]}}
    inside: Tasks = {"a": {"run": "x"}, "b": {**several, "needs": ["a"]}}
    behind: Tasks = {"report": {**several, "needs": ["load"]}}
    story.connect()
    for name, tasks, codes in (("j", inside | behind, (0, 1, 0, 4, 5)), ("k", inside, (0, 1, 0, 4))):
        group = {"load": {"tasks": ["a", "b"], "retry": {"delays": ["1s"]}}}
        story.put(job(name=name, tasks=tasks, groups=group))
        run = int(story.value(c.RunJob("default", name, b"{}", story.now_ms), "run"))
        for code in codes:
            while not (live := story.store.rows("SELECT id FROM attempts WHERE live = 1")):
                story.now_ms += 1_000
                story.plan_and_apply()
            assert story.claim(live[0][0]).ok
            assert story.finish(live[0][0], exit_code=code).ok
        while story.plan_and_apply():
            pass
        assert (story.run(run).state, story.run(run).exit_code) == ("succeeded", codes[-1])
