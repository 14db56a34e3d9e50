"""Ticks: fired, or accounted for without a run.

Rules of this file:

1. The compare-and-set on the trigger's `next_due_ms` makes a tick unique: each instant is passed once, with
   one outcome.
2. A Fire ends in a run (whose first start, or end without one, writes the ledger entry) or in an entry at
   once.
3. What is due in an era that is over, of a paused job, or in a pause of everything or of its namespace,
   becomes skipped, whatever the planner saw. An edit makes none over: what was due before it fires as if it
   had not been (`store.triggers`).
4. In a restored state a tick that an agent's journal proves ran ends as that, with the run that was adopted.
5. Overlap is judged here, at the moment of firing, over the job's pending and running runs. A run that
   catches up is in the way of no live tick: that queues behind it, as under queue_one.
6. While overload is declared, and not else, a range may end by it (`Account` with that reason).
7. A tick after a calendar's edit is decided by its new dates alone (`steps.redating`).
8. A tick of which a person said something is fired by itself, never in a range: what he holds or moved the
   trigger leaves behind (`steps.setting_aside`), what came before its instant it passes by.
9. What `catchup: all` runs of a gap waits (SetAside) and makes a run only while the job has no active one.
   A gap that one plan does not work off is split from the present (SplitGap), and decided as it would be.
"""

from __future__ import annotations

from scheduler.machine.context import OK, Context, done, refused
from scheduler.machine.rules import tick_limits
from scheduler.machine.rules.gates import READY, Never, TickView, over
from scheduler.machine.rules.gates.changed import WAITS
from scheduler.machine.steps import (
    arriving,
    decisions,
    eras,
    firing,
    plan_dates,
    reconstruct,
    redating,
    restoring,
    setting_aside,
)
from scheduler.store.tables import asked, restores
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.asked import Limits
from scheduler.store.tables.changed_ticks import FIRED, ChangedTick
from scheduler.store.tables.triggers import BEHIND, EDITED, FiringTrigger, Trigger
from scheduler.words import events as e
from scheduler.words.causes import Cause, Kind
from scheduler.words.commands import Account, Fire, LimitTicks, SetAside, SplitGap, TellOverload
from scheduler.words.outcomes import Code, Outcome
from scheduler.words.reasons import OVERLOAD


def fire(ctx: Context, command: Fire) -> Outcome:
    trigger = trigger_rows.firing(ctx.store, command.trigger)
    tick_ms = command.expected_due_ms
    if trigger is None or trigger.next_due_ms != tick_ms:
        return refused(Code.STALE_DUE, f"trigger {command.trigger} is not at {tick_ms}")
    if tick_ms <= trigger.from_ms or not _passes(command.next_due_ms, tick_ms):
        return refused(Code.INVALID, "the instant is not of this era, or the next one does not follow it")
    if stale := redating.refuse_stale_tick(ctx, trigger.id, tick_ms):
        return stale
    _move(ctx, trigger, command.next_due_ms)
    changed = setting_aside.of_tick(ctx, trigger, tick_ms) if ctx.state.changed_ticks else None
    if changed is not None and changed.act == FIRED:
        setting_aside.drop(ctx, changed)
        return done(outcome="none")
    cause = Cause(Kind.CATCHUP if command.catchup else Kind.TICK, "", trigger.id, tick_ms)
    if ctx.state.restores and (run := reconstruct.prove(ctx, trigger.job, trigger.id, tick_ms)):
        _forget(ctx, changed)
        return _decide(ctx, trigger, cause, "ran", "", run)
    verdict = arriving.stopped(ctx, trigger, tick_ms + trigger.jitter_ms, changed)
    if changed is not None:
        if verdict in WAITS.values():
            return _leave_behind(ctx, trigger, changed, tick_ms, command.nominal_ms)
        if missed := restoring.missed(ctx, tick_ms + trigger.jitter_ms):
            verdict = verdict if isinstance(verdict, Never) else Never("missed", missed)
        if verdict is READY or isinstance(verdict, Never):
            _forget(ctx, changed)
    if isinstance(verdict, Never):
        return _decide(ctx, trigger, cause, verdict.outcome, verdict.reason, verdict.run)
    if verdict is not READY:
        trigger_rows.move(ctx.store, trigger.id, next_due_ms=tick_ms, fire_ms=None)
        return done(waits=True)
    assert trigger.namespace is not None
    nominal = command.nominal_ms
    if nominal is not None:
        nominal = plan_dates.of(ctx, trigger.namespace, nominal)
    outcome = firing.fire(
        ctx,
        cause,
        trigger,
        due_ms=tick_ms + trigger.jitter_ms,
        params=changed.params or None if changed is not None else None,
        actor=changed.given_by if changed is not None else "",
        agent=command.agent,
        plan_day=nominal,
    )
    if trigger.closed == BEHIND and "outcome" not in (outcome.value or {}):
        trigger_rows.sleep(ctx.store, trigger.id)  # until that run has ended
    return outcome


