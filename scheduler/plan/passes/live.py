"""Ticks that are due now: each fires on its own and in order, and every trigger has one before any has its
next."""

from __future__ import annotations

from collections.abc import Iterator

from scheduler.plan.firing import Turn, fire_live
from scheduler.plan.view import Outlook, View
from scheduler.store.tables import triggers as trigger_rows
from scheduler.words.commands import Command


def plan(view: View) -> list[Command]:
    commands: list[Command] = []
    limit = view.limits.commands // 2
    turns: list[Iterator[Turn]] = [
        fire_live(view, trigger, trigger.next_due_ms) for trigger in view.due.live
    ]
    fired = 0
    while turns and fired < limit:
        left = []
        for turn in turns:
            ticks = next(turn, None) if fired < limit else None
            if ticks is not None:
                commands += ticks
                fired += 1
                left.append(turn)
        turns = left
    return commands


def wake(outlook: Outlook) -> int | None:
    """For the backlog too: it waits at instants of the same index. Held ones wake nobody, nor do those whose
    schedule cannot be read here: they stay due, and planning again would find them no better."""
    hold = outlook.hold
    after_ms = hold.taken_ms if hold.holding else None
    next_ms = trigger_rows.next_fire_ms(outlook.store, after_ms, outlook.cache.unreadable)
    return None if next_ms is None else next_ms - outlook.lead_ms
