"""Tasks: placed, and queued again."""

from __future__ import annotations

from scheduler.words.record import ByPlanner, command


@command(42)
class Place(ByPlanner):
    """Give a queued task to an agent: a new attempt."""

    task: int
    agent: int


@command(44)
class Requeue(ByPlanner):
    """A retry's wait is over."""

    task: int
