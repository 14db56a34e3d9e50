"""A divided task in a group that says where its tasks go, how many at once, or what it holds: the words of
the group are for each member, and its locks stay until the last of them has ended."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from scheduler.machine.context import ROW
from scheduler.machine.rules import deadlocks
from scheduler.model.parse import parse_job
from scheduler.model.problems import JobError
from scheduler.plan.passes.deadlocks import EACH_MS
from scheduler.store.tables import tasks as task_rows
from scheduler.words import commands as c
from tests.scheduler.machine.test_fanout import assigned, closed, members
from tests.scheduler.machine.test_fanout import end as end_member
from tests.scheduler.machine.test_group_places import end, live, place
from tests.scheduler.machine.test_locks import held, put, resource
from tests.scheduler.machine.test_locks import run as run_job
from tests.scheduler.machine.test_restores import HOLD_MS, ran, restore, tell
from tests.scheduler.story import Story, job

NOOP: dict[str, Any] = {"noop": True}


def divided(name: str = "j", *, join: Any = "all", fanout: Any = None, **group: Any) -> dict[str, Any]:
    """A group of a divided task, and a task after it."""
    many = {**NOOP, "fanout": fanout or {"n": 3}, "join": join}
    tasks = {"many": many, "beside": NOOP, "last": {**NOOP, "needs": ["g"]}}
    return job(name, tasks=tasks, groups={"g": {"tasks": ["many", "beside"], **group}})


def test_all_members_of_a_sticky_group_go_to_one_agent(story: Story) -> None:
    story.connect("here", slots=2)
    story.connect("there", slots=2)
    put(story, divided(sticky=True))
    run = run_job(story)
    place(story)
    for _ in range(4):
        assert len({attempt.agent for attempt in story.attempts(run)}) == 1
        for member in assigned(story):
            end_member(story, member)
            break
        place(story)
    assert members(story, run) == {"": "succeeded", "0": "succeeded", "1": "succeeded", "2": "succeeded"}
    story.settle()
    assert story.run(run).state == "succeeded"


def test_agents_have_no_more_members_at_once_than_the_group_lets(story: Story) -> None:
    story.connect()
    put(story, divided(max_parallel=2, fanout={"n": 6}))
    run = run_job(story)
    for _ in range(30):
        place(story)
        assert len([row for row in story.attempts(run) if row.live]) <= 2
        for attempt in [row.id for row in story.attempts(run) if row.live][:1]:
            assert story.claim(attempt).ok
            assert story.finish(attempt).ok
    assert (story.run(run).state, held(story)) == ("succeeded", {})


@pytest.mark.parametrize(("join", "exit_code", "state"), [("any", 0, "succeeded"), ("all", 1, "failed")])
def test_what_a_group_holds_it_holds_until_the_last_member_has_ended(
    story: Story, join: Any, exit_code: int, state: str
) -> None:
    """The join is met, or can be met no more, while others are at work: the group ends, and nobody else comes
    in."""
    story.connect()
    put(story, resource(), divided(locks=["lock"], join=join), job("k", locks=["lock"]))
    run = run_job(story)
    place(story)
    other = run_job(story, "k")
    end(story, "beside")
    for attempt in [attempt for member, attempt in assigned(story).items() if member]:
        assert story.claim(attempt).ok
    end_member(story, "0", exit_code=exit_code)
    story.reopen()
    assert story.tasks(run)["g"] == state
    assert "main" not in place(story), "two members are at work"
    assert held(story) == {"lock": 1}
    end_member(story, "1", exit_code=None, reason="cancelled") if exit_code else end_member(story, "1")
    assert "main" not in place(story)
    assert held(story) == {"lock": 1}
    end_member(story, "2", exit_code=None, reason="cancelled") if exit_code else end_member(story, "2")
    assert "main" in place(story), "it is the other's"
    story.settle()
    assert (story.run(other).state, held(story)) == ("succeeded", {})


def test_members_that_wait_behind_a_failure_give_back_with_it(story: Story) -> None:
    story.connect()
    put(story, resource(), divided(locks=["lock"], fanout={"n": 5, "max_parallel": 1}))
    run = run_job(story)
    place(story)
    end(story, "beside")
    end_member(story, "0", exit_code=1)
    place(story)
    assert (story.tasks(run)["g"], held(story)) == ("failed", {})


def test_a_group_gives_back_once_no_member_of_it_may_have_begun(story: Story) -> None:
    story.connect()
    put(story, resource(), divided(locks=["lock"]))
    run_job(story)
    place(story)
    (beside,) = [attempt for attempt, name in story.store.rows(
        "SELECT a.id, t.name FROM attempts a JOIN tasks t ON t.id = a.task WHERE t.name = 'beside'"
    )]  # fmt: skip
    ids = [attempt for member, attempt in assigned(story).items() if member]
    assert story.claim(ids[0]).ok
    for each in (beside, *ids[1:]):
        story.tell_ok(c.Revoke(story.epoch, each, "the agent did not claim it"))
    assert held(story) == {"lock": 1}, "one began"
    story.settle()
    assert held(story) == {}


def test_nothing_is_held_where_all_members_were_taken_back(story: Story) -> None:
    story.connect()
    put(story, resource(), divided(locks=["lock"]))
    run_job(story)
    place(story)
    for (attempt,) in story.store.rows("SELECT id FROM attempts WHERE live = 1 ORDER BY id"):
        story.tell_ok(c.Revoke(story.epoch, attempt, "the agent did not claim it"))
    assert held(story) == {}


def test_a_circle_through_a_member_of_a_group_is_found(story: Story) -> None:
    """The group of `j` holds a, and a member of it waits for b; who holds b waits for a run that wants a."""
    story.connect()
    tasks = {"first": NOOP, "many": {**NOOP, "fanout": {"n": 2}, "locks": ["b"], "needs": ["first"]}}
    mine = job("j", tasks=tasks, groups={"g": {"tasks": ["first", "many"], "locks": ["a"]}})
    other = job(
        "other", policies={"locks": ["b"]},
        tasks={"hold": NOOP, "run": {"needs": ["hold"], "job": {"name": "child"}}},
    )  # fmt: skip
    put(story, resource("a"), resource("b"), mine, other, job("child", locks=["a"]))
    run, beside = run_job(story), run_job(story, "other")
    place(story)
    end(story, "first", "hold")
    assert place(story) == {}
    (task,) = story.store.rows("SELECT id FROM tasks WHERE run = ? AND name = 'main'", (beside + 1,))[0]
    row = task_rows.get(story.store, task)
    assert row is not None
    said = deadlocks.find(story.store, row, story.now_ms)
    assert f"task many of run {run} waits for default/b, which run {beside} holds" in said
    story.now_ms += EACH_MS
    assert story.plan_and_apply() == [c.BreakDeadlock(story.epoch, task)]
    story.settle()
    assert (story.run(run).state, held(story)) == ("succeeded", {})


def test_an_agent_each_and_one_agent_for_all_is_refused() -> None:
    with pytest.raises(JobError) as caught:
        parse_job(divided(sticky=True, fanout={"all": "registered"}))
    (problem,) = caught.value.problems
    assert problem.pointer == "/tasks/many/fanout/all"
    assert problem.detail == "its members are for an agent each, and group g is sticky: for one agent"
    parse_job(divided(max_parallel=1, fanout={"all": "registered"}))


def test_a_member_for_each_agent_goes_under_the_locks_of_its_group(story: Story) -> None:
    for name in ("one", "two", "three"):
        story.connect(name)
    put(story, resource(), divided(locks=["lock"], max_parallel=2, fanout={"all": "registered"}))
    first, second = run_job(story), run_job(story)
    for _ in range(40):
        place(story)
        working = {row.run for row in [*story.attempts(first), *story.attempts(second)] if row.live}
        assert len(working - {None}) <= 2
        names = story.store.rows(
            "SELECT DISTINCT t.run FROM attempts a JOIN tasks t ON t.id = a.task"
            " WHERE a.live = 1 AND t.name <> 'last'"
        )
        assert len(names) <= 1, "one run is in its block"
        assert len(live(story)) <= 4
        for attempt in [row[0] for row in story.store.rows("SELECT id FROM attempts WHERE live = 1")][:1]:
            assert story.claim(attempt).ok
            assert story.finish(attempt).ok
    assert [story.run(each).state for each in (first, second)] == ["succeeded", "succeeded"]
    for run in (first, second):
        of = {task.member: story.attempts(run) for task in task_rows.of_run(story.store, run) if task.member}
        assert sorted(of) == ["one", "three", "two"]
    assert held(story) == {}


# -- in the midst of a restore -----------------------------------------------------------------------------


@pytest.mark.parametrize("fanout", [{"n": 5, "max_parallel": 2}, {"n": 5, "stagger": "1s"}])
@pytest.mark.parametrize("join", ["all", "any"])
@pytest.mark.parametrize("is_over", [True, False])
def test_members_that_agents_tell_of_after_a_restore_count_once(
    story: Story, fanout: Any, join: str, *, is_over: bool
) -> None:
    """One that had no turn in the backup ran since, and is over or still runs."""
    story.connect()
    put(story, divided(fanout=fanout, join=join))
    run = run_job(story)
    place(story)
    end(story, "beside")
    last = str(fanout["n"] - 1)
    restore(story)
    tell(story, ran(900, run, task="many", member=last, ended=is_over))
    assert members(story, run)[last] == ("succeeded" if is_over else "active")
    story.now_ms += HOLD_MS + 1
    held = () if is_over else ((900, "running"),)
    story.connect(session="s2", held=held)
    for _ in range(40):
        story.settle()
        story.now_ms += 1_000
    assert members(story, run)[last] == "succeeded"
    tries = story.store.rows(
        "SELECT t.member, count(*) FROM attempts a JOIN tasks t ON t.id = a.task"
        " WHERE t.member <> '' AND a.state = 'succeeded' GROUP BY 1 HAVING count(*) > 1"
    )
    assert tries == [], "nobody did it twice"
    assert story.run(run).finished_ms is not None, members(story, run)
    closed(story, run)


@pytest.mark.parametrize("how", ["failed", "stopped"])
def test_a_job_that_is_deleted_leaves_nothing_at_work_that_was_to_be_cut(tmp_path: Path, how: str) -> None:
    """The next slice of it was still to come, and went with the run: agents worked on for nobody."""
    story = Story(tmp_path / "state.db", room=ROW)
    story.lead()
    story.connect(slots=50)
    put(story, divided(fanout={"n": 8}))
    run = run_job(story)
    while len(assigned(story)) < 9:
        assert story.plan_and_apply()
    for attempt in assigned(story).values():
        assert story.claim(attempt).ok
    if how == "failed":
        end_member(story, "3", exit_code=1)
    else:
        story.tell_ok(c.StopTask(run, "g"))
    asked = [each.state for each in story.attempts(run)].count("cancelling")
    assert asked < 7, "it goes on in slices"
    story.tell_ok(c.DeleteJob("default", "j", None))
    while story.plan_and_apply():
        pass
    at_work = {member: story.attempt(attempt).state for member, attempt in assigned(story).items()}
    assert at_work.pop("") == ("cancelling" if how == "stopped" else "granted"), "the task beside them"
    assert set(at_work.values()) == {"cancelling"}
    for attempt in assigned(story).values():
        assert story.finish(attempt, exit_code=None, reason="cancelled").ok
    place(story)
    assert story.run(run).finished_ms is not None
    story.close()