def _leave_behind(
    ctx: Context, trigger: FiringTrigger, changed: ChangedTick, tick_ms: int, nominal_ms: int | None
) -> Outcome:
    """A person holds or moved the tick: it is pending by itself, and the trigger goes on."""
    assert trigger.namespace is not None
    plan_day = plan_dates.of(ctx, trigger.namespace, tick_ms if nominal_ms is None else nominal_ms)
    setting_aside.leave_behind(ctx, changed, tick_ms + trigger.jitter_ms, plan_day)
    return done(passed=True)


def _forget(ctx: Context, changed: ChangedTick | None) -> None:
    """It is decided."""
    if changed is not None:
        setting_aside.drop(ctx, changed)


def account(ctx: Context, command: Account) -> Outcome:
    """End a range of instants without a run. `count` 0: they are not of this era, only the watermark
    moves.
    """
    trigger = trigger_rows.firing(ctx.store, command.trigger)
    first_ms, last_ms = command.expected_due_ms, command.last_ms
    if trigger is None or trigger.next_due_ms != first_ms:
        return refused(Code.STALE_DUE, f"trigger {command.trigger} is not at {first_ms}")
    if last_ms < first_ms or not _passes(command.next_due_ms, last_ms):
        return refused(Code.INVALID, "a range ends before it begins, or the next instant does not follow it")
    if stale := redating.refuse_stale_tick(ctx, trigger.id, last_ms):
        return stale
    if command.count == 0:
        if last_ms > trigger.from_ms:
            return refused(Code.INVALID, "instants of this era need an outcome")
        _move(ctx, trigger, command.next_due_ms)
        return done(outcome="none")
    if (
        first_ms <= trigger.from_ms
        or command.count < 0
        or command.outcome not in ("skipped", "coalesced", "missed")
    ):
        return refused(Code.INVALID, "not a range of this era, or not an outcome without a run")
    if trigger.until_ms is not None and last_ms > trigger.until_ms:
        return refused(Code.STALE_DUE, "the era ends before the range does")
    if command.reason == OVERLOAD and ctx.state.overload_ms is None:
        return refused(Code.SUPERSEDED, "no overload is declared")
    if ctx.state.changed_ticks and setting_aside.any_in(ctx, trigger, first_ms, last_ms):
        return refused(Code.STALE_DUE, "a person said something of a tick of this range: it is fired alone")
    if ctx.state.restores and restores.proven(ctx.store, trigger.job, first_ms, last_ms, 1):
        return refused(Code.STALE_DUE, "a tick of this range ran before the restore: it is fired by itself")
    _move(ctx, trigger, command.next_due_ms)
    cause = Cause(Kind.TICK, "", trigger.id, first_ms)
    verdict = over.judge(TickView(trigger, False))
    if isinstance(verdict, Never):
        said = (verdict.outcome, verdict.reason)
        return _decide(ctx, trigger, cause, *said, last_ms=last_ms, count=command.count)
    return _decide(
        ctx, trigger, cause, command.outcome, command.reason,
        last_ms=last_ms, count=command.count, into_ms=command.into_ms,
    )  # fmt: skip


def set_aside(ctx: Context, command: SetAside) -> Outcome:
    """What of a gap is to run waits in an era of its own; the trigger goes on after it."""
    trigger = _to_cut(ctx, command, ("", EDITED))
    if isinstance(trigger, Outcome):
        return trigger
    eras.cut(ctx, trigger, command.until_ms, command.next_due_ms)
    job = job_rows.standing(ctx.store, trigger.job)
    if job is not None and not job.active_runs:
        eras.wake(ctx, trigger.job)
    return OK


