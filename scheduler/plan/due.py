"""Ticks that are due: live ones fire, each on its own and in order.

Rules of this file:

1. A tick is live until it is `catchup.grace` overdue (counted from its jittered instant); older ones are a
   backlog.
2. Live ticks of all triggers come first, the backlog behind them, bounded in each plan.
3. Where more is due than a plan holds, shares.py says whose turn it is; every trigger has one tick before any
   has its next.
4. An era's first instant may belong to the era before it (both were closed and opened by one command): it is
   passed.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from scheduler.machine import selectors
from scheduler.model.compiled import CompiledJob
from scheduler.plan import backlog, shares
from scheduler.plan.held import NOTHING, Held, miss, proven
from scheduler.plan.lookahead import PlanCache
from scheduler.plan.placement import Places
from scheduler.store.connection import Store
from scheduler.store.triggers import BEHIND, DueTrigger
from scheduler.ticks import schedule
from scheduler.words.commands import Account, Command, Fire
from scheduler.words.reasons import RESTORED

RECENT_MS = 60_000
"""Where the search for overdue triggers is cut in two, so that a large backlog never stands before what is
due now.
"""

TICKS_OF_ONE_TRIGGER_MAX = 120


@dataclass(frozen=True, slots=True)
class Horizon:
    """The instants a plan looks at."""

    now_ms: int
    fire_ms: int  #: now plus the lead
    epoch: int
    hold: Held = NOTHING  #: what a restore holds up


def plan_live(
    store: Store, places: Places, cache: PlanCache, horizon: Horizon, *, limit: int
) -> tuple[list[Command], list[DueTrigger]]:
    """Commands for ticks that are due now, and the triggers that have a backlog."""
    commands: list[Command] = []
    behind: list[DueTrigger] = []
    edge_ms = max(horizon.now_ms - RECENT_MS, horizon.hold.taken_ms)
    turns: list[Iterator[Command]] = []
    for trigger in shares.due(store, cache, edge_ms, horizon.fire_ms, limit):
        if not _readable(cache, trigger):
            continue  # in one of the next plans, which follow at once
        if _is_behind(store, cache, trigger, horizon.now_ms):
            behind.append(trigger)
        else:
            turns.append(fire_live(store, places, cache, trigger, horizon, trigger.next_due_ms))
    while turns and len(commands) < limit:
        left = []
        for turn in turns:
            command = next(turn, None) if len(commands) < limit else None
            if command is not None:
                commands.append(command)
                left.append(turn)
        turns = left
    return commands, behind


def _is_behind(store: Store, cache: PlanCache, trigger: DueTrigger, now_ms: int) -> bool:
    if trigger.is_over or trigger.closed == BEHIND or trigger.next_due_ms <= trigger.from_ms:
        return True
    grace_ms = _job(store, cache, trigger).catchup_grace_ms
    return trigger.next_due_ms + trigger.jitter_ms < now_ms - grace_ms


def _readable(cache: PlanCache, trigger: DueTrigger) -> bool:
    """Whether this plan may read the trigger's job. A new leader knows none of them, and a thousand large
    ones in one plan would leave its front silent for as long as it takes to be deposed."""
    return trigger.revision is None or cache.has_room(trigger.job, trigger.revision)


def _job(store: Store, cache: PlanCache, trigger: DueTrigger) -> CompiledJob:
    assert trigger.namespace is not None
    assert trigger.name is not None
    assert trigger.revision is not None
    return cache.outline(store, trigger.job, trigger.namespace, trigger.name, trigger.revision)


def fire_live(
    store: Store, places: Places, cache: PlanCache, trigger: DueTrigger, horizon: Horizon, due_ms: int | None
) -> Iterator[Command]:
    """Fire each instant from `due_ms` up to the horizon."""
    job = _job(store, cache, trigger)
    roots = [task for task in job.tasks if not task.needs]
    selector = selectors.of_task(roots[0]) if len(roots) == 1 and trigger.state == "active" else None
    last_ms = trigger.end_ms(horizon.fire_ms - trigger.jitter_ms)
    for _ in range(TICKS_OF_ONE_TRIGGER_MAX):
        if due_ms is None or due_ms > last_ms:
            return
        next_ms = cache.next(trigger.id, trigger.spec, due_ms)
        agent = 0 if selector is None else places.take_for_tick(selector)
        yield Fire(horizon.epoch, trigger.id, due_ms, next_ms, agent)
        due_ms = next_ms


def plan_backlog(
    store: Store,
    places: Places,
    cache: PlanCache,
    horizon: Horizon,
    behind: list[DueTrigger],
    *,
    limit: int,
    fires_max: int,
    instants_max: int,
) -> list[Command]:
    """Commands for triggers that are behind: policies first, then what is live of them."""
    commands: list[Command] = []
    hold = horizon.hold
    old_ms = horizon.now_ms - RECENT_MS
    first_ms = hold.taken_ms if hold.holding else -(1 << 62)
    last_ms = max(old_ms, hold.taken_ms) if hold.settling else old_ms
    overdue = shares.due(store, cache, first_ms, last_ms, min(limit, 200))
    budget = backlog.Budget(fires_max, instants_max)
    for trigger in [*behind, *overdue]:
        if len(commands) >= limit or budget.instants <= 0:
            break
        if trigger.id in budget.planned or not _readable(cache, trigger):
            continue
        budget.planned.add(trigger.id)
        ticks = schedule(trigger.spec)
        if trigger.next_due_ms <= trigger.from_ms:
            next_ms = ticks.next(trigger.from_ms)
            commands.append(
                Account(
                    horizon.epoch, trigger.id, trigger.next_due_ms, trigger.from_ms, 0, next_ms, "skipped", ""
                )
            )
        elif trigger.is_over:
            instants = backlog.closed(trigger, ticks, budget)
            ran = proven(store, hold, trigger)
            commands.extend(miss(trigger, ticks, instants, ran, horizon.epoch, "skipped", "cancelled"))
        elif hold.misses(trigger):
            last_ms = trigger.end_ms(hold.taken_ms - trigger.jitter_ms)
            instants = backlog.until(trigger, last_ms, ticks, budget)
            ran = proven(store, hold, trigger)
            commands.extend(miss(trigger, ticks, instants, ran, horizon.epoch, "missed", RESTORED))
        else:
            job = _job(store, cache, trigger)
            ran = proven(store, hold, trigger)
            caught_up, due_ms = backlog.catch_up(store, trigger, job, ticks, horizon, budget, ran)
            commands.extend(caught_up)
            if due_ms is not None:
                commands.extend(fire_live(store, places, cache, trigger, horizon, due_ms))
    return commands
