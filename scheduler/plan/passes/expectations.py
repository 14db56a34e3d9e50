"""What runs were to have done by now, and periods that are over in which so many were to succeed."""

from __future__ import annotations

from scheduler.plan.view import Outlook, View
from scheduler.store.tables import periods, watches
from scheduler.words.commands import Command, JudgePeriod, JudgeWatch


def plan(view: View) -> list[Command]:
    most = view.limits.each_kind
    found = watches.due(view.store, view.now_ms, most, view.hold.runs_through)
    commands: list[Command] = [JudgeWatch(view.epoch, run) for run in found]
    if not view.hold.holding:
        over = periods.due(view.store, view.now_ms, most)
        commands += [JudgePeriod(view.epoch, each.job, each.until_ms) for each in over]
    return commands


def wake(outlook: Outlook) -> int | None:
    if outlook.hold.restore is not None:
        return None
    instants = [watches.next_ms(outlook.store), periods.next_ms(outlook.store)]
    return min([at_ms for at_ms in instants if at_ms is not None], default=None)
