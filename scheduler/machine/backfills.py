"""Backfills: a job's runs for instants that are past.

Rules of this file:

1. The instants are those of the schedule that the trigger has when it comes to them, the oldest first; of one
   of plan dates those of these dates, wherever a calendar moved them. Each
   is looked at once: it gets a run, or is left out (`rules.filling`). No tick is written, no watermark moves.
2. A run is known by the trigger, its instant and the backfill, so nobody makes it twice. It is in nobody's
   way, and nobody in its: of a backfill so many go on at a time, and no other bound of the job's counts.
3. It goes on by itself when one of its runs ends. While its job, its namespace or everything is paused, it
   stands still.
4. It ends when its last run has ended, when a person cancels it, or when its job or trigger is gone.
5. Bounded: so many instants a command; the planner asks again while something is left.
"""

from __future__ import annotations

from scheduler.machine.context import OK, ROW, Context, done, refused
from scheduler.machine.rules import filling
from scheduler.machine.steps import backfilling, firing, pausing, plan_dates, stopping
from scheduler.model.quantities import format_instant
from scheduler.store.tables import backfills
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.backfills import CANCELLED, DONE, GOING, Backfill
from scheduler.store.tables.jobs import Standing
from scheduler.ticks import nominal_ms, schedule
from scheduler.words import events as e
from scheduler.words.causes import Cause, Kind, backfill_key
from scheduler.words.commands import AdvanceBackfill, CancelBackfill, StartBackfill
from scheduler.words.lifecycle import RUN_ENDS
from scheduler.words.outcomes import Code, Outcome

LOOKED_MAX = 100  #: instants, in one step
LOOKED = ROW
KIND = "job"


def start_backfill(ctx: Context, command: StartBackfill) -> Outcome:
    job = job_rows.standing_named(ctx.store, command.namespace, command.name)
    if job is None:
        return refused(Code.NOT_FOUND, f"no job {command.namespace}/{command.name}")
    refusal = filling.judge(ctx.store, job.id, command, ctx.stamp_ms)
    if refusal is not None:
        return refusal
    row = Backfill(
        id=ctx.state.idx, job=job.id, namespace=job.namespace, name=job.name, key=command.trigger,
        from_ms=command.from_ms, to_ms=command.to_ms, first_day=command.first_day, last_day=command.last_day,
        at_ms=command.from_ms, instants=command.instants,
        active_max=command.active_max, missing_only=int(command.missing_only), again=int(command.again),
        closed=int(command.closed), params=command.params.decode("utf-8", "replace"),
        reason=command.reason, actor=command.actor.name, began_ms=ctx.stamp_ms, ended_ms=None, state=GOING,
        why="", left_out=0, made=0, active=0, succeeded=0, wake_ms=ctx.stamp_ms,
    )  # fmt: skip
    backfills.insert(ctx.store, row)
    ctx.emit(
        e.BackfillBegan(row.id, job.id, job.namespace, job.name, row.key, row.instants, row.actor)
    )
    ctx.changed(KIND, job.namespace, job.name, None, f"backfill {row.id}", reason=command.reason)
    return done(backfill=row.id)


def advance_backfill(ctx: Context, command: AdvanceBackfill) -> Outcome:
    row = backfills.get(ctx.store, command.backfill)
    if row is None or row.wake_ms is None or row.at_ms != command.at_ms:
        return refused(Code.SUPERSEDED, f"backfill {command.backfill} is not at {command.at_ms}")
    job = job_rows.standing(ctx.store, row.job)
    era = next((each for each in trigger_rows.live(ctx.store, row.job) if each.key == row.key), None)
    if job is None or era is None or era.event:
        backfilling.finish(ctx, row, CANCELLED, f"the job has no trigger {row.key} with instants any more")
        return OK
    if job.state == "paused" or pausing.keeps_back(ctx, job.namespace):
        return refused(Code.SUPERSEDED, "it is paused")
    free = row.active_max - row.active
    instants = schedule(era.spec).between(row.at_ms, row.to_ms, LOOKED_MAX) if free > 0 else []
    at_ms, left_out, made, looked, undated = row.at_ms, 0, 0, 0, ""
    for instant_ms in instants:
        if made == free or (looked and ctx.room <= 0):
            break
        ctx.room -= LOOKED
        at_ms, looked = instant_ms, looked + 1
        if not filling.is_meant(
            ctx.store, row.namespace, row.first_day, row.last_day, era.spec, instant_ms
        ):
            continue
        if filling.leaves_out(ctx.store, row, era.spec, instant_ms):
            left_out += 1
        elif why := _make(ctx, job, row, era.spec, instant_ms):
            at_ms = instant_ms - 1  # whoever takes it up again begins with this one
            undated = f"{format_instant(instant_ms)}: {why}"
            break
        else:
            made += 1
    # What its own runs have come to meanwhile counts too: some need no agent.
    now = backfills.get(ctx.store, row.id) or row
    active = now.active + made
    is_through = looked == len(instants) < LOOKED_MAX and free > 0 and not undated
    row = backfills.change(
        ctx.store, now, at_ms=row.to_ms if is_through else at_ms, left_out=row.left_out + left_out,
        made=row.made + made, active=active,
        wake_ms=ctx.stamp_ms if not is_through and active < row.active_max else None,
    )  # fmt: skip
    if undated:
        backfilling.finish(ctx, row, CANCELLED, undated)
        return OK
    backfilling.finish_if_over(ctx, row)
    return done(made=made, left_out=left_out)


def _make(ctx: Context, job: Standing, row: Backfill, spec: bytes, instant_ms: int) -> str:
    """Why there is no run; empty: there is."""
    nominal = nominal_ms(spec, instant_ms)
    outcome = firing.fire(
        ctx,
        Cause(Kind.BACKFILL, backfill_key(row.key, instant_ms, row.id), 0, instant_ms),
        job,
        due_ms=ctx.stamp_ms,
        params=row.params or None,
        actor=row.actor,
        plan_day=plan_dates.of(ctx, row.namespace, instant_ms if nominal is None else nominal),
    )
    return outcome.detail


def cancel_backfill(ctx: Context, command: CancelBackfill) -> Outcome:
    row = backfills.get(ctx.store, command.backfill)
    if row is None:
        return refused(Code.NOT_FOUND, f"no backfill {command.backfill}")
    if row.state == DONE:
        return refused(Code.ENDED, f"backfill {row.id} is {row.state}", state=row.state)
    by = f"cancelled by {command.actor.name}" if command.actor.name else "cancelled"
    if row.state == GOING:
        backfilling.finish(ctx, row, CANCELLED, by)
    if command.runs:
        for run_id in run_rows.going_of_backfill(ctx.store, row.job, row.id, filling.ACTIVE_MAX):
            run = run_rows.get(ctx.store, run_id)
            if run is not None and run.state not in RUN_ENDS and not run.stopping:
                stopping.stop(ctx, run, stopping="cancelled", reason=by)
    ctx.changed(KIND, row.namespace, row.name, f"backfill {row.id}", "cancelled")
    return done(backfill=row.id)
