"""Triggers that have notices of their board to hear of."""

from __future__ import annotations

from scheduler.plan.view import Outlook, View
from scheduler.store.tables import hearers
from scheduler.words.commands import Command, FireNotices


def plan(view: View) -> list[Command]:
    if view.hold.holding:
        return []
    found = hearers.due(view.store, view.now_ms, view.limits.each_kind)
    return [FireNotices(view.epoch, each.trigger, each.board, each.through) for each in found]


def wake(outlook: Outlook) -> int | None:
    return None if outlook.hold.holding else hearers.next_ms(outlook.store)
