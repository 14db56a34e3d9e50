"""Groups with admission windows that go on, at the instants at which one opens or ends: they are judged
again."""

from __future__ import annotations

from scheduler.plan.view import Outlook, View
from scheduler.store.tables import rounds
from scheduler.words.commands import RejudgeGroup


def plan(view: View) -> list[RejudgeGroup]:
    found = rounds.due(view.store, view.now_ms, view.limits.each_kind, view.hold.runs_through)
    return [RejudgeGroup(view.epoch, task) for task in found]


def wake(outlook: Outlook) -> int | None:
    return None if outlook.hold.restore is not None else rounds.next_ms(outlook.store)
