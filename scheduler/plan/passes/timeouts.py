"""Runs whose own timeout is over: they are stopped."""

from __future__ import annotations

from scheduler.plan.view import Outlook, View
from scheduler.store.tables import runs as run_rows
from scheduler.words.commands import Command, StopRun


def plan(view: View) -> list[Command]:
    after = view.hold.runs_through
    found = run_rows.past_stop(view.store, view.now_ms, view.limits.each_kind, after)
    return [StopRun(view.epoch, run) for run in found]


def wake(outlook: Outlook) -> int | None:
    return None if outlook.hold.restore is not None else run_rows.next_stop_ms(outlook.store)
