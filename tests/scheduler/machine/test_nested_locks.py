"""What a run and a group hold counts as held by the runs that their tasks wait for; circles of such runs are
found, and broken."""

from __future__ import annotations

import random
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler.machine.rules import deadlocks
from scheduler.machine.rules.deadlocks import Lack, Node, Waits
from scheduler.plan.passes import deadlocks as deadlock_pass
from scheduler.plan.passes.deadlocks import EACH_MS
from scheduler.plan.planner import wake_ms
from scheduler.store.connection import Store
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.agents import Agent
from scheduler.words import commands as c
from scheduler.words.outcomes import Code
from tests.scheduler.machine.test_conditions import ASSIGNED
from tests.scheduler.machine.test_group_places import end, live, place, waits
from tests.scheduler.machine.test_locks import held, put, resource
from tests.scheduler.machine.test_locks import run as run_job
from tests.scheduler.story import Story, job

NOOP: dict[str, Any] = {"noop": True}


def parent(name: str = "j", locks: Any = ("lock",), **fields: Any) -> dict[str, Any]:
    """It takes its locks with `first`, and then waits for a run of `child`."""
    tasks = {"first": NOOP, "run": {"needs": ["first"], "job": {"name": "child"}}}
    return job(name, tasks=tasks, policies={"locks": list(locks)}, **fields)


def begun(story: Story, *documents: dict[str, Any]) -> tuple[int, int]:
    """A run that holds what it takes, and the one that it waits for."""
    story.connect()
    put(story, *documents)
    run = run_job(story)
    place(story)
    end(story, "first")
    return run, run + 1


# -- counts as held -------------------------------------------------------------------------------------


def test_what_a_run_holds_is_held_by_the_runs_that_it_waits_for(story: Story) -> None:
    deep = job("child", tasks={"run": {"job": {"name": "deep"}}, "own": {**NOOP, "locks": ["lock"]}})
    run, _ = begun(story, resource(), job("deep", locks=["lock"]), deep, parent())
    other = run_job(story, "deep")  # that nobody waits for
    story.reopen()
    assert sorted(place(story)) == ["main", "own"]
    assert held(story) == {"lock": 1}
    assert [row[0] for row in story.store.rows("SELECT id FROM lock_holds")] == [run]
    assert "held by run 1 of default/j" in waits(story, other, "main")
    story.settle()
    assert (story.run(run).state, story.run(other).state, held(story)) == ("succeeded", "succeeded", {})


def test_of_amounts_the_largest_counts_and_what_is_missing_is_taken(story: Story) -> None:
    pool = resource("pool", count=4)
    child = job("child", locks=[{"resource": "pool", "amount": 3}])
    begun(story, pool, child, parent(locks=[{"resource": "pool", "amount": 2}]))
    assert (sorted(place(story)), held(story)) == (["main"], {"pool": 3})
    end(story, "main")
    assert held(story) == {"pool": 2}
    story.settle()
    assert held(story) == {}


def test_a_rate_that_a_run_spent_is_spent_for_what_it_waits_for(story: Story) -> None:
    begun(story, resource("api", rate="1 per 1h"), job("child", locks=["api"]), parent(locks=["api"]))
    assert sorted(place(story)) == ["main"]


def test_what_a_group_holds_is_held_by_the_runs_that_its_tasks_wait_for(story: Story) -> None:
    tasks = {"first": NOOP, "run": {"needs": ["first"], "job": {"name": "child"}}}
    group = {"tasks": ["first", "run"], "locks": ["lock"]}
    begun(story, resource(), job("child", locks=["lock"]), job(tasks=tasks, groups={"g": group}))
    assert (sorted(place(story)), held(story)) == (["main"], {"lock": 1})
    story.settle()
    assert held(story) == {}


