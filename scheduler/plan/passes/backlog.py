"""Triggers that are behind: what becomes of each missed tick, then what is live of them. Bounded in each
plan, after what is due now.

Rules of this file:

1. An era's first instant may belong to the era before it (both were closed and opened by one command): it is
   passed.
2. Where more was missed than one plan works off, the longer gaps are split from their triggers, which go on
   with the present at once: one command, however long the gap is. Nothing is, while a restore settles.
3. What is left of an era of a paused or deleted job is skipped, what a restore lets nobody tell of is missed;
   of the rest the job's catch-up policy decides (catchup.py).
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import chain

from scheduler.plan import catchup
from scheduler.plan.due import RECENT_MS
from scheduler.plan.firing import fire_live
from scheduler.plan.hold import by_themselves, miss
from scheduler.plan.view import Outlook, View
from scheduler.store.tables.triggers import BEHIND, DueTrigger
from scheduler.ticks import schedule
from scheduler.words.commands import Account, Command, SplitGap
from scheduler.words.reasons import CANCELLED, RESTORED

DAY_MS = 86_400_000
OVERDUE_MAX = 200
GRACE_PART = 4


def plan(view: View) -> list[Command]:
    overdue = view.due.overdue(min(view.room, OVERDUE_MAX))
    budget = catchup.Budget(view.limits.catchup_fires, view.limits.backlog_instants)
    commands = _split(view, overdue, budget) if view.hold.restore is None else []
    for trigger in [*view.due.behind, *overdue]:
        if len(commands) >= view.room or budget.instants <= 0:
            break
        if trigger.id in budget.planned or not view.due.is_readable(trigger):
            continue
        budget.planned.add(trigger.id)
        commands += of_trigger(view, trigger, budget)
    return commands


def _split(view: View, overdue: Sequence[DueTrigger], budget: catchup.Budget) -> list[Command]:
    """Where all that was missed of these is too much for this plan: the longer gaps go behind."""
    counted = [
        (trigger, *_missed(view, trigger))
        for trigger in overdue
        if not trigger.is_over and trigger.closed != BEHIND and view.due.is_readable(trigger)
    ]
    if sum(ticks for _, _, ticks in counted) <= budget.instants:
        return []
    fair = budget.instants // len(counted)
    commands: list[Command] = []
    for trigger, edge_ms, ticks in counted:
        stands = trigger.closed or trigger.state == "paused" or trigger.next_due_ms <= trigger.from_ms
        if ticks > fair and not stands:
            # A part of the grace goes too, or what is left is older than it when the next plan looks.
            until_ms = edge_ms + view.due.job(trigger).catchup_grace_ms // GRACE_PART
            next_ms = schedule(trigger.spec).next(until_ms)
            turn_ms = min(until_ms + trigger.jitter_ms, view.now_ms - RECENT_MS)
            first_ms = trigger.next_due_ms
            commands.append(SplitGap(view.epoch, trigger.id, first_ms, until_ms, next_ms, turn_ms))
            budget.planned.add(trigger.id)
    return commands


def _missed(view: View, trigger: DueTrigger) -> tuple[int, int]:
    """Up to when its ticks are older than the grace, and about how many they are."""
    edge_ms = catchup.edge_ms(view, trigger)
    span_ms = max(0, edge_ms - trigger.next_due_ms)
    return edge_ms, span_ms * schedule(trigger.spec).per_day // DAY_MS


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
