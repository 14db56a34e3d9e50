"""What is told together as its time comes, and what others are told of as nobody said that they saw it."""

from __future__ import annotations

from scheduler.plan.view import Outlook, View
from scheduler.store.tables import outbox
from scheduler.words.commands import Command, Escalate, TellTogether


def plan(view: View) -> list[Command]:
    if view.hold.holding:
        return []
    commands: list[Command] = []
    first = outbox.first_gathered(view.store)
    if first is not None and first[1] <= view.now_ms:
        commands.append(TellTogether(view.epoch, first[0]))
    silent = outbox.to_escalate(view.store, view.now_ms, view.limits.each_kind)
    return [*commands, *(Escalate(view.epoch, effect) for effect in silent)]


def wake(outlook: Outlook) -> int | None:
    if outlook.hold.restore is not None:
        return None
    first = outbox.first_gathered(outlook.store)
    instants = [None if first is None else first[1], outbox.next_escalation_ms(outlook.store)]
    return min([at_ms for at_ms in instants if at_ms is not None], default=None)
