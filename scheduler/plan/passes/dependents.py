"""Ends of runs that triggers wait for, in their order, as far as no entry that ended one looked at
them, and firings that wait for room among the runs of their job."""

from __future__ import annotations

from scheduler.plan.view import Outlook, View
from scheduler.store.tables import ends, listeners, postponed
from scheduler.words.commands import Command, FireDependents, FirePostponed


def plan(view: View) -> list[Command]:
    if view.hold.holding:
        return []
    most, epoch = view.limits.each_kind, view.epoch
    waiting = postponed.due(view.store, view.now_ms, most)
    commands: list[Command] = [FirePostponed(epoch, row.trigger, row.cause_key) for row in waiting]
    for end in ends.open_ones(view.store, most):
        if len(commands) >= most:
            break
        # As many as it takes at the most: those beyond that find another end, and change nothing.
        left = listeners.count(view.store, end.parent, end.looked, listeners.PAGE * most)
        commands += [FireDependents(epoch, end.id)] * (1 + left // listeners.PAGE)
    return commands[:most]


def wake(outlook: Outlook) -> int | None:
    if outlook.hold.holding:
        return None
    return 0 if ends.first_open(outlook.store) is not None else postponed.next_ms(outlook.store)
