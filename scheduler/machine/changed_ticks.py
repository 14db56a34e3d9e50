"""People say something of one coming tick: it is held, released, skipped, moved, or given parameters.

Rules of this file:

1. Only what is yet to come can be meant, of a trigger that has instants: the tick is named by its nominal
   instant, and keeps that and its plan date whatever is said.
2. What is said next takes the place of what was said. Released, it is as it was, but for its parameters;
   where its instant is over it fires at once. Parameters are given beside what was said: who holds it, why
   and since when stays.
3. What is moved to an earlier instant comes by itself then, before its trigger comes to it: it is an era of
   its own from then on, and its trigger passes it by (`steps.setting_aside`).
4. A tick that is held for 35 days is skipped(by_person).
5. Where it fires by itself the same gates are asked as of any tick, at its new instant; of an era that has
   ended meanwhile that of the job counts, not that of the era.
"""

from __future__ import annotations

from scheduler.machine.context import Context, done, refused
from scheduler.machine.rules import changing, gates
from scheduler.machine.rules.changing import ACTS, HELD_MAX_MS
from scheduler.machine.rules.gates import Never, TickView
from scheduler.machine.rules.gates.changed import NEVER
from scheduler.machine.steps import (
    decisions,
    eras,
    firing,
    pausing,
    plan_dates,
    reconstruct,
    redating,
    restoring,
    setting_aside,
)
from scheduler.store.tables import changed_ticks
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.changed_ticks import FIRED, GO, HELD, MOVED, SKIPPED, ChangedTick
from scheduler.store.tables.triggers import FiringTrigger
from scheduler.ticks import nominal_ms, schedule
from scheduler.words import events as e
from scheduler.words.causes import Cause, Kind
from scheduler.words.commands import ChangeTick, FireChanged
from scheduler.words.outcomes import Code, Outcome

AHEAD_MAX_MS = 60_000  #: of its instant it is decided


def change_tick(ctx: Context, command: ChangeTick) -> Outcome:
    job = job_rows.standing_named(ctx.store, command.namespace, command.name)
    if job is None:
        return refused(Code.NOT_FOUND, f"no job {command.namespace}/{command.name}")
    row = changed_ticks.get(ctx.store, job.id, command.trigger, command.at_ms)
    if refusal := changing.judge(ctx.store, job.id, row, command, ctx.stamp_ms):
        return refusal
    era = trigger_rows.era_of(ctx.store, job.id, command.trigger, command.at_ms)
    if row is None and era is not None and (stale := redating.refuse_stale_tick(ctx, era, command.at_ms)):
        return stale
    act, who, now_ms = ACTS[command.act], command.actor.name, ctx.stamp_ms
    before = row or ChangedTick(
        job.id, command.trigger, command.at_ms, GO, None, "", 0, None, None, now_ms, command.reason, who
    )
    after = before
    if act:
        move_ms = command.to_ms if act == MOVED else None
        after = before._replace(act=act, move_ms=move_ms, since_ms=now_ms, reason=command.reason, actor=who)
        after = after._replace(fire_ms=_look_ms(ctx, after))
    else:
        params = command.params.decode("utf-8", "replace")
        after = before._replace(params=params, given_by=who if params else "")
    if after.act == GO and not after.passed and not after.params:
        setting_aside.drop(ctx, after)
    else:
        changed_ticks.put(ctx.store, after)
        ctx.state.changed_ticks = 1
    ctx.emit(
        e.TickChanged(
            job.id, job.namespace, job.name, command.trigger, command.at_ms, command.act, after.move_ms,
            command.reason, command.actor.name,
        )
    )  # fmt: skip
    ctx.changed("job", job.namespace, job.name, before.act, after.act, reason=command.reason)
    return done(act=after.act)


def _look_ms(ctx: Context, row: ChangedTick) -> int | None:
    """When somebody has to look at it; None: its trigger comes to it."""
    if not row.passed:
        return row.move_ms if row.move_ms is not None and row.move_ms < row.at_ms else None
    if row.act == HELD:
        return ctx.stamp_ms + HELD_MAX_MS
    return ctx.stamp_ms if row.move_ms is None else row.move_ms


