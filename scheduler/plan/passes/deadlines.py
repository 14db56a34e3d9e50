"""Runs that did not start by their start deadline: they expire."""

from __future__ import annotations

from scheduler.plan.view import Outlook, View
from scheduler.store import runs as run_rows
from scheduler.words.commands import Command, ExpireRun


def plan(view: View) -> list[Command]:
    after = view.hold.runs_through
    found = run_rows.past_deadline(view.store, view.now_ms, view.limits.each_kind, after)
    return [ExpireRun(view.epoch, run) for run in found]


def wake(outlook: Outlook) -> int | None:
    return None if outlook.hold.restore is not None else run_rows.next_deadline_ms(outlook.store)