def test_a_run_keeps_its_locks_for_a_run_that_it_waits_for(story: Story) -> None:
    """Though the attempt with which it took them is taken back."""
    story.connect()
    tasks = {"run": {"job": {"name": "child"}}, "beside": NOOP}
    put(story, resource(), job("child", locks=["lock"]), job(tasks=tasks, policies={"locks": ["lock"]}))
    run = run_job(story)
    assert sorted(place(story)) == ["beside", "main"]
    story.tell_ok(c.Revoke(story.epoch, story.attempts(run)[0].id, "the agent did not claim it"))
    assert held(story) == {"lock": 1}
    story.settle()
    assert (story.run(run).state, held(story)) == ("succeeded", {})


@pytest.mark.parametrize("other", ["early", "other"])
def test_it_passes_those_who_wait_for_what_its_parent_holds(story: Story, other: str) -> None:
    """Whether what it asks for comes before that in the order of names, or after it."""
    story.connect()
    both = job("both", locks=["lock", other])
    put(story, resource(), resource(other), both, job("child", locks=[other]), parent())
    run = run_job(story)
    place(story)
    waiter = run_job(story, "both")
    place(story)
    end(story, "first")
    assert sorted(place(story)) == ["main"], "though one waits for that who asks for both"
    story.settle()
    assert [story.run(each).state for each in (run, waiter)] == ["succeeded", "succeeded"]


# -- circles --------------------------------------------------------------------------------------------


