"""Hands on a live run: what a person does to it, and that it is told. Whether it may be is `rules.hands`."""

from __future__ import annotations

from collections.abc import Callable

from scheduler.machine.context import Context, done, refused
from scheduler.machine.rules import hands
from scheduler.machine.steps import admitting, backfilling, checks, expecting, holding, requiring, windows
from scheduler.model import required as required_names
from scheduler.store.tables import ends, holds, listeners, overrides, required, reruns
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.overrides import Override
from scheduler.store.tables.runs import BEHIND, FOR_REQUIRES, FOR_TIME, Run
from scheduler.words import events as e
from scheduler.words.causes import Kind
from scheduler.words.commands import OverrideRun, ReleaseRun, ResumeRun, SuspendRun, TellHeld
from scheduler.words.lifecycle import KEPT_BACK
from scheduler.words.outcomes import Code, Outcome


def suspend_run(ctx: Context, command: SuspendRun) -> Outcome:
    run = _of(ctx, command, hands.suspending)
    if isinstance(run, Outcome):
        return run
    if (refusal := _restarting(ctx, run)) is not None:
        return refusal  # nothing would ever resume it
    actor = command.actor.name
    if run.state == "suspended":
        holding.explain(ctx, run, actor=actor, reason=command.reason)
    else:
        holding.suspend(ctx, run, actor=actor, reason=command.reason)
    return _note(ctx, run, "suspended", command.reason)


def resume_run(ctx: Context, command: ResumeRun) -> Outcome:
    run = _of(ctx, command, hands.resuming)
    if isinstance(run, Outcome):
        return run
    if (refusal := _restarting(ctx, run)) is not None:
        return refusal
    state = run.state
    if state == "suspended":
        state = holding.let_go(ctx, run, actor=command.actor.name).state
    return _note(ctx, run, state, command.reason)


def release_run(ctx: Context, command: ReleaseRun) -> Outcome:
    run = _of(ctx, command, hands.releasing)
    if isinstance(run, Outcome):
        return run
    if run.state == "held":
        state = holding.let_go(ctx, run, actor=command.actor.name).state
        return _note(ctx, run, state, command.reason)
    if run.waiting == BEHIND:
        admitting.release(ctx, run)
    elif run.waiting == FOR_REQUIRES:
        requiring.end(ctx, run, ())
        run = checks.end_all(ctx, run)
        compiled = ctx.graph(run.job, run.namespace, run.name, run.revision).job
        admitting.go_on_in_time(ctx, windows.let_pass(ctx, run, None), compiled)
    elif run.waiting == FOR_TIME:
        admitting.let_pass(ctx, windows.let_pass(ctx, run, None))
    return _note(ctx, run, run.state, command.reason)


def override_run(ctx: Context, command: OverrideRun) -> Outcome:
    """Of its job's last run it says how the job stands; what waits for its end (`after`) hears of it."""
    run = run_rows.get(ctx.store, command.run)
    if run is None:
        return refused(Code.NOT_FOUND, f"no run {command.run}")
    verdict, reason, actor = command.verdict, command.reason, command.actor.name
    refusal = hands.of_reason(reason) or hands.overriding(run, verdict, reason)
    if refusal is not None:
        return refusal
    before = overrides.get(ctx.store, run.id)
    overrides.put(ctx.store, Override(run.id, verdict, ctx.stamp_ms, actor, reason))
    job_rows.override_last(ctx.store, run.job, run=run.id, state=verdict)
    parent = f"{run.namespace}/{run.name}"
    if listeners.is_heard(ctx.store, parent) and reruns.is_heard(ctx.store, run.id, run.cause):
        ends.note(
            ctx.store, parent=parent, run=run.id, state=verdict, exit_code=run.exit_code, warned=run.warned,
            at_ms=ctx.stamp_ms, plan_day=run.plan_day, missed="", verdict=1,
        )  # fmt: skip
    if verdict == "succeeded" and run.cause != Kind.BACKFILL:
        expecting.succeed(ctx, run)
    backfilling.note_result(ctx, run, verdict)
    if required.is_required(ctx.store, of_job := required_names.of_job(run.namespace, run.name)):
        required.override(ctx.store, run.id, of_job, verdict)
    ctx.emit(
        e.RunOverridden(run.id, run.job, run.namespace, run.name, run.state, verdict, reason, actor)
    )
    counted = run.state if before is None else before.verdict
    ctx.changed("run", run.namespace, run.name, counted, verdict, run=run.id, reason=reason)
    return done(run=run.id, state=run.state)


def tell_held(ctx: Context, command: TellHeld) -> Outcome:
    hold, run = holds.get(ctx.store, command.run, command.task), run_rows.get(ctx.store, command.run)
    if hold is None or run is None or not hold.long_ms == command.long_ms <= ctx.stamp_ms:
        return refused(Code.SUPERSEDED, f"nothing of run {command.run} is held longer than its period now")
    holds.put(ctx.store, hold._replace(long_ms=None))
    task = task_rows.get(ctx.store, command.task) if command.task else None
    is_held = run.state in KEPT_BACK if task is None else task.state == "held"
    if is_held and hold.since_ms is not None:
        name, period_ms = "" if task is None else task.name, command.long_ms - hold.since_ms
        ctx.emit(
            e.RunHeldLong(run.id, run.job, run.namespace, run.name, name, hold.since_ms, period_ms)
        )
    return done(told=is_held)


Hand = SuspendRun | ResumeRun | ReleaseRun


def _of(ctx: Context, command: Hand, may: Callable[[Run], Outcome | None]) -> Run | Outcome:
    """The run, or why not."""
    run = run_rows.get(ctx.store, command.run)
    if run is None:
        return refused(Code.NOT_FOUND, f"no run {command.run}")
    return hands.of_reason(command.reason) or may(run) or run


def _restarting(ctx: Context, run: Run) -> Outcome | None:
    if not run.first_task:
        return None
    job = ctx.graphs.outline(run.job, run.namespace, run.name, run.revision)
    return hands.restarting(run, job)


def _note(ctx: Context, run: Run, after: str, reason: str) -> Outcome:
    before = "waiting" if run.waiting and run.state == after else run.state
    ctx.changed("run", run.namespace, run.name, before, after, run=run.id, reason=reason)
    return done(run=run.id, state=after)
