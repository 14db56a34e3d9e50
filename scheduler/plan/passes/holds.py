"""Runs and tasks that are held longer than their job's period: that is told."""

from __future__ import annotations

from scheduler.plan.view import Outlook, View
from scheduler.store.tables import holds
from scheduler.words.commands import TellHeld


def plan(view: View) -> list[TellHeld]:
    if view.hold.restore is not None:
        return []
    found = holds.long(view.store, view.now_ms, view.hold.runs_through, view.limits.each_kind)
    return [TellHeld(view.epoch, each.run, each.task, each.long_ms or 0) for each in found]


def wake(outlook: Outlook) -> int | None:
    return holds.next_long_ms(outlook.store) if outlook.hold.restore is None else None
