"""Graphs: which tasks become ready, which are skipped, and how the run ends."""

from __future__ import annotations

from typing import Any

import pytest

from scheduler.words import commands as c
from tests.scheduler.story import START_MS, Story, job


def play(story: Story, tasks: dict[str, dict[str, Any]], failing: set[str]) -> tuple[str, dict[str, str]]:
    """Run a graph in which these tasks fail; returns the state of the run and of its tasks."""
    story.connect()
    story.put(job(tasks={name: {"noop": True, **task} for name, task in tasks.items()}))
    run = story.value(c.RunJob("default", "j", b"{}", START_MS), "run")
    for _ in range(20):
        story.plan_and_apply()
        for attempt, name in story.store.rows(
            "SELECT a.id, t.name FROM attempts a JOIN tasks t ON t.id = a.task"
            " WHERE a.state = 'assigned' ORDER BY a.id"
        ):
            assert story.claim(attempt).ok
            assert story.finish(attempt, exit_code=1 if name in failing else 0).ok
    return story.run(run).state, story.tasks(run)


DIAMOND: dict[str, dict[str, Any]] = {
    "a": {},
    "b": {"needs": ["a"]},
    "c": {"needs": ["a"]},
    "d": {"needs": ["b", "c"]},
}


def test_a_diamond_runs_through(story: Story) -> None:
    assert play(story, DIAMOND, set()) == ("succeeded", dict.fromkeys("abcd", "succeeded"))


def test_a_failure_skips_all_that_need_it_and_fails_the_run(story: Story) -> None:
    state, tasks = play(story, DIAMOND, {"a"})
    assert (state, tasks) == ("failed", {"a": "failed", "b": "skipped", "c": "skipped", "d": "skipped"})


def test_a_failure_that_is_allowed_counts_as_success(story: Story) -> None:
    state, tasks = play(story, {**DIAMOND, "b": {"needs": ["a"], "allow_failure": True}}, {"b"})
    assert (state, tasks["b"], tasks["d"]) == ("succeeded", "failed", "succeeded")


@pytest.mark.parametrize(
    ("rule", "failing", "last"),
    [
        ("all_done", {"b"}, "succeeded"),
        ("any_failed", {"b"}, "succeeded"),
        ("any_failed", set(), "skipped"),
        ("any_success", {"b"}, "succeeded"),
        ("any_success", {"b", "c"}, "skipped"),
    ],
)
def test_rules(story: Story, rule: str, failing: set[str], last: str) -> None:
    state, tasks = play(story, {**DIAMOND, "d": {"needs": ["b", "c"], "rule": rule}}, failing)
    assert tasks["d"] == last
    assert state == ("failed" if failing else "succeeded")


def test_cancelling_ends_what_has_not_started(story: Story) -> None:
    story.connect()
    story.put(job(tasks={name: {"noop": True, **task} for name, task in DIAMOND.items()}))
    story.tell_ok(c.RunJob("default", "j", b"{}", START_MS))
    story.plan_and_apply()
    story.claim(1)
    story.tell_ok(c.CancelRun(1))
    assert story.tasks(1) == {"a": "active", "b": "cancelled", "c": "cancelled", "d": "cancelled"}
    story.finish(1)
    # Its task succeeded, but others were cancelled.
    assert story.run(1).state == "cancelled"
    assert story.run(1).open_tasks == 0
