"""Plan dates of which all has come that a trigger waits for, or of which it has waited long enough."""

from __future__ import annotations

from scheduler.machine.rules import gathered
from scheduler.plan.view import Outlook, View
from scheduler.store.tables import gatherings
from scheduler.words.commands import Command, FireGathered


def plan(view: View) -> list[Command]:
    if view.hold.holding:
        return []
    found = gatherings.due(view.store, view.now_ms, view.limits.each_kind)
    return [
        FireGathered(view.epoch, each.trigger, each.plan_day, each.at_ms or 0)
        for each in found
        if gathered.has_heard(view.store, each)
    ]


def wake(outlook: Outlook) -> int | None:
    return None if outlook.hold.holding else gatherings.next_ms(outlook.store)
