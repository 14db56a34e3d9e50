"""A tick that `catchup: all` runs late: one at a time, when nothing of the job is active. A run's end opens
it (`steps.eras`)."""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import Facts, TickView
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.triggers import BEHIND

NAME = "turn"
WAITS = Waits("a run of the job is active")


def judge(view: TickView) -> Verdict:
    return WAITS if view.trigger.closed == BEHIND and view.trigger.active_runs else READY


def words(verdict: Verdict, view: TickView, facts: Facts) -> Words:
    run = run_rows.first_active(facts.store, view.trigger.job)
    return Words(
        f"it is caught up late, once nothing of the job is active: run {run} is", f"the end of run {run}"
    )
