"""Tasks: placed, woken, and taken out of a circle."""

from __future__ import annotations

from scheduler.words.record import ByPlanner, command


@command(42)
class Place(ByPlanner):
    """Give a queued task to an agent: a new attempt."""

    task: int
    agent: int


@command(44)
class Wake(ByPlanner):
    """The instant has come that a task waited for: it is queued again after its pause, or its work in the
    state is over."""

    task: int
    wake_ms: int  #: as the planner saw it


@command(140)
class BreakDeadlock(ByPlanner):
    """A queued task waits in a circle of runs that wait for each other: it fails."""

    task: int
