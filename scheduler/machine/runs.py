"""Runs: asked for, stopped, given up, gone on with.

A run that waits (overlap: queue_one, queue_all, cancel_running) has its roots blocked until the job's other
runs have ended; then the oldest waiting one is admitted (`steps.admitting`). One that comes outside of its
job's windows waits for the next (`machine.waits`), one that its namespace may not have yet, by its quota,
is admitted when the planner says that there is room.
"""

from __future__ import annotations

from scheduler.machine.context import OK, ROW, Context, done, refused
from scheduler.machine.rules import hands, selectors, verdicts, walks
from scheduler.machine.steps import (
    admitting,
    continuing,
    ends,
    firing,
    locking,
    plan_dates,
    stopping,
)
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import closed_dates, holds, pauses, reservations, run_waits
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.runs import Run
from scheduler.ticks import plan_days
from scheduler.words.causes import Cause, Kind
from scheduler.words.commands import (
    CONTINUE_RUNS_MAX,
    AdmitRuns,
    CancelRun,
    Continue,
    ExpireRun,
    ResolveRun,
    RunJob,
    StopRun,
)
from scheduler.words.lifecycle import RUN_ENDS
from scheduler.words.outcomes import Code, Outcome

LOOKED_MAX = 20  #: tasks of a run that wait, of which one may wait for a resource
DEADLINE_ANEW_MS_MIN = 10_000


def run_job(ctx: Context, command: RunJob) -> Outcome:
    """A person's run is always accepted, whatever `overlap` says of ticks; it counts as active for them."""
    job = job_rows.standing_named(ctx.store, command.namespace, command.name)
    if job is None:
        return refused(Code.NOT_FOUND, f"no job {command.namespace}/{command.name}")
    if not plan_days.is_one(command.plan_day):
        return refused(Code.INVALID, f"day {command.plan_day} is no date")
    if (refusal := hands.of_reason(command.reason)) is not None:
        return refusal
    if ctx.state.closed_dates and not command.closed and (closed := _closed(ctx, command)):
        return closed
    if ctx.state.reserves and (away := _away(ctx, job.id)):
        return away
    placed = ctx.state.last_attempt
    made = firing.fire(
        ctx,
        Cause(Kind.MANUAL),
        job,
        due_ms=command.due_ms,
        params=command.params.decode("utf-8", "replace"),
        actor=command.actor.name,
        agent=command.agent,
        plan_day=command.plan_day,
        held=command.reason if command.held else None,
        any_time=command.ignore_admission,
    )
    if not made.ok:
        return made
    ctx.changed("job", job.namespace, job.name, run=ctx.state.last_run, reason=command.reason)
    attempt = ctx.state.last_attempt if ctx.state.last_attempt > placed else 0
    run = run_rows.get(ctx.store, ctx.state.last_run)
    assert run is not None
    # With what the front knows of the job, the whole run as it was made: whoever asked needs no read.
    return done(
        **(made.value or {}), revision=job.revision, stamp_ms=ctx.stamp_ms, attempt=attempt,
        plan_day=run.plan_day, waiting=bool(run.waiting),
    )  # fmt: skip


def _away(ctx: Context, job: int) -> Outcome | None:
    """The refusal of a run whose agent alone may run it, and is not here."""
    first = reservations.of_job(ctx.store, job, 1)
    agent = agent_rows.get(ctx.store, first[0].agent) if first else None
    if agent is None or agent.node:
        return None
    hint = "Wait until it is back; where it is gone for good: cronclave job unreserve NAME --gone."
    return refused(
        Code.CONFLICT, f"agent {agent.name} has coming ticks of the job in advance, and is away", hint=hint
    )


def _closed(ctx: Context, command: RunJob) -> Outcome | None:
    """The refusal of a run for a plan date that is closed."""
    day = plan_dates.of(ctx, command.namespace, None) if command.plan_day is None else command.plan_day
    row = closed_dates.get(ctx.store, command.namespace, day)
    if row is None:
        return None
    date = plan_days.text_of(day)
    hint = "Say closed (--closed) where the run is meant all the same, or open the date: plan open."
    return refused(Code.CONFLICT, f"plan date {date} is closed: {row.reason}", hint=hint, plan_date=date)


def admit_runs(ctx: Context, command: AdmitRuns) -> Outcome:
    """What is admitted is judged here: the planner says when to look."""
    ctx.room = ctx.room_whole
    return done(admitted=admitting.admit_kept_back(ctx, command.namespace))


