"""Hands on a live run: what a person does to it. Whether it may be is `rules.hands`."""

from __future__ import annotations

from collections.abc import Callable

from scheduler.machine.context import Context, done, refused
from scheduler.machine.rules import hands
from scheduler.machine.steps import admitting, holding
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.runs import BEHIND, Run
from scheduler.words.commands import ReleaseRun, ResumeRun, SuspendRun
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
    return _note(ctx, run, run.state, command.reason)


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
