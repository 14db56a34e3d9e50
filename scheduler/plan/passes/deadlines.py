"""Runs that did not start by their start deadline: they expire. It stands still while a pause keeps them
back: the machine knows for how long that was."""

from __future__ import annotations

from scheduler.plan.view import Outlook, View
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.pauses import ALL
from scheduler.words.commands import Command, ExpireRun


def plan(view: View) -> list[Command]:
    after = view.hold.runs_through
    kept_back = view.pauses.kept_back(view.now_ms)
    if ALL in kept_back:
        return []
    found = run_rows.past_deadline(view.store, view.now_ms, view.limits.each_kind, after, kept_back)
    return [ExpireRun(view.epoch, run) for run in found]


def wake(outlook: Outlook) -> int | None:
    standing = [pause.namespace for pause in outlook.pauses.standing]
    if outlook.hold.restore is not None or ALL in standing:
        return None
    return run_rows.next_deadline_ms(outlook.store, standing)