def cancel_run(ctx: Context, command: CancelRun) -> Outcome:
    run = run_rows.get(ctx.store, command.run)
    if run is None:
        return refused(Code.NOT_FOUND, f"no run {command.run}")
    if run.state in RUN_ENDS:
        return refused(Code.ENDED, f"run {run.id} ended: {run.state}", state=run.state)
    if verdicts.goes_its_way(run.stopping):
        by = f"cancelled by {command.actor.name}" if command.actor.name else "cancelled"
        stopping.stop(ctx, run, stopping="cancelled", reason=by)
    ctx.changed("run", run.namespace, run.name, run.state, "cancelled", run=run.id)
    return done(run=run.id)


def stop_run(ctx: Context, command: StopRun) -> Outcome:
    run = run_rows.get(ctx.store, command.run)
    if run is None or run.state != "running" or not verdicts.goes_its_way(run.stopping):
        return refused(Code.ENDED, f"run {command.run} does not run")
    if run.stop_ms is None:  # it stands still, or is over: what the run does finally has begun
        return refused(Code.ENDED, f"no timeout of run {run.id} passes now")
    stopping.stop(ctx, run, stopping="timed_out", reason="timeout")
    return OK


def expire_run(ctx: Context, command: ExpireRun) -> Outcome:
    run = run_rows.get(ctx.store, command.run)
    if run is None or run.state != "pending" or run.deadline_ms is None:
        return refused(Code.ENDED, f"run {command.run} waits for no start")
    later_ms = max(_deadline_after_pauses(ctx, run), _deadline_after_locks(ctx, run))
    if later_ms > ctx.stamp_ms:
        run_rows.set_deadline(ctx.store, run.id, later_ms)
        return done(deadline_ms=later_ms)
    stopping.stop(ctx, run, stopping="expired", reason="start deadline passed", walk=walks.DEADLINE)
    return OK


def _deadline_after_pauses(ctx: Context, run: Run) -> int:
    """A start deadline stands still while a pause, a window or a person keeps the run back; 0: none did."""
    hold = holds.get(ctx.store, run.id)
    wait = run_waits.get(ctx.store, run.id)
    kept_back_ms = (0 if hold is None else hold.kept_ms) + (0 if wait is None else wait.kept_ms)
    if ctx.state.paused_through_ms > run.created_ms:
        kept_back_ms += pauses.kept_back_ms(ctx.store, run.namespace, run.created_ms, ctx.stamp_ms)
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision) if kept_back_ms else None
    if graph is None or graph.job.start_deadline_ms is None:
        return 0
    from_ms = run.due_ms if run.cause == Kind.TICK else max(run.due_ms, run.created_ms)
    return from_ms + graph.job.start_deadline_ms + kept_back_ms


def _deadline_after_locks(ctx: Context, run: Run) -> int:
    """It stands still while a resource keeps the run back: where one does at the deadline, it is counted anew
    from now; 0: none does."""
    waits = any(
        selectors.has_locks(task.selector) and locking.lacking(ctx, run.id, task.selector)
        for task in task_rows.queued_of(ctx.store, run.id, LOOKED_MAX)
    )
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision) if waits else None
    if graph is None or graph.job.start_deadline_ms is None:
        return 0
    return ctx.stamp_ms + max(graph.job.start_deadline_ms, DEADLINE_ANEW_MS_MIN)


def resolve_run(ctx: Context, command: ResolveRun) -> Outcome:
    run = run_rows.get(ctx.store, command.run)
    if run is None:
        return refused(Code.NOT_FOUND, f"no run {command.run}")
    if run.state in RUN_ENDS:
        return refused(Code.ENDED, f"run {run.id} ended: {run.state}", state=run.state)
    resolved = 0
    for attempt in attempt_rows.live_of_run(ctx.store, run.id):
        agent = agent_rows.get(ctx.store, attempt.agent)
        connected = agent is not None and agent.node != ""
        if attempt.state != "assigned" and (attempt.unreachable or not connected):
            by = f"resolved by {command.actor.name}" if command.actor.name else "resolved"
            ends.lose_soon(ctx, attempt, by)
            resolved += 1
    if not resolved:
        return refused(Code.INVALID, f"run {run.id} has no attempt on an agent that cannot be reached")
    ctx.changed("run", run.namespace, run.name, "unreachable", "lost", run=run.id)
    return done(run=run.id, attempts=resolved)


def go_on(ctx: Context, command: Continue) -> Outcome:
    if len(command.runs) > CONTINUE_RUNS_MAX:
        return refused(Code.LIMIT, f"at most {CONTINUE_RUNS_MAX} runs at once")
    ctx.room = ctx.room_whole
    ends.lose_doomed(ctx)
    for run_id in command.runs:
        while ctx.room > 0:
            run = run_rows.get(ctx.store, run_id)
            if run is None or not run.unfinished:
                break
            continuing.go_on(ctx, run)
            ctx.room -= ROW  # for the step itself, whatever it came to
    return OK
