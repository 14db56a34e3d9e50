"""A task of a run that waits itself: what the run waits for has its own list."""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Verdict, Waits
from scheduler.machine.rules.gates.views import TaskView

NAME = "run"
WAITS = Waits("its run waits")


def judge(view: TaskView) -> Verdict:
    return WAITS if view.run.waiting else READY
