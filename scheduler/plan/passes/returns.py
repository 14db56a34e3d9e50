"""Agents that came back, for which more members of divided tasks wait than one command lets go."""

from __future__ import annotations

from scheduler.plan.view import Outlook, View
from scheduler.store.tables import returns
from scheduler.words.commands import Command, LetMembersGo


def plan(view: View) -> list[Command]:
    found = returns.first(view.store, view.limits.each_kind)
    return [LetMembersGo(view.epoch, each.agent, each.after) for each in found]


def wake(outlook: Outlook) -> int | None:
    return 0 if returns.first(outlook.store, 1) else None
