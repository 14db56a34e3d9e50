"""Tasks with conditions (`when`) and rules: which begin, which are skipped and why, and how the run ends."""

from __future__ import annotations

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from scheduler import verify
from scheduler.explain import Cluster, explain_run
from scheduler.model.compiled import CompiledJob, compile_job
from scheduler.store.reads import jobs as job_reads
from scheduler.store.tables import tasks as task_rows
from scheduler.words import commands as c
from tests.scheduler.machine.graph_reference import Graph, Tree, written
from tests.scheduler.story import START_MS, Story, job

Tasks = dict[str, dict[str, Any]]
ASSIGNED = (
    "SELECT a.id, t.name FROM attempts a JOIN tasks t ON t.id = a.task"
    " WHERE a.state = 'assigned' ORDER BY a.id"
)
PARAMS = {"region": {"type": "string", "default": "eu"}, "size": {"type": "integer"}}
EITHER: Tasks = {
    "extract": {"noop": True},
    "full": {"noop": True, "needs": ["extract"], "when": "params.region == 'eu'"},
    "part": {"noop": True, "needs": ["extract"], "when": "params.region != 'eu'"},
    "meet": {"noop": True, "needs": ["full", "part"], "rule": "none_failed"},
}


def begun(story: Story, tasks: Tasks, params: bytes = b"{}", **fields: Any) -> int:
    story.connect()
    story.put(job(tasks=tasks, params=PARAMS, **fields))
    return int(story.value(c.RunJob("default", "j", params, START_MS), "run"))


def settle(story: Story, failing: Sequence[str] = (), rounds: int = 60) -> None:
    """Agents do their work; that of these tasks fails."""
    for _ in range(rounds):
        planned = story.plan_and_apply()
        assigned = story.store.rows(ASSIGNED)
        for attempt, name in assigned:
            assert story.claim(attempt).ok
            assert story.finish(attempt, exit_code=1 if name in failing else 0).ok
        if not planned and not assigned:
            return
    raise AssertionError("the plan never comes to rest")


def reasons(story: Story, run: int) -> dict[str, str]:
    return {task.name: task.reason for task in task_rows.of_run(story.store, run) if task.reason}


def explained(story: Story, run: int) -> Any:
    def compiled(job: int, revision: int, namespace: str, name: str) -> CompiledJob:
        spec = job_reads.spec_of(story.store, job, revision)
        assert spec is not None
        return compile_job(spec)

    return explain_run(story.store, story.run(run), Cluster(story.now_ms, "node-a", True), compiled)


def test_either_branch_is_taken_and_they_meet_again(story: Story) -> None:
    run = begun(story, EITHER, b'{"region":"eu"}')
    settle(story)

    assert story.tasks(run) == {
        "extract": "succeeded", "full": "succeeded", "part": "skipped", "meet": "succeeded",
    }  # fmt: skip
    assert reasons(story, run) == {"part": "when"}
    assert story.run(run).state == "succeeded"


@pytest.mark.parametrize(
    ("params", "when", "begins"),
    [
        (b'{"region":"eu"}', "params.region == 'eu'", True),
        (b'{"region":"us"}', "params.region == 'eu'", False),
        (b"{}", "params.size > 3", False),
        (b"{}", "not (params.size > 3)", False),
        (b'{"size":4}', "params.size > 3", True),
        (b"{}", "plan_date == '2027-01-15'", True),
        (b"{}", "tick == '2027-01-15T08:00:00Z'", False),
    ],
)
def test_a_condition_of_a_first_task_is_judged_as_the_run_is_made(
    story: Story, params: bytes, when: str, begins: bool
) -> None:
    run = begun(story, {"a": {"noop": True, "when": when}, "b": {"noop": True, "needs": ["a"]}}, params)
    settle(story)

    expected = "succeeded" if begins else "skipped"
    assert story.tasks(run) == {"a": expected, "b": expected}
    assert story.run(run).state == "succeeded"
    assert reasons(story, run) == ({} if begins else {"a": "when", "b": "upstream"})


def test_a_tick_of_which_nothing_was_to_run_has_run(story: Story) -> None:
    story.connect()
    story.put(job(noop=True, when="plan_date == '2020-01-01'", trigger={"every": "1h"}))
    story.now_ms += 3_600_000
    settle(story)

    assert story.runs() == [("tick", "succeeded")]
    assert [entry[2:] for entry in story.ledger()] == [("ran", "")]
    assert not verify.verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms).problems


