"""Plan dates that are over for as long as their namespace lets them stay open: they close."""

from __future__ import annotations

from scheduler.plan.view import Outlook, View
from scheduler.store.tables import closed_dates
from scheduler.words.commands import CloseDates


def plan(view: View) -> list[CloseDates]:
    if view.hold.restore is not None:
        return []
    found = closed_dates.due_closings(view.store, view.now_ms, view.limits.each_kind)
    return [CloseDates(view.epoch, each.namespace, each.at_ms or 0) for each in found]


def wake(outlook: Outlook) -> int | None:
    return closed_dates.next_closing_ms(outlook.store) if outlook.hold.restore is None else None
