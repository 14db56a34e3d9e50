"""A task's own condition (`when`): judged once, when all that it needs and asks has ended; what is unknown is
not true. The last end opens it (`steps.telling`); of a task without needs, the start of its run."""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Never, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import Facts, TaskView
from scheduler.model.expressions import truth

NAME = "when"
WAITS = Waits("its condition is judged when all that it needs and asks has ended")
NEVER = Never("skipped", "when")


def judge(view: TaskView) -> Verdict:
    if view.when is None:
        return READY
    if view.open_needs:
        return WAITS
    return READY if view.when.holds() else NEVER


def words(verdict: Verdict, view: TaskView, facts: Facts) -> Words:
    if view.when is None or isinstance(verdict, Waits):
        return Words(WAITS.reason, "the end of what it needs")
    came_to = {None: "unknown", False: "false", True: "true"}[truth(view.when.judged().value)]
    return Words(f"its condition is {came_to}: {view.when.text}")
