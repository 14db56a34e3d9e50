"""finish: a task that ends its run as it says, whatever became of the others, and cancels what is open."""

from __future__ import annotations

from typing import Any

from scheduler.machine.context import ROW
from scheduler.plan import wake_ms
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.machine.test_sleep import run_job, task
from tests.scheduler.story import START_MS, Story, job

STOPS: dict[str, dict[str, Any]] = {
    "a": {"noop": True},
    "stop": {"finish": "succeeded", "needs": ["a"], "when": "a.exit_code == 3 or a.succeeded"},
    "after": {"noop": True, "needs": ["stop"]},
    "nap": {"sleep": "1h"},
    "work": {"run": "x", "on": {"pool": "other"}},
}


def test_it_ends_the_run_as_it_says_and_cancels_what_is_open(story: Story) -> None:
    story.connect()
    story.put(job(tasks=STOPS))
    run = run_job(story)
    story.settle()
    assert story.tasks(run) == {
        "a": "succeeded", "stop": "succeeded", "after": "cancelled", "nap": "cancelled", "work": "cancelled",
    }  # fmt: skip
    ended = story.run(run)
    assert (ended.state, ended.reason, ended.exit_code) == ("succeeded", "finished by stop", None)
    assert task(story, run, "nap").reason == "finished by stop"
    assert wake_ms(story.store) is None


def test_what_an_agent_runs_is_stopped_first_and_changes_nothing(story: Story) -> None:
    agent = story.connect("other", pool="other")
    story.connect()
    story.put(job(tasks=STOPS))
    run = run_job(story)
    story.plan_and_apply()
    by_task = {each.task: each.id for each in story.attempts(run)}
    for attempt in by_task.values():
        assert story.claim(attempt).ok
    work = by_task[task(story, run, "work").id]
    story.tell_ok(c.ReportRunning(work, agent, story.now_ms))
    story.finish(by_task[task(story, run, "a").id], exit_code=0)
    story.plan_and_apply()
    assert (story.run(run).state, story.run(run).stopping) == ("running", "succeeded")
    assert story.tasks(run)["work"] == "active"
    assert story.one(c.CancelRun(run, c.Actor("ada"))).ok
    story.finish(work, exit_code=1, reason="cancelled")
    assert (story.tasks(run)["work"], story.run(run).state) == ("cancelled", "succeeded")


def test_it_may_fail_a_run_in_which_all_went_well(story: Story) -> None:
    tasks = {"only": {"finish": "failed"}}
    story.put(job(tasks=tasks, trigger={"at": "2027-01-15T08:01:00Z"}, policies={"pause_after_failures": 1}))
    story.now_ms = START_MS + 60_000
    story.settle()
    assert story.ledger() == [(60, 1, "ran", "")]
    assert (story.run(1).state, story.run(1).reason) == ("failed", "finished by only")
    assert story.tasks(1) == {"only": "succeeded"}
    assert story.store.value("SELECT state FROM jobs") == "paused"
    assert verify(story.store, START_MS, story.now_ms, now_ms=story.now_ms).ok


def test_a_failure_before_it_is_overruled_and_one_that_is_skipped_ends_nothing(story: Story) -> None:
    story.connect()
    tasks = {
        "a": {"noop": True}, "well": {"finish": "succeeded", "needs": ["a"], "rule": "any_failed"},
        "ill": {"finish": "failed", "needs": ["a"], "when": "a.exit_code == 7"},
        "last": {"sleep": "1m", "needs": ["ill"], "rule": "none_failed"},
    }  # fmt: skip
    story.put(job(tasks=tasks))
    bad, good = run_job(story), run_job(story)
    story.plan_and_apply()
    for attempt, exit_code in zip([story.attempts(bad)[0], story.attempts(good)[0]], (1, 0), strict=True):
        story.claim(attempt.id)
        story.finish(attempt.id, exit_code=exit_code)
    story.settle()
    assert (story.run(bad).state, story.tasks(bad)["a"]) == ("succeeded", "failed")
    assert story.tasks(good) == {"a": "succeeded", "well": "skipped", "ill": "skipped", "last": "active"}


def test_of_two_the_first_counts_and_each_begins_once(story: Story) -> None:
    story.put(job(tasks={"a": {"finish": "failed"}, "b": {"finish": "succeeded"}}))
    run = run_job(story)
    assert len(story.told(e.TaskBegun)) == 2
    assert [outcome.code for outcome in story.tell(*story.plan())] == [Code.OK, Code.ENDED]
    assert story.tasks(run) == {"a": "succeeded", "b": "cancelled"}
    assert (story.run(run).state, story.run(run).reason) == ("failed", "finished by a")


def test_in_a_large_graph_it_stops_the_rest_in_slices(tmp_path: Any) -> None:
    story = Story(tmp_path / "state.db", room=20 * ROW)
    try:
        story.lead()
        rest = {f"t{n}": {"sleep": "1h"} for n in range(100)}
        story.put(job(tasks={"stop": {"finish": "failed"}, **rest}))
        run = run_job(story)
        story.settle()
        assert story.run(run).state == "failed"
        assert set(story.tasks(run).values()) == {"succeeded", "cancelled"}
    finally:
        story.close()


def test_a_finish_of_before_a_restart_or_another_leader_is_done(story: Story) -> None:
    story.put(job(tasks={"stop": {"finish": "failed"}, "nap": {"sleep": "1h"}}))
    run = run_job(story)
    story.reopen()
    story.lead()
    story.settle()
    assert story.run(run).state == "failed"


def test_a_run_that_is_suspended_before_its_finish_is_finished_when_it_goes_on(story: Story) -> None:
    story.connect()
    story.put(job(tasks=STOPS))
    run = run_job(story)
    story.plan_and_apply()
    attempt = story.attempts(run)[0]
    story.claim(attempt.id)
    story.tell_ok(c.SuspendRun(run, "look"))
    story.finish(attempt.id, exit_code=0)
    story.settle()
    assert (story.run(run).state, story.tasks(run)["stop"]) == ("suspended", "blocked")
    story.tell_ok(c.ResumeRun(run))
    story.settle()
    assert story.run(run).state == "succeeded"
