"""The pause before a task is tried again. Time opens it (the planner's pass `wakes`)."""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import Facts, PlaceView

NAME = "retry"
WAITS = Waits("the pause before its next try")


def judge(view: PlaceView) -> Verdict:
    return READY if view.retry_ms is None else WAITS


def words(verdict: Verdict, view: PlaceView, facts: Facts) -> Words:
    why = f" after: {facts.task.reason}" if facts.task is not None and facts.task.reason else ""
    return Words(f"it is tried again{why}", "the end of the pause before its next try", None, view.retry_ms)
