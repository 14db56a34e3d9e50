"""A task of a run that waits itself: what the run waits for has its own list. What it asks of agents for that
(`requires`: check, exists) is tasks that go on meanwhile, and then alone."""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import Facts, TaskView
from scheduler.store.tables.runs import FOR_REQUIRES

NAME = "run"
WAITS = Waits("its run waits")


def judge(view: TaskView) -> Verdict:
    waiting = view.run.waiting
    return WAITS if waiting and not (view.is_check and waiting == FOR_REQUIRES) else READY


def words(verdict: Verdict, view: TaskView, _: Facts) -> Words:
    return Words("its run waits itself", "what the run waits for", view.run.created_ms)
