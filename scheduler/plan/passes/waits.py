"""Runs of jobs with admission windows, at the instants at which one opens or ends: they are judged again."""

from __future__ import annotations

from scheduler.plan.view import Outlook, View
from scheduler.store.tables import run_waits
from scheduler.words.commands import Rejudge


def plan(view: View) -> list[Rejudge]:
    found = run_waits.due(view.store, view.now_ms, view.limits.each_kind, view.hold.runs_through)
    return [Rejudge(view.epoch, run) for run in found]


def wake(outlook: Outlook) -> int | None:
    return None if outlook.hold.restore is not None else run_waits.next_ms(outlook.store)