def test_runs_that_wait_and_come_to_nothing_end_one_after_the_other(story: Story) -> None:
    """At once, each end would let the next begin, in a chain as deep as the queue is long."""
    story.connect()
    story.put(job(noop=True, when="params.region == 'eu'", params=PARAMS, policies={"overlap": "queue_all"},
                  trigger={"every": "1s", "params": {"region": "us"}}))  # fmt: skip
    first = story.value(c.RunJob("default", "j", b'{"region":"eu"}', START_MS), "run")
    for _ in range(50):
        story.now_ms += 1_000
        story.plan_and_apply()
    assert story.run(first).state == "pending"
    settle(story, rounds=200)

    assert {state for _, state in story.runs()} == {"succeeded"}
    assert len(story.runs()) == 51


def test_what_it_asks_beside_its_needs_is_waited_for(story: Story) -> None:
    tasks: Tasks = {
        "a": {"noop": True},
        "slow": {"noop": True},
        "b": {"noop": True, "needs": ["a", "slow"], "rule": "any_success"},
        "c": {"noop": True, "needs": ["b"], "when": "slow.succeeded"},
    }
    run = begun(story, tasks)
    for _ in range(6):
        story.plan_and_apply()
        for attempt, name in story.store.rows(ASSIGNED):
            if name != "slow":
                assert story.claim(attempt).ok
                assert story.finish(attempt).ok
    assert story.tasks(run) == {"a": "succeeded", "slow": "active", "b": "succeeded", "c": "blocked"}
    settle(story)
    assert story.tasks(run)["c"] == "succeeded"


def test_a_rule_that_is_met_early_waits_for_the_condition(story: Story) -> None:
    tasks: Tasks = {
        "a": {"noop": True},
        "b": {"noop": True},
        "c": {"noop": True, "needs": ["a", "b"], "rule": "any_success", "when": "b.failed"},
    }
    run = begun(story, tasks)
    settle(story, failing=["b"])
    assert story.tasks(run)["c"] == "succeeded"


def test_an_end_with_a_warning_is_asked_for(story: Story) -> None:
    tasks: Tasks = {
        "a": {"run": "x", "exit": {"warn": [1]}},
        "b": {"noop": True, "needs": ["a"], "when": "a.warned and a.succeeded"},
        "c": {"noop": True, "needs": ["b"], "when": "b.warned"},
    }
    run = begun(story, tasks)
    settle(story, failing=["a"])
    assert story.tasks(run) == {"a": "succeeded", "b": "succeeded", "c": "skipped"}


def test_vars_are_those_that_the_run_began_with(story: Story) -> None:
    story.connect()
    vars_ = {"vars": "v", "values": {"mode": "full", "port": "5432"}}
    tasks: Tasks = {
        "a": {"noop": True},
        "b": {"noop": True, "needs": ["a"], "when": "vars.mode == 'full' and vars.port > 5000"},
        "c": {"noop": True, "needs": ["a"], "when": "vars.nothing == 1"},
    }
    assert story.apply(vars_, job(tasks=tasks, vars=["v"])).ok
    run = story.value(c.RunJob("default", "j", b"{}", START_MS), "run")
    assert story.apply({"vars": "v", "values": {"mode": "part"}}).ok
    settle(story)

    assert story.tasks(run) == {"a": "succeeded", "b": "succeeded", "c": "skipped"}


def test_it_is_explained_part_by_part(story: Story) -> None:
    run = begun(story, EITHER, b'{"region":"eu"}')
    told = explained(story, run)
    by_task = {each.task: each for each in told.whens}
    assert set(by_task) == {"full", "part"}
    assert [(part.text, part.value) for part in by_task["part"].parts] == [
        ("params.region != 'eu'", False), ("params.region", "eu"), ("'eu'", "eu"),
    ]  # fmt: skip
    gate = next(g for task in told.tasks if task.name == "part" for g in task.gates if g.gate == "when")
    assert gate.reason == "its condition is judged when all that it needs and asks has ended"
    settle(story)
    assert {each.task: (each.state, each.value) for each in explained(story, run).whens} == {
        "full": ("succeeded", True), "part": ("skipped", False),
    }  # fmt: skip