def test_a_circle_of_runs_is_broken_where_a_run_waits_that_another_waits_for(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """`j` holds b and waits for a run that wants a; another one holds a and wants b."""
    story.connect()
    tasks = {"hold": NOOP, "more": {**NOOP, "locks": ["b"], "needs": ["hold"]}}
    other = job("other", tasks=tasks, policies={"locks": ["a"]})
    child = job("child", tasks={"main": {**NOOP, "locks": ["a"], "retry": {"max": 3}}})
    put(story, resource("a"), resource("b"), child, other, parent(locks=["b"]))
    run, beside = run_job(story), run_job(story, "other")
    place(story)
    end(story, "first", "hold")
    assert place(story) == {}
    (task,) = story.store.rows("SELECT id FROM tasks WHERE run = ? AND name = 'main'", (beside + 1,))[0]
    assert wake_ms(story.store, cache=story.cache) == story.now_ms + EACH_MS
    story.reopen()
    place(story)
    row = task_rows.get(story.store, task)
    assert row is not None
    assert deadlocks.find(story.store, row, story.now_ms)
    with monkeypatch.context() as less:
        less.setattr(deadlocks, "LOOKED_MAX", 3)
        assert deadlocks.find(story.store, row, story.now_ms) == "", "who was not looked at may end"
    story.now_ms += EACH_MS
    assert story.plan_and_apply() == [c.BreakDeadlock(story.epoch, task)]
    ended = story.store.row("SELECT state, reason, attempts FROM tasks WHERE id = ?", (task,))
    said = f"deadlock: task main of run {beside + 1} waits for default/a, which run {beside} holds;"
    said += f" task more of run {beside} waits for default/b, which run {run} holds;"
    assert ended == ("failed", f"{said} run {run} waits for run {beside + 1}", 0)
    assert story.one(c.BreakDeadlock(story.epoch, task)).code is Code.SUPERSEDED
    story.settle()
    assert [story.run(each).state for each in (run, beside)] == ["failed", "succeeded"]
    assert (story.tasks(run)["run"], held(story)) == ("failed", {})


def closed_by_order(story: Story) -> tuple[int, int, int]:
    """`j` holds c and waits for a run that wants a; another one holds a and wants b, which is free, and for
    which a third one waited before it, that wants c too."""
    tasks = {"hold": NOOP, "more": {**NOOP, "locks": ["b"], "needs": ["hold"]}}
    other = job("other", tasks=tasks, policies={"locks": ["a"]})
    wide = job("wide", tasks={"both": {**NOOP, "locks": ["b", "c"], "on": {"pool": "wide"}}})
    resources = [resource(name) for name in "abc"]
    put(story, *resources, job("child", locks=["a"]), other, wide, parent(locks=["c"]))
    run = run_job(story)
    place(story)
    before, beside = run_job(story, "wide"), run_job(story, "other")
    place(story)
    end(story, "first", "hold")
    assert place(story) == {}
    return run, beside, before


def test_a_circle_that_the_order_of_a_queue_closes_is_broken(story: Story) -> None:
    story.connect()
    story.connect("wide-1", session="s2", pool="wide")
    run, beside, before = closed_by_order(story)
    story.now_ms += EACH_MS
    story.plan_and_apply()
    child = beside + 1
    (said,) = story.store.row("SELECT reason FROM tasks WHERE run = ?", (child,)) or ("",)
    assert said == (
        f"deadlock: task main of run {child} waits for default/a, which run {beside} holds; task more of"
        f" run {beside} waits for default/b, which task both of run {before} waits for before it; task both"
        f" of run {before} waits for default/c, which run {run} holds; run {run} waits for run {child}"
    )
    story.settle()
    assert [story.run(each).state for each in (run, beside, before)] == ["failed", "succeeded", "succeeded"]
    assert held(story) == {}


def test_who_has_no_agent_closes_no_circle_by_its_order(story: Story) -> None:
    """It lets others pass, so all of them end."""
    story.connect()
    story.connect("wide-1", session="s2", pool="wide")
    run, beside, before = closed_by_order(story)
    (task,) = story.store.rows("SELECT id FROM tasks WHERE run = ?", (beside + 1,))[0]
    row = task_rows.get(story.store, task)
    assert row is not None
    assert deadlocks.find(story.store, row, story.now_ms)
    story.tell_ok(c.DrainAgent("wide-1", "a story"))
    assert deadlocks.find(story.store, row, story.now_ms) == ""
    story.settle()
    assert [story.run(each).state for each in (run, beside)] == ["succeeded", "succeeded"]
    story.tell_ok(c.ResumeAgent("wide-1"))
    story.settle()
    assert story.run(before).state == "succeeded"


def test_agents_are_looked_through_once_however_many_wait_for_whatever(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    """There may be thousands: of each resource five who wait were looked for among all of them."""
    story.connect()
    story.connect("wide-1", session="s2", pool="wide")
    names = ["b1", "b2", "b3", "b4"]
    tasks = {"hold": NOOP, "more": {**NOOP, "locks": names, "needs": ["hold"]}}
    other = job("other", tasks=tasks, policies={"locks": ["a"]})
    wide = [
        job(f"wide-{name}", tasks={"both": {**NOOP, "locks": [name, "c"], "on": {"pool": "wide"}}})
        for name in names
    ]
    resources = [resource(name) for name in ["a", *names, "c"]]
    put(story, *resources, job("child", locks=["a"]), other, *wide, parent(locks=["c"]))
    run_job(story)
    place(story)
    for name in names:
        run_job(story, f"wide-{name}")
    beside = run_job(story, "other")
    place(story)
    end(story, "first", "hold")
    assert place(story) == {}
    row = task_rows.newest(story.store, beside + 1, "main")
    assert row is not None
    asked: list[int] = []
    connected = agent_rows.connected

    def counted(store: Store) -> list[Agent]:
        asked.append(1)
        return connected(store)

    monkeypatch.setattr(agent_rows, "connected", counted)
    assert deadlocks.find(story.store, row, story.now_ms)
    assert len(asked) == 1


def test_a_circle_tells_of_other_namespaces_the_numbers_of_runs_alone(story: Story) -> None:
    """Who may read the reason may not be one who may read there."""
    story.connect()
    tasks = {"hold": NOOP, "more": {**NOOP, "locks": ["other/b"], "needs": ["hold"]}}
    other = job("secret", namespace="other", tasks=tasks, policies={"locks": ["a"]})
    child = job("child", namespace="near", locks=["other/a"])
    task = {"name": "near/child"}
    above = {"first": NOOP, "run": {"needs": ["first"], "job": task}}
    holder = job("j", tasks=above, policies={"locks": ["other/b"]})
    objects = [resource(name, namespace="other") for name in "ab"]
    put(story, *objects, child, other, holder)
    run = run_job(story)
    beside: int = story.value(c.RunJob("other", "secret", b"{}", story.now_ms), "run")
    place(story)
    end(story, "first", "hold")
    assert place(story) == {}
    story.now_ms += EACH_MS
    story.plan_and_apply()
    (said,) = story.store.row("SELECT reason FROM tasks WHERE run = ?", (beside + 1,)) or ("",)
    assert said == (
        f"deadlock: task main of run {beside + 1} waits for other/a, which run {beside} holds;"
        f" run {beside} waits for what run {run} holds; run {run} waits for run {beside + 1}"
    )


def test_a_circle_is_found_beside_many_whose_groups_take_locks(
    story: Story, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(deadlock_pass, "LOOKED_MAX", 1)
    story.connect()
    tasks = {"hold": NOOP, "more": {**NOOP, "locks": ["b"], "needs": ["hold"]}}
    other = job("other", tasks=tasks, policies={"locks": ["a"]})
    beside = job("beside", tasks={"x": NOOP}, groups={"g": {"tasks": ["x"], "locks": ["a"]}})
    put(story, resource("a"), resource("b"), job("child", locks=["a"]), other, beside, parent(locks=["b"]))
    run_job(story)
    run_job(story, "other")
    place(story)
    end(story, "first", "hold")
    for _ in range(5):
        run_job(story, "beside")
    assert place(story) == {}
    story.now_ms += EACH_MS
    assert [type(command) for command in story.plan()] == [c.BreakDeadlock]


def test_where_somebody_else_gives_enough_back_it_is_no_circle(story: Story) -> None:
    story.connect()
    tasks = {"hold": NOOP, "more": {**NOOP, "locks": ["b"], "needs": ["hold"]}}
    other = job("other", tasks=tasks, policies={"locks": ["a"]})
    jobs = [job("child", locks=["a"]), job("single", locks=["a"]), other, parent(locks=["b"])]
    put(story, resource("a", count=2), resource("b"), *jobs)
    runs = [run_job(story, name) for name in ("j", "other", "single")]
    place(story)
    end(story, "first", "hold")
    for _ in range(3):
        story.now_ms += EACH_MS
        assert sorted(place(story)) == ["main"], "of the one beside, for which the circle waits too"
    story.settle()
    assert [story.run(each).state for each in runs] == ["succeeded"] * 3


def test_who_waits_for_somebody_that_comes_to_his_end_does_not_fail(story: Story) -> None:
    run, _ = begun(
        story, resource("a"), resource("b"), job("child", locks=["a"]), job("other", locks=["a"]),
        parent(locks=["b"]),
    )  # fmt: skip
    other = run_job(story, "other")
    taken = story.store.value("SELECT id FROM tasks WHERE run = ?", (other,))
    story.plan_and_apply()
    for _ in range(5):
        story.now_ms += EACH_MS
        place(story)
    (waiting,) = [row[0] for row in story.store.rows("SELECT id FROM tasks WHERE state = 'queued'")]
    assert waiting != taken or live(story)
    assert story.one(c.BreakDeadlock(story.epoch, waiting)).code is Code.SUPERSEDED
    story.settle()
    assert (story.run(run).state, story.run(other).state) == ("succeeded", "succeeded")


@st.composite
def webs(draw: st.DrawFn) -> Waits:
    """Holders, tasks in them that lack something, and what they wait for beside."""
    count = draw(st.integers(1, 5))
    holders: list[Node] = [("run", number) for number in range(count)]
    tasks: list[Node] = [("task", number) for number in range(draw(st.integers(1, 5)))]
    inside = {
        holder: draw(st.lists(st.sampled_from([*tasks, *holders]), max_size=3, unique=True))
        for holder in holders
    }
    amounts = st.tuples(st.sampled_from(holders), st.integers(1, 3))
    lack = st.builds(
        Lack, st.just("r"), st.integers(0, 2), st.integers(1, 5),
        st.lists(amounts, max_size=3, unique_by=lambda each: each[0]).map(tuple),
    )  # fmt: skip
    return Waits(inside, {task: draw(st.lists(lack, max_size=2)) for task in tasks})


@given(waits=webs())
@settings(max_examples=100, deadline=None)
def test_stuck_is_who_never_ends_when_all_that_can_does(waits: Waits) -> None:
    ended: set[Node] = set()
    for _ in range(20):  # one after the other, each with what is free by then
        for node in [*waits.lacks, *waits.inside]:
            free = [
                lack.free + sum(has for holder, has in lack.holders if holder in ended) >= lack.wanted
                for lack in waits.lacks.get(node, ())
            ]
            if all(free) and all(each in ended for each in waits.inside.get(node, ())):
                ended.add(node)
    for_ever = deadlocks.stuck(waits)
    assert for_ever == {*waits.inside, *waits.lacks} - ended
    for node in for_ever:
        way = deadlocks.circle(node, waits, for_ever)
        assert not way or way[0] == node
        assert set(way) <= for_ever


# -- whatever jobs there are ----------------------------------------------------------------------------

NAMES = ("a", "b", "c")


@st.composite
def forests(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Jobs whose tasks take resources and wait for runs of later ones, and how much there is."""
    jobs = [f"j{number}" for number in range(4)]
    counts = draw(st.lists(st.integers(1, 2), min_size=3, max_size=3))
    found = [resource(name, count=count) for name, count in zip(NAMES, counts, strict=True)]
    for number, name in enumerate(jobs):
        of_run = draw(st.lists(st.sampled_from(NAMES), min_size=1, max_size=2, unique=True))
        behind = [each for each in NAMES if each > max(of_run)]
        tasks: dict[str, Any] = {"t0": NOOP}  # with which it takes what it holds
        for turn in range(1, draw(st.integers(2, 3))):
            later = jobs[number + 1 :]
            work: dict[str, Any] = {"noop": True}
            nests = draw(st.integers(0, 3)) > 0
            if later and nests:
                work = {"job": {"name": draw(st.sampled_from(later))}}
            elif behind:
                work["locks"] = draw(st.lists(st.sampled_from(behind), max_size=2, unique=True))
            tasks[f"t{turn}"] = {**work, "needs": [draw(st.sampled_from([*tasks]))]}
        found.append(job(name, tasks=tasks, policies={"locks": of_run}))
    return found


@given(documents=forests(), rng=st.randoms(use_true_random=False))
@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_all_runs_end_whatever_they_hold_and_wait_for(
    documents: list[dict[str, Any]], rng: random.Random
) -> None:
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder) / "state.db")
        story.lead()
        story.connect()
        put(story, *documents)
        counts = {each["resource"]: each["count"] for each in documents if "resource" in each}
        names = [each["job"] for each in documents if "job" in each]
        runs = [run_job(story, rng.choice(names)) for _ in range(5)]
        for _ in range(400):
            planned = story.plan_and_apply()
            assert all(amount <= counts[name] for name, amount in held(story).items())
            running = story.store.rows(ASSIGNED)
            for attempt, _ in rng.sample(running, len(running))[: max(1, len(running) // 2)]:
                if story.claim(attempt).ok:
                    assert story.finish(attempt).ok
            if not planned and not running:
                story.now_ms += EACH_MS
                if all(story.run(run).finished_ms for run in runs):
                    break
        assert [story.run(run).state for run in runs if not story.run(run).finished_ms] == []
        assert held(story) == {}
        story.close()
