"""A task that is there for the end of its run (`finally`): it waits until all the rest has ended, however.
The end of the last of those opens it (`steps.closing`)."""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import Facts, TaskView
from scheduler.words.counted import counted

NAME = "rest"
WAITS = Waits("it begins when all the rest of its run has ended")


def judge(view: TaskView) -> Verdict:
    return WAITS if view.kept else READY


def words(verdict: Verdict, view: TaskView, facts: Facts) -> Words:
    open_ = max(view.run.open_tasks - view.run.kept_last, 1)
    return Words(WAITS.reason, f"the end of {counted(open_, 'more task')}")