def test_thousands_of_conditions_are_judged_in_slices(tmp_path: Path) -> None:
    story = Story(tmp_path / "narrow.db", room=2_000)
    story.lead()
    tasks: Tasks = {"a": {"noop": True}}
    for number in range(1_500):
        condition = "a.succeeded" if number % 2 else "a.failed"
        tasks[f"t{number:04}"] = {"noop": True, "needs": ["a"], "when": condition}
    run = begun(story, tasks)
    while story.run(run).unmade:
        story.plan_and_apply()
    story.work()
    before = sum(state == "skipped" for state in story.tasks(run).values())
    assert 0 < before < 750
    settle(story, rounds=4_000)
    states = story.tasks(run).values()
    assert (sum(s == "skipped" for s in states), sum(s == "succeeded" for s in states)) == (750, 751)
    assert story.run(run).state == "succeeded"


@pytest.mark.parametrize("order", ["a-first", "b-first"])
def test_a_job_deleted_or_a_run_cancelled_judges_nothing_more(story: Story, order: str) -> None:
    run = begun(story, {"a": {"noop": True}, "b": {"noop": True, "needs": ["a"], "when": "a.ended"}})
    story.plan_and_apply()
    story.claim(1)
    story.tell_ok(c.CancelRun(run) if order == "a-first" else c.DeleteJob("default", "j"))
    story.finish(1)
    settle(story)
    assert story.tasks(run)["b"] == "cancelled"


# -- against the reference ------------------------------------------------------------------------

STATES = ("succeeded", "failed", "skipped", "ended", "cancelled")


@st.composite
def graphs(draw: st.DrawFn) -> tuple[Tasks, dict[str, bool], dict[str, Any]]:
    names = [f"t{number}" for number in range(draw(st.integers(1, 9)))]
    tasks: Tasks = {}
    above: dict[str, list[str]] = {}
    for place, name in enumerate(names):
        before = names[:place]
        needs: list[str] = []
        if before:
            needs = draw(st.lists(st.sampled_from(before), unique=True, max_size=4))
        above[name] = sorted({*needs, *(far for need in needs for far in above[need])})
        task: dict[str, Any] = {"needs": needs} if needs else {}
        has_rule = draw(st.booleans())
        if needs and has_rule:
            number = draw(st.integers(1, len(needs)))
            words: list[Any] = ["none_failed", "all_done", "any_failed", "any_success", {"n_of": number}]
            task["rule"] = draw(st.sampled_from(words))
        if draw(st.integers(0, 3)) == 0:
            task["allow_failure"] = True
        if draw(st.booleans()):
            task["when"] = draw(trees(above[name]))
        tasks[name] = task
    works = {name: draw(st.integers(0, 3)) > 0 for name in names}
    return tasks, works, draw(st.sampled_from([{}, {"region": "eu"}, {"region": "us"}]))


def trees(asked: list[str], groups: Sequence[str] = ()) -> st.SearchStrategy[Tree]:
    """`groups`: which of those have no exit code."""
    regions = st.sampled_from(["eu", "us"])
    leaf: st.SearchStrategy[Tree] = st.tuples(st.just("param"), st.just("region"), regions)
    if asked:
        leaf |= st.tuples(st.just("is"), st.sampled_from(asked), st.sampled_from(STATES))
    if coded := [name for name in asked if name not in groups]:
        leaf |= st.tuples(st.just("code"), st.sampled_from(coded), st.integers(0, 1))
    return st.recursive(
        leaf,
        lambda inner: (
            st.tuples(st.just("not"), inner) | st.tuples(st.sampled_from(["and", "or"]), inner, inner)
        ),
        max_leaves=4,
    )


@given(graph=graphs(), room=st.sampled_from([1, 60, 12_500]), order=st.randoms(use_true_random=False))
@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_every_graph_ends_as_the_reference_says(graph: Any, room: int, order: Any) -> None:
    tasks, works, params = graph
    document = {
        name: {"noop": True, **task, **({"when": written(task["when"])} if "when" in task else {})}
        for name, task in tasks.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        story = Story(Path(folder) / "state.db", room=room)
        story.lead()
        story.connect()
        story.put(job(tasks=document, params={"region": {"type": "string"}}))
        text = b"{}" if not params else b'{"region":"%s"}' % params["region"].encode()
        run = story.value(c.RunJob("default", "j", text, START_MS), "run")
        for _ in range(80):
            planned = story.plan_and_apply()
            live = story.store.rows(ASSIGNED)
            if not planned and not live:
                break
            for attempt, name in order.sample(live, len(live))[: max(1, len(live) // 2)]:
                assert story.claim(attempt).ok
                assert story.finish(attempt, exit_code=0 if works[name] else 1).ok
        expected = Graph(tasks, {name: [works[name]] for name in works}, params)
        assert story.tasks(run) == {name: expected.state(name) for name in tasks}
        assert story.run(run).state == expected.run()
        story.close()
