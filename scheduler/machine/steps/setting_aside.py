"""Single ticks of which a person has said something, on their way out of the sequence of their trigger.

Rules of this file:

1. The trigger comes to such a tick as to any other. What is held or moved it leaves behind, undecided: from
   then on the row is what verify counts, until the tick is decided.
2. A tick is decided once: whoever decides it drops the row.
3. What an edit, a calendar or zone data take from a trigger is no tick any more: its row is dropped with it,
   and that is said. So is one of a trigger that goes, is renamed or waits for an event now. One that was left
   behind stays: the era ends behind it, also where that was done before its instant, so that none to come has
   it once more (`triggers.last_decided`).
4. What was moved to an earlier instant, and came then, is an era of its own (`eras.ahead`). Its row stays
   until its trigger comes to it, whatever text that has by then, or, where it never does, until its instant
   is over.
"""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules.changing import HELD_MAX_MS, OF_JOB_MAX
from scheduler.store.tables import changed_ticks
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.changed_ticks import FIRED, HELD, ChangedTick
from scheduler.store.tables.triggers import FiringTrigger
from scheduler.ticks import event_of, schedule
from scheduler.words import events as e


def of_tick(ctx: Context, trigger: FiringTrigger, at_ms: int) -> ChangedTick | None:
    if not ctx.state.changed_ticks:
        return None
    return changed_ticks.get(ctx.store, trigger.job, trigger_rows.key_of(ctx.store, trigger.id), at_ms)


def any_in(ctx: Context, trigger: FiringTrigger, first_ms: int, last_ms: int) -> bool:
    """Whether a tick of this range has to be looked at by itself."""
    if not ctx.state.changed_ticks:
        return False
    key = trigger_rows.key_of(ctx.store, trigger.id)
    return bool(changed_ticks.within(ctx.store, trigger.job, key, first_ms - 1, last_ms, 1))


def leave_behind(ctx: Context, row: ChangedTick, due_ms: int, plan_day: int) -> None:
    """Its trigger goes on; it is pending by itself."""
    fire_ms = row.move_ms
    if row.act == HELD or fire_ms is None:
        fire_ms = max(due_ms, ctx.stamp_ms) + HELD_MAX_MS
    changed_ticks.put(ctx.store, row._replace(passed=1, plan_day=plan_day, fire_ms=fire_ms))


def drop(ctx: Context, row: ChangedTick) -> None:
    changed_ticks.drop(ctx.store, row)
    ctx.state.changed_ticks = int(changed_ticks.any_of_all(ctx.store))


def check(ctx: Context, job: int, key: str, spec: bytes, from_ms: int) -> None:
    """An era begins: which of its ticks are those of which something was said?"""
    if not ctx.state.changed_ticks:
        return
    for row in changed_ticks.within(ctx.store, job, key, from_ms, 1 << 62, OF_JOB_MAX):
        is_tick = not event_of(spec) and bool(schedule(spec).between(row.at_ms - 1, row.at_ms, 1))
        if row.act == FIRED:
            changed_ticks.put(ctx.store, row._replace(fire_ms=None if is_tick else row.at_ms))
        elif not is_tick:
            gone(ctx, row)


def end_of_trigger(ctx: Context, job: int, key: str, until_ms: int) -> None:
    """The job has it no more, from this instant on."""
    if not ctx.state.changed_ticks:
        return
    for row in changed_ticks.within(ctx.store, job, key, until_ms, 1 << 62, OF_JOB_MAX):
        if row.act == FIRED:
            changed_ticks.put(ctx.store, row._replace(fire_ms=row.at_ms))
        else:
            gone(ctx, row)


def end_of_job(ctx: Context, job: int) -> None:
    """The job is deleted: what was left behind is decided now, the rest is no tick any more."""
    if not ctx.state.changed_ticks:
        return
    for row in changed_ticks.of_job(ctx.store, job, OF_JOB_MAX):
        if row.passed:
            changed_ticks.put(ctx.store, row._replace(fire_ms=ctx.stamp_ms))
        elif row.act == FIRED:
            changed_ticks.put(ctx.store, row._replace(fire_ms=max(row.at_ms, ctx.stamp_ms)))
        else:
            drop(ctx, row)


def gone(ctx: Context, row: ChangedTick) -> None:
    drop(ctx, row)
    job = job_rows.standing(ctx.store, row.job)
    if job is not None:
        ctx.emit(e.TickChangeDropped(row.job, job.namespace, job.name, row.key, row.at_ms))
