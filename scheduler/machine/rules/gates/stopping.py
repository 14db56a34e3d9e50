"""A task of a run that was asked to stop: it does not start."""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Never, Verdict, Words
from scheduler.machine.rules.gates.views import Facts, TaskView

NAME = "stopping"


def judge(view: TaskView) -> Verdict:
    run = view.run
    if not run.stopping:
        return READY
    if run.stopping == "expired":
        return Never("expired", run.walk)
    return Never("cancelled", run.reason)


def words(verdict: Verdict, view: TaskView, _: Facts) -> Words:
    return Words(f"its run stops: {view.run.reason}" if view.run.reason else "its run stops")
