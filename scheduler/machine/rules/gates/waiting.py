"""A task of a run that waits itself: what the run waits for has its own list."""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import Facts, TaskView

NAME = "run"
WAITS = Waits("its run waits")


def judge(view: TaskView) -> Verdict:
    return WAITS if view.run.waiting else READY


def words(verdict: Verdict, view: TaskView, _: Facts) -> Words:
    return Words("its run waits itself", "what the run waits for", view.run.created_ms)
