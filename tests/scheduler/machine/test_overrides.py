"""Verdicts of persons over runs that have ended: who sees them, and what stays beneath."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.store.tables import overrides, postponed
from scheduler.verify import verify
from scheduler.words import commands as c
from scheduler.words import events as e
from scheduler.words.outcomes import Code
from tests.scheduler.machine.test_hands import ADA, run_job
from tests.scheduler.story import START_MS, Story, job


def ended(story: Story, name: str = "j", exit_code: int = 1) -> int:
    run = run_job(story, name)
    story.settle(exit_code=exit_code)
    return run


def override(story: Story, run: int, verdict: str, reason: str = "loaded by hand") -> None:
    story.now_ms += 1_000
    story.tell_ok(c.OverrideRun(run, verdict, reason, ADA))


def runs_of(story: Story, name: str) -> int:
    story.settle()
    verdict = verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms)
    assert verdict.ok, verdict.problems
    return int(story.store.value("SELECT count(*) FROM runs WHERE name = ?", (name,)))


def graph(story: Story, after: str, *parents: str, **fields: Any) -> None:
    story.connect()
    story.put(*(job(name) for name in parents), job("child", trigger={"after": after}, **fields))


def test_the_truth_stays_beneath(story: Story) -> None:
    story.connect()
    story.put(job())
    run = ended(story)
    before = story.run(run)
    override(story, run, "succeeded")
    assert story.run(run) == before
    assert overrides.get(story.store, run) == (run, "succeeded", story.now_ms, "ada", "loaded by hand")
    told = story.told(e.RunOverridden)[0]
    assert (told.state, told.verdict, told.actor) == ("failed", "succeeded", "ada")
    override(story, run, "failed", "it was not")
    audit = story.store.rows("SELECT before, after, reason FROM audit WHERE action = 'override' ORDER BY id")
    assert audit == [("failed", "succeeded", "loaded by hand"), ("succeeded", "failed", "it was not")]


def test_the_last_run_says_how_its_job_stands(story: Story) -> None:
    story.connect()
    story.put(job(policies={"pause_after_failures": 2}))
    first, last = ended(story, exit_code=0), ended(story)
    assert (story.job().last_state, story.job().failures) == ("failed", 1)
    override(story, first, "failed")
    assert story.job().last_state == "failed"
    override(story, last, "succeeded")
    assert (story.job().last_state, story.job().failures) == ("succeeded", 0)
    ended(story)
    assert story.job().state == "active"


def test_who_waits_for_the_run_is_judged_by_the_verdict(story: Story) -> None:
    graph(story, "parent.succeeded", "parent")
    run = ended(story, "parent")
    assert runs_of(story, "child") == 0
    override(story, run, "succeeded")
    assert runs_of(story, "child") == 1
    override(story, run, "failed")
    override(story, run, "succeeded")
    assert runs_of(story, "child") == 1  # it has consumed that run


def test_a_run_that_was_consumed_counts_for_nobody_again(story: Story) -> None:
    graph(story, "a.succeeded and b.succeeded", "a", "b")
    first = ended(story, "a", 0)
    ended(story, "b", 0)
    assert runs_of(story, "child") == 1
    override(story, first, "failed")
    override(story, first, "succeeded")
    ended(story, "b", 0)
    assert runs_of(story, "child") == 1
    ended(story, "a", 0)
    assert runs_of(story, "child") == 2


def test_a_newer_end_is_not_undone_by_a_verdict_over_an_older_run(story: Story) -> None:
    graph(story, "a.failed and b.succeeded", "a", "b")
    old = ended(story, "a", 0)
    ended(story, "a", 0)
    override(story, old, "failed")
    ended(story, "b", 0)
    assert runs_of(story, "child") == 0


def test_a_firing_that_waits_for_room_is_taken_back(story: Story) -> None:
    graph(story, "a.succeeded", "a", policies={"overlap": "queue_one"})
    story.tell_ok(c.DrainAgent("agent-1"))
    run_job(story, "child")
    runs = []
    for _ in range(3):
        run = run_job(story, "a")
        story.tell_ok(c.ResumeAgent("agent-1"))
        attempt = None
        while attempt is None:
            story.plan_and_apply()
            attempt = next((each for each in story.attempts(run)), None)
        story.claim(attempt.id)
        story.finish(attempt.id)
        story.tell_ok(c.DrainAgent("agent-1"))
        story.plan_and_apply()
        runs.append(run)
    waits = story.store.value("SELECT count(*) FROM postponed")
    override(story, runs[-1], "failed")
    story.plan_and_apply()
    assert story.store.value("SELECT count(*) FROM postponed") == 0
    verdict = verify(story.store, START_MS - 1, story.now_ms, now_ms=story.now_ms)
    assert verdict.ok, verdict.problems
    assert waits in (0, 1)


def test_a_verdict_goes_with_its_run(story: Story) -> None:
    story.connect()
    story.put(job())
    run = ended(story)
    override(story, run, "succeeded")
    story.tell_ok(c.Purge(story.epoch, story.job().id, run, 10))
    assert story.store.value("SELECT count(*) FROM overrides") == 0


def test_what_cannot_be_is_refused(story: Story) -> None:
    story.put(job())
    run = run_job(story)
    live = story.one(c.OverrideRun(run, "succeeded", "why"))
    assert (live.code, live.detail) == (
        Code.CONFLICT, f"run {run} is pending: a verdict is laid over a run that has ended"
    )  # fmt: skip
    story.tell_ok(c.CancelRun(run))
    assert story.one(c.OverrideRun(run + 1, "succeeded", "why")).code == Code.NOT_FOUND
    for verdict, reason in (("lost", "why"), ("", "why"), ("failed", " "), ("failed", "x" * 501)):
        assert story.one(c.OverrideRun(run, verdict, reason)).code == Code.INVALID
    assert overrides.get(story.store, run) is None


@pytest.mark.parametrize("verdict", ["succeeded", "failed"])
def test_asking_twice_changes_nothing_more(story: Story, verdict: str) -> None:
    graph(story, f"parent.{verdict}", "parent")
    run = ended(story, "parent", 1 if verdict == "succeeded" else 0)
    for _ in range(2):
        override(story, run, verdict)
    assert runs_of(story, "child") == 1


def test_a_verdict_that_changes_nothing_leaves_what_waits_for_room(story: Story) -> None:
    graph(story, "parent.succeeded", "parent")
    run_job(story, "child")
    for _ in range(2):  # the first waits behind that run, the second for room
        parent = run_job(story, "parent")
        story.plan_and_apply()
        (attempt,) = story.attempts(parent)
        story.claim(attempt.id)
        story.finish(attempt.id)
        story.plan_and_apply()
    (kept,) = postponed.of_job(story.store, story.job("child").id)
    override(story, parent, "succeeded", "seen")
    story.plan_and_apply()
    assert postponed.of_job(story.store, story.job("child").id) == [kept]
    assert runs_of(story, "child") == 3
