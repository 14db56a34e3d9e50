"""Tasks: woken when their instant has come, and failed where they would wait for ever.

By the clock of the leader that plans: it is less than 1 s from the one that stamps, or nothing is planned."""

from __future__ import annotations

from scheduler.machine.context import OK, Context, refused
from scheduler.machine.rules import deadlocks
from scheduler.machine.steps import acting, completing, ends, hearing, trying
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.words.commands import BreakDeadlock, Wake
from scheduler.words.outcomes import Code, Outcome


def wake(ctx: Context, command: Wake) -> Outcome:
    task = task_rows.get(ctx.store, command.task)
    if task is None or task.wake_ms is None:
        return refused(Code.ENDED, f"task {command.task} waits for no instant")
    if task.wake_ms != command.wake_ms:
        return refused(Code.SUPERSEDED, f"task {task.id} waits for another instant")
    run = run_rows.get(ctx.store, task.run)
    assert run is not None
    if task.is_awaited:
        ctx.has_end = False
        completing.expire(ctx, run, task)
        if ctx.has_end:
            hearing.hear_soon(ctx)
        return OK
    if task.state != "retry_wait":
        ctx.has_end = False
        outcome = acting.act(ctx, run, task)
        if ctx.has_end:
            hearing.hear_soon(ctx)
        return outcome
    if ends.never_starts(ctx, run, task):
        return OK
    if not ends.waits_with_run(ctx, run, task, attempts=task.attempts):
        trying.again(ctx, run, task)
    return OK


def break_deadlock(ctx: Context, command: BreakDeadlock) -> Outcome:
    """Without a retry: it would wait in the same circle again."""
    task = task_rows.get(ctx.store, command.task)
    if task is None or task.state != "queued":
        return refused(Code.SUPERSEDED, f"task {command.task} is not queued")
    run = run_rows.get(ctx.store, task.run)
    assert run is not None
    if run.stopping or not (why := deadlocks.find(ctx.store, task, ctx.stamp_ms)):
        return refused(Code.SUPERSEDED, f"task {task.id} waits in no circle")
    ends.finish(ctx, run, task, "failed", started_ms=None, reason=why)
    return OK
