"""Ticks that a person held, moved or released, and that their trigger has left behind: they are due by what
was said."""

from __future__ import annotations

from scheduler.plan.hold import RestoreHold
from scheduler.plan.view import Outlook, View
from scheduler.store.tables import changed_ticks
from scheduler.words.commands import Command, FireChanged

_BEFORE_ALL_MS = -(1 << 60)


def plan(view: View) -> list[Command]:
    found = changed_ticks.due(view.store, _held_ms(view.hold), view.due.fire_ms, view.limits.each_kind)
    return [FireChanged(view.epoch, row.job, row.key, row.at_ms, row.fire_ms or 0) for row in found]


def wake(outlook: Outlook) -> int | None:
    next_ms = changed_ticks.next_ms(outlook.store, _held_ms(outlook.hold))
    return None if next_ms is None else next_ms - outlook.lead_ms


def _held_ms(hold: RestoreHold) -> int:
    """What was due by then waits for what agents tell after a restore."""
    return hold.taken_ms if hold.holding else _BEFORE_ALL_MS
