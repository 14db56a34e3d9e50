"""Triggers whose delay after the end of the job's last run is over."""

from __future__ import annotations

from scheduler.plan.hold import RestoreHold
from scheduler.plan.view import Outlook, View
from scheduler.store.tables import delays
from scheduler.words.commands import Command, FireDelayed

_BEFORE_ALL_MS = -(1 << 60)


def plan(view: View) -> list[Command]:
    if not view.store.value("SELECT delays FROM state"):
        return []
    found = delays.due(view.store, _held_ms(view.hold), view.now_ms, view.limits.each_kind)
    return [FireDelayed(view.epoch, row.trigger, row.due_ms or 0) for row in found]


def wake(outlook: Outlook) -> int | None:
    return delays.next_ms(outlook.store, _held_ms(outlook.hold))


def _held_ms(hold: RestoreHold) -> int:
    """What was due by then waits for what agents tell after a restore."""
    return hold.taken_ms if hold.holding else _BEFORE_ALL_MS
