"""job: a task begins a run of another job, and waits for it or not."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.machine.rules.nesting import DEPTH_MAX, JOBS_LOOKED_MAX
from scheduler.plan import wake_ms
from scheduler.store.tables import nested
from scheduler.store.tables.runs import FOR_NAMESPACE
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.machine.test_quotas import limit
from tests.scheduler.machine.test_restores import HOLD_MS, ran, restore, tell
from tests.scheduler.machine.test_sleep import run_job, task
from tests.scheduler.story import START_MS, Story, job
from tests.scheduler.test_explain import of_run

ADA = c.Actor("ada")
MINUTE_MS = 60_000


def nests(name: str = "child", **fields: Any) -> dict[str, dict[str, Any]]:
    """Tasks of which the middle one is a run of another job."""
    own: dict[str, Any] = {"timeout": fields.pop("timeout")} if "timeout" in fields else {}
    return {
        "first": {"noop": True},
        "run": {"needs": ["first"], "job": {"name": name, **fields}, **own},
        "last": {"noop": True, "needs": ["run"]},
    }


def begun(story: Story, child: dict[str, Any] | None = None, **fields: Any) -> tuple[int, int]:
    """A run whose task waits, and the run that it waits for."""
    story.connect()
    parent = {key: fields.pop(key) for key in ("policies", "finally") if key in fields}
    story.put(child or job("child", tasks={"nap": {"sleep": "1h"}}), job(tasks=nests(**fields), **parent))
    run = int(story.value(c.RunJob("default", "j", b"{}", story.now_ms, plan_day=20_000), "run"))
    story.settle()
    assert story.tasks(run) == {"first": "succeeded", "run": "active", "last": "blocked"}
    return run, run + 1


def test_the_task_ends_as_the_run_that_it_began(story: Story) -> None:
    run, child = begun(story)
    made = story.run(child)
    assert (made.name, made.cause, made.cause_key) == ("child", "nested", f"{run}/run//0")
    assert (made.plan_day, made.state, made.decided) == (20_000, "running", 1)
    assert wake_ms(story.store) == story.now_ms + 60 * MINUTE_MS
    story.now_ms += 60 * MINUTE_MS
    story.settle()
    assert set(story.tasks(run).values()) == {"succeeded"}
    assert (story.run(run).state, story.run(child).state) == ("succeeded", "succeeded")
    assert story.ledger() == []
    assert verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms).ok


def test_its_failure_is_the_failure_of_the_task(story: Story) -> None:
    story.connect()
    tasks = {"main": {"run": "x", "exit": {"warn": [4]}}}
    story.put(job("child", tasks=tasks), job(tasks={"run": nests()["run"] | {"needs": []}}))
    run = run_job(story)
    story.settle(exit_code=3)
    ended = task(story, run, "run")
    assert (ended.state, ended.exit_code, ended.reason) == ("failed", 3, f"run {run + 1} failed")
    assert story.run(run).state == "failed"
    warned = run_job(story)
    story.settle(exit_code=4)
    assert (task(story, warned, "run").warned, story.run(warned).state) == (1, "succeeded")


def test_one_that_is_not_waited_for_goes_its_own_way(story: Story) -> None:
    story.connect()
    story.put(job("child", tasks={"nap": {"sleep": "1h"}}), job(tasks=nests(wait=False)))
    run = run_job(story)
    story.settle()
    assert set(story.tasks(run).values()) == {"succeeded"}
    assert (story.run(run).state, story.run(run + 1).state) == ("succeeded", "running")
    story.tell_ok(c.CancelRun(run + 1))
    assert story.run(run + 1).state == "cancelled"


def test_a_cancelled_run_cancels_what_it_waits_for_and_ends_behind_it(story: Story) -> None:
    agent_work = job("child", tasks={"work": {"run": "x", "on": {"pool": "other"}}})
    story.connect("other", pool="other")
    story.connect()
    story.put(agent_work, job(tasks=nests()))
    run = run_job(story)
    story.plan_and_apply()
    first = story.attempts(run)[0].id
    story.claim(first)
    story.finish(first)
    story.plan_and_apply()
    story.plan_and_apply()
    child = run + 1
    story.claim(story.attempts(child)[0].id)
    story.tell_ok(c.CancelRun(run, ADA))
    assert story.tasks(run) == {"first": "succeeded", "run": "active", "last": "cancelled"}
    assert len(story.told(e.TaskDue)) == 1
    story.plan_and_apply()
    stopped = story.run(child)
    assert (stopped.stopping, stopped.reason) == ("cancelled", f"task run of run {run} cancelled")
    assert story.run(run).state == "running"
    assert story.plan() == []
    story.finish(story.attempts(child)[0].id, exit_code=1, reason="cancelled")
    story.settle()
    assert (story.run(child).state, story.run(run).state) == ("cancelled", "cancelled")
    assert task(story, run, "run").state == "cancelled"


def test_its_timeout_cancels_what_it_waits_for(story: Story) -> None:
    run, child = begun(story, timeout="10m")
    assert wake_ms(story.store) == story.now_ms + 10 * MINUTE_MS
    story.now_ms += 10 * MINUTE_MS
    story.settle()
    assert (story.run(child).state, story.run(child).reason) == (
        "cancelled", f"task run of run {run} timed out"
    )  # fmt: skip
    assert (task(story, run, "run").state, story.run(run).state) == ("timed_out", "timed_out")


def test_the_timeout_of_the_run_goes_on_while_it_waits(story: Story) -> None:
    run, child = begun(story, policies={"timeout": "5m", "on_failure": "hold"})
    assert story.run(run).stop_ms == story.now_ms + 5 * MINUTE_MS
    story.now_ms += 5 * MINUTE_MS
    story.settle()
    assert (story.run(child).state, story.run(run).state) == ("cancelled", "timed_out")


def test_a_person_stops_the_task_alone(story: Story) -> None:
    run, child = begun(story)
    story.tell_ok(c.StopTask(run, "run", "", ADA), c.StopTask(run, "run", "", ADA))
    story.settle()
    assert (story.run(child).state, task(story, run, "run").state) == ("cancelled", "cancelled")
    assert (task(story, run, "last").state, story.run(run).state) == ("skipped", "cancelled")


def test_a_cancelled_child_does_what_it_does_finally_before_its_parent_ends(story: Story) -> None:
    tasks = {"nap": {"sleep": "1h"}, "tidy": {"sleep": "1m"}}
    last: dict[str, Any] = {"finally": ["tidy"]}
    run, child = begun(story, job("child", tasks=tasks, **last))
    story.tell_ok(c.CancelRun(run, ADA))
    story.settle()
    assert (story.run(child).state, story.tasks(child)["tidy"]) == ("running", "active")
    assert story.run(run).state == "running"
    story.now_ms += MINUTE_MS
    story.settle()
    assert story.tasks(child) == {"nap": "cancelled", "tidy": "succeeded"}
    assert (story.run(child).state, story.run(run).state) == ("cancelled", "cancelled")


def test_what_a_child_does_finally_by_itself_is_not_cut_short_by_its_parent(story: Story) -> None:
    tasks = {"nap": {"sleep": "1m"}, "tidy": {"sleep": "1m"}}
    last: dict[str, Any] = {"finally": ["tidy"]}
    run, child = begun(story, job("child", tasks=tasks, **last))
    story.now_ms += MINUTE_MS
    story.settle()
    assert story.tasks(child) == {"nap": "succeeded", "tidy": "active"}
    story.tell_ok(c.CancelRun(run, ADA))
    story.settle()
    assert story.tasks(child)["tidy"] == "active"
    story.now_ms += MINUTE_MS
    story.settle()
    assert (story.run(child).state, story.tasks(run)["run"]) == ("succeeded", "succeeded")
    assert (story.run(run).state, story.tasks(run)["last"]) == ("cancelled", "cancelled")


def test_parameters_are_those_that_its_job_declares_then(story: Story) -> None:
    story.connect()
    params = {"region": {"type": "string", "enum": ["eu", "us"]}, "size": {"type": "integer", "default": 3}}
    good, wrong = job(tasks=nests(params={"region": "eu"})), job("bad", tasks=nests(params={"x": 1}))
    story.put(job("child", params=params), good, wrong)
    run = run_job(story)
    story.settle()
    assert (story.run(run + 1).params, story.run(run).state) == ('{"region":"eu","size":3}', "succeeded")
    bad = run_job(story, "bad")
    story.settle()
    assert task(story, bad, "run").reason == "params of default/child: the job declares no parameter 'x'"
    assert story.run(bad).state == "failed"


@pytest.mark.parametrize("how", ["paused", "disabled", "overlap"])
def test_it_is_made_whatever_stands_in_the_way_of_ticks(story: Story, how: str) -> None:
    story.connect()
    fields = {"enabled": how != "disabled", "policies": {"overlap": "skip"}}
    story.put(job("child", tasks={"nap": {"sleep": "1m"}}, **fields), job(tasks=nests()))
    if how == "paused":
        story.tell_ok(c.PauseJob("default", "child"))
    if how == "overlap":
        run_job(story, "child")
    run = run_job(story)
    story.settle()
    story.now_ms += MINUTE_MS
    story.settle()
    assert story.run(run).state == "succeeded"


def test_one_that_is_waited_for_runs_on_the_place_of_its_parent(story: Story) -> None:
    """Of a namespace that may have one run, it would be waited for for ever."""
    limit(story, active=1, name="default")
    run, child = begun(story)
    other = run_job(story)
    assert story.run(other).waiting == FOR_NAMESPACE
    assert (story.run(child).waiting, story.run(child).counts) == (0, 0)
    story.now_ms += 60 * MINUTE_MS
    story.settle()
    assert (story.run(run).state, story.run(other).waiting) == ("succeeded", 0)


def test_a_job_that_is_gone_fails_the_task_of_an_older_run(story: Story) -> None:
    story.connect()
    story.put(job("child"), job(tasks={"nap": {"sleep": "1m"}, **nests()}))
    assert story.one(c.DeleteJob("default", "child")).code == Code.REFERRED
    run = run_job(story)
    story.put(job())
    story.tell_ok(c.DeleteJob("default", "child"))
    story.settle()
    told = task(story, run, "run")
    assert (told.state, told.reason) == ("failed", "no job default/child")


def test_a_child_whose_job_is_deleted_ends_and_its_parent_with_it(story: Story) -> None:
    run, child = begun(story)
    story.put(job())
    story.tell_ok(c.DeleteJob("default", "child"))
    story.settle()
    assert (story.run(child).state, story.run(run).state) == ("cancelled", "cancelled")


def test_a_deleted_parent_waits_for_what_it_began(story: Story) -> None:
    run, child = begun(story)
    story.tell_ok(c.DeleteJob("default", "j"))
    story.settle()
    assert (story.run(child).state, story.run(run).state, story.tasks(run)["last"]) == (
        "running", "running", "cancelled"
    )  # fmt: skip
    story.now_ms += 60 * MINUTE_MS
    story.settle()
    assert (story.run(child).state, story.tasks(run)["run"]) == ("succeeded", "succeeded")
    assert story.run(run).state == "cancelled"


def test_it_goes_on_over_a_restart_and_another_leader_and_is_made_once(story: Story) -> None:
    run, child = begun(story)
    story.reopen()
    story.lead()
    story.now_ms += 60 * MINUTE_MS
    story.plan_and_apply()
    story.reopen()
    story.lead()
    story.settle()
    assert [cause for cause, _ in story.runs()] == ["manual", "nested"]
    assert (story.run(child).state, story.run(run).state) == ("succeeded", "succeeded")


def test_after_a_restore_a_task_waits_on_for_the_run_that_an_agent_tells_of(story: Story) -> None:
    story.connect()
    story.put(job("child"), job(tasks={"run": nests()["run"] | {"needs": []}}))
    run = run_job(story)
    for _ in range(3):
        story.plan_and_apply()
    (attempt,) = [each.id for each in story.attempts(run + 1)]
    assert story.claim(attempt).ok
    restore(story)
    story.now_ms += HOLD_MS
    tell(story, ran(attempt, run + 1, job="child", ended=False))
    story.connect()
    for _ in range(5):
        story.plan_and_apply()
    assert story.tasks(run) == {"run": "active"}, "what it waits for goes on"
    assert story.finish(attempt).ok
    story.settle()
    assert (story.run(run + 1).state, story.run(run).state) == ("succeeded", "succeeded")


def test_a_group_that_a_person_stops_stops_the_run_that_a_task_of_it_waits_for(story: Story) -> None:
    tasks = {"run": nests()["run"] | {"needs": []}}
    groups = {"g": {"tasks": ["run"], "retry": {"max": 1}}}
    story.put(job("child", tasks={"nap": {"sleep": "1h"}}), job(tasks=tasks, groups=groups))
    run = run_job(story)
    story.settle()
    story.tell_ok(c.StopTask(run, "g", "", ADA))
    story.settle()
    assert story.tasks(run) == {"g": "cancelled", "run": "cancelled"}
    assert (story.run(run + 1).state, story.run(run).state) == ("cancelled", "cancelled")


def test_a_job_does_not_wait_for_itself(story: Story) -> None:
    def refused(*documents: dict[str, Any]) -> str:
        outcome = story.apply(*documents)
        assert outcome.code == Code.CYCLE, outcome
        return outcome.detail

    own = refused(job(tasks=nests("j")))
    assert own == "a run of default/j would wait for itself: default/j → default/j"
    two = refused(job("a", tasks=nests("b")), job("b", tasks=nests("a")))
    assert two == "a run of default/a would wait for itself: default/a → default/b → default/a"
    assert story.apply(job("a"), job("b", tasks=nests("a"))).ok
    assert refused(job("a", tasks=nests("b"))).endswith("default/a → default/b → default/a")
    assert story.apply(job("a", tasks=nests("b", wait=False))).ok
    assert story.apply(job("b"), job("a", tasks=nests("b"))).ok


def test_very_many_that_wait_for_each_other_are_refused(story: Story) -> None:
    chain = [job(f"j{n:04}", tasks=nests(f"j{n + 1:04}")) for n in range(JOBS_LOOKED_MAX + 2)]
    last = job(f"j{JOBS_LOOKED_MAX + 2:04}")
    outcome = story.apply(*chain, last)
    assert (outcome.code, "more than 200 jobs" in outcome.detail) == (Code.CYCLE, True)


def test_runs_that_begin_one_another_come_to_an_end(story: Story) -> None:
    story.put(job(tasks={"again": {"job": {"name": "j", "wait": False}}}))
    run = run_job(story)
    story.settle()
    assert len(story.runs()) == DEPTH_MAX + 1
    last = story.run(run + DEPTH_MAX)
    assert (last.state, task(story, last.id, "again").reason) == (
        "failed", "runs are nested 10 deep here, as deep as they may"
    )  # fmt: skip


def test_what_is_waited_for_is_explained(story: Story) -> None:
    run, child = begun(story, timeout="10m")
    told = next(each for each in of_run(story, run).tasks if each.name == "run")
    gate = told.gates[-1]
    assert gate.reason == f"it waits for run {child} of default/child, which is running"
    assert (gate.opens, gate.opens_ms) == (f"the end of run {child}", story.now_ms + 10 * MINUTE_MS)


def test_rows_of_it_go_with_the_runs(story: Story) -> None:
    run, child = begun(story)
    story.now_ms += 60 * MINUTE_MS
    story.settle()
    for name, last in (("child", child), ("j", run)):
        story.tell_ok(c.Purge(story.epoch, story.job(name).id, last, 100))
    assert story.store.value("SELECT count(*) FROM nested") == 0


def test_an_end_that_nobody_has_heard_of_outlives_its_run(story: Story) -> None:
    run, child = begun(story)
    story.tell_ok(c.CancelRun(child, ADA), c.Purge(story.epoch, story.job("child").id, child, 100))
    left = nested.of_task(story.store, task(story, run, "run").id)
    assert left is not None
    assert left.state == "cancelled"
    story.settle()
    assert (story.run(run).state, len(story.runs())) == ("cancelled", 1)