def fire_changed(ctx: Context, command: FireChanged) -> Outcome:
    row = changed_ticks.get(ctx.store, command.job, command.trigger, command.at_ms)
    early = row is not None and (row.fire_ms or 0) > ctx.stamp_ms + AHEAD_MAX_MS
    if row is None or row.fire_ms is None or row.fire_ms != command.fire_ms or early:
        return refused(Code.STALE_DUE, f"no tick of trigger {command.trigger} is due at {command.fire_ms}")
    if row.act == FIRED:
        return _is_over(ctx, row)
    number = trigger_rows.era_of(ctx.store, row.job, row.key, row.at_ms)
    era = None if number is None else trigger_rows.get(ctx.store, number)
    trigger = None if era is None else trigger_rows.firing(ctx.store, era.id)
    if era is None or trigger is None:
        setting_aside.gone(ctx, row)
        return done(outcome="none")
    if row.passed:
        setting_aside.drop(ctx, row)
        own = era.id
    elif stale := redating.refuse_stale_tick(ctx, era.id, row.at_ms):
        return stale
    else:
        own = eras.ahead(ctx, era, row.at_ms)
        stood_ms = nominal_ms(era.spec, row.at_ms)
        plan_day = plan_dates.of(ctx, era.namespace, row.at_ms if stood_ms is None else stood_ms)
        row = row._replace(plan_day=plan_day)
        changed_ticks.put(ctx.store, row._replace(act=FIRED, fire_ms=None))
    cause = Cause(Kind.TICK, "", own, row.at_ms)
    if ctx.state.restores and (run := reconstruct.prove(ctx, trigger.job, own, row.at_ms)):
        return _decide(ctx, trigger, cause, Never("ran", "", run))
    verdict = NEVER
    if row.act not in (HELD, SKIPPED) or trigger.namespace is None:
        paused = pausing.skips(ctx, trigger.namespace or "", command.fire_ms)
        asked = gates.judge(gates.TICK, TickView(trigger._replace(closed=""), paused))
        if missed := restoring.missed(ctx, command.fire_ms):
            asked = asked if isinstance(asked, Never) else Never("missed", missed)
        if not isinstance(asked, Never):
            assert trigger.namespace is not None
            return firing.fire(
                ctx, cause, trigger, due_ms=command.fire_ms, params=row.params or None, actor=row.given_by,
                plan_day=row.plan_day,
            )  # fmt: skip
        verdict = asked
    return _decide(ctx, trigger, cause, verdict)


def _is_over(ctx: Context, row: ChangedTick) -> Outcome:
    """Of one that came before its instant, which is over: does its trigger come to it yet?"""
    if ctx.stamp_ms < row.at_ms:
        return refused(Code.STALE_DUE, f"the tick of {row.at_ms} of trigger {row.key} is yet to come")
    for era in trigger_rows.undecided(ctx.store, row.job):
        is_left = (era.next_due_ms or 0) <= row.at_ms and (era.until_ms is None or row.at_ms <= era.until_ms)
        if era.key == row.key and is_left and schedule(era.spec).between(row.at_ms - 1, row.at_ms, 1):
            changed_ticks.put(ctx.store, row._replace(fire_ms=None))
            return done(outcome="none")
    setting_aside.drop(ctx, row)
    return done(outcome="none")


def _decide(ctx: Context, trigger: FiringTrigger, cause: Cause, verdict: Never) -> Outcome:
    namespace, name = trigger.namespace, trigger.name
    if namespace is None:
        namespace, name = job_rows.name_of_deleted(ctx.store, trigger.job)
    decisions.decide(
        ctx, cause, job=trigger.job, namespace=namespace, name=name, first_ms=cause.tick_ms or 0,
        outcome=verdict.outcome, reason=verdict.reason, run=verdict.run,
    )  # fmt: skip
    return done(outcome=verdict.outcome, reason=verdict.reason, run=verdict.run)
