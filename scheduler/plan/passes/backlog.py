"""Triggers that are behind: what becomes of each missed tick, then what is live of them. Bounded in each
plan, after what is due now.

Rules of this file:

1. An era's first instant may belong to the era before it (both were closed and opened by one command): it is
   passed.
2. What is left of an era of a paused or deleted job is skipped, what a restore lets nobody tell of is missed;
   of the rest the job's catch-up policy decides (catchup.py).
"""

from __future__ import annotations

from itertools import chain

from scheduler.plan import catchup
from scheduler.plan.firing import fire_live
from scheduler.plan.hold import by_themselves, miss
from scheduler.plan.view import Outlook, View
from scheduler.store.tables.triggers import DueTrigger
from scheduler.ticks import schedule
from scheduler.words.commands import Account, Command
from scheduler.words.reasons import CANCELLED, RESTORED

OVERDUE_MAX = 200


def plan(view: View) -> list[Command]:
    commands: list[Command] = []
    overdue = view.due.overdue(min(view.room, OVERDUE_MAX))
    budget = catchup.Budget(view.limits.catchup_fires, view.limits.backlog_instants)
    for trigger in [*view.due.behind, *overdue]:
        if len(commands) >= view.room or budget.instants <= 0:
            break
        if trigger.id in budget.planned or not view.due.is_readable(trigger):
            continue
        budget.planned.add(trigger.id)
        commands += of_trigger(view, trigger, budget)
    return commands


def wake(_: Outlook) -> int | None:
    return None  # `live` wakes for it


def of_trigger(view: View, trigger: DueTrigger, budget: catchup.Budget) -> list[Command]:
    """What becomes of its missed ticks, or of the first of them."""
    ticks, epoch, hold = schedule(trigger.spec), view.epoch, view.hold
    first_ms = trigger.next_due_ms
    if first_ms <= trigger.from_ms:
        next_ms = ticks.next(trigger.from_ms)
        return [Account(epoch, trigger.id, first_ms, trigger.from_ms, 0, next_ms, "skipped", "")]
    if trigger.is_over:
        instants = catchup.closed(trigger, ticks, budget)
        ran = by_themselves(view.store, hold, trigger)
        return miss(trigger, ticks, instants, ran, epoch, "skipped", CANCELLED)
    if hold.misses(trigger):
        last_ms = trigger.end_ms(hold.taken_ms - trigger.jitter_ms)
        instants = catchup.until(trigger, last_ms, ticks, budget)
        ran = by_themselves(view.store, hold, trigger)
        return miss(trigger, ticks, instants, ran, epoch, "missed", RESTORED)
    commands, due_ms = catchup.catch_up(view, trigger, ticks, budget)
    if due_ms is not None:
        commands.extend(chain.from_iterable(fire_live(view, trigger, due_ms)))
    return commands
