"""Runs that people start: when a suggested agent takes them at once, and when they wait."""

from __future__ import annotations

from scheduler.words import commands as c
from tests.scheduler.story import Story, job


def test_a_suggested_agent_takes_a_manual_run_without_the_planner(story: Story) -> None:
    agent = story.connect("a1", slots=1)
    story.put(job())
    first = story.value(c.RunJob("default", "j", b"{}", story.now_ms, agent=agent), "run")
    assert [(a.agent, a.state) for a in story.attempts(first)] == [(agent, "assigned")]
    second = story.value(c.RunJob("default", "j", b"{}", story.now_ms, agent=agent), "run")
    assert story.attempts(second) == []  # its only slot is taken: the task waits
    assert story.tasks(second) == {"main": "queued"}
    third = story.value(c.RunJob("default", "j", b"{}", story.now_ms, agent=999), "run")
    assert story.tasks(third) == {"main": "queued"}
