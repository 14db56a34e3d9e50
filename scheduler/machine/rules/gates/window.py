"""The windows of the week in which tasks of a group may start. Time opens it (the planner's pass `windows`).

Rules of this file:

1. It is asked of each task of the group, in each round, those that catch its failures too, and of each member
   of one that is divided, also where that goes on behind the end of the group. What has started goes on when
   a window ends, or is stopped with its group, as that says (`machine.waits`).
2. What waits in a queue as a window ends comes here again when it is to be placed (`steps.holding`).
"""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import Facts, TaskView

NAME = "window"
WAITS = Waits("its group is outside of its admission windows")


def judge(view: TaskView) -> Verdict:
    return READY if view.outside is None else WAITS


def words(verdict: Verdict, view: TaskView, facts: Facts) -> Words:
    assert view.outside is not None
    said = f"group {view.outside.name} is outside of its admission windows"
    return Words(said, "its next window", None, view.outside.opens_ms)