def split_gap(ctx: Context, command: SplitGap) -> Outcome:
    """What is long overdue is decided in an era of its own, as what was due before an edit; the trigger goes
    on after it."""
    trigger = _to_cut(ctx, command, ("",))
    if isinstance(trigger, Outcome):
        return trigger
    if command.turn_ms > command.until_ms + trigger.jitter_ms:
        return refused(Code.INVALID, "its turn is after the present")
    eras.split(ctx, trigger, command.until_ms, command.next_due_ms, command.turn_ms)
    return OK


def _to_cut(ctx: Context, command: SetAside | SplitGap, kinds: tuple[str, ...]) -> Trigger | Outcome:
    """The trigger, whose era is one of these, where it may be cut in two there."""
    trigger = trigger_rows.get(ctx.store, command.trigger)
    first_ms, last_ms = command.expected_due_ms, command.until_ms
    if trigger is None or trigger.next_due_ms != first_ms:
        return refused(Code.STALE_DUE, f"trigger {command.trigger} is not at {first_ms}")
    job = job_rows.standing(ctx.store, trigger.job)
    if job is None or job.state == "paused" or trigger.closed not in kinds:
        return refused(Code.SUPERSEDED, "what is due of this era is not caught up")
    if stale := redating.refuse_stale_tick(ctx, trigger.id, last_ms):
        return stale
    beyond = trigger.until_ms is not None and last_ms > trigger.until_ms
    beyond = beyond or last_ms < first_ms or first_ms <= trigger.from_ms
    if beyond or not _passes(command.next_due_ms, last_ms):
        return refused(Code.INVALID, "not a range of this era, or the next instant does not follow it")
    return trigger


def tell_overload(ctx: Context, command: TellOverload) -> Outcome:
    state = ctx.state
    if command.begins == (state.overload_ms is not None):
        return refused(Code.SUPERSEDED, "that is known already")
    if command.begins:
        state.overload_ms, state.overload_late_ms = ctx.stamp_ms, max(0, command.late_ms)
        state.overload_due = max(0, command.due)
        ctx.emit(e.OverloadBegan(state.overload_late_ms, state.overload_due))
    else:
        since_ms, state.overload_ms = state.overload_ms or 0, None
        state.overload_late_ms = state.overload_due = 0
        ctx.emit(e.OverloadEnded(since_ms))
    return OK


def limit_ticks(ctx: Context, command: LimitTicks) -> Outcome:
    given = Limits(command.job, command.namespace, command.cluster)
    if not all(1 <= each <= tick_limits.PER_SECOND_MAX for each in given):
        return refused(Code.INVALID, f"a limit is a whole number from 1 to {tick_limits.PER_SECOND_MAX}")
    ctx.changed("tick-limits", "", "", _told(asked.limits(ctx.store)), _told(given))
    asked.set_limits(ctx.store, given)
    return done(**given._asdict())


def _told(limits: Limits) -> str:
    return "job {}, namespace {}, cluster {}".format(*limits)


def _passes(next_due_ms: int | None, last_ms: int) -> bool:
    return next_due_ms is None or next_due_ms > last_ms


def _move(ctx: Context, trigger: FiringTrigger, next_due_ms: int | None) -> None:
    if trigger.until_ms is not None and (next_due_ms is None or next_due_ms > trigger.until_ms):
        next_due_ms = None
    jitter_ms = 0 if trigger.is_over else trigger.jitter_ms
    fire_ms = None if next_due_ms is None else next_due_ms + jitter_ms
    trigger_rows.move(ctx.store, trigger.id, next_due_ms=next_due_ms, fire_ms=fire_ms)
    if trigger.closed == BEHIND and next_due_ms is None:
        eras.wake(ctx, trigger.job)


def _decide(
    ctx: Context,
    trigger: FiringTrigger,
    cause: Cause,
    outcome: str,
    reason: str,
    run: int = 0,
    *,
    last_ms: int | None = None,
    count: int = 1,
    into_ms: int | None = None,
) -> Outcome:
    namespace, name = trigger.namespace, trigger.name
    if namespace is None:
        namespace, name = job_rows.name_of_deleted(ctx.store, trigger.job)
    decisions.decide(
        ctx, cause, job=trigger.job, namespace=namespace, name=name, first_ms=cause.tick_ms or 0,
        outcome=outcome, reason=reason, run=run, last_ms=last_ms, count=count, into_ms=into_ms,
    )  # fmt: skip
    return done(outcome=outcome, reason=reason, run=run)
