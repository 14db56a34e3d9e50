"""A tick that `catchup: all` runs late: one at a time, when nothing of the job is active. A run's end opens
it (`steps.eras`)."""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Verdict, Waits
from scheduler.machine.rules.gates.views import TickView
from scheduler.store.triggers import BEHIND

NAME = "catchup"
WAITS = Waits("a run of the job is active")


def judge(view: TickView) -> Verdict:
    return WAITS if view.trigger.closed == BEHIND and view.trigger.active_runs > 0 else READY
