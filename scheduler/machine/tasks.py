"""Tasks of a run: queued, ended, and what their end means for those that need them.

Rules of this file:

1. A task becomes ready by its rule over the tasks that it needs (`needs`). Its row counts them, so that an
   end costs as much as it has dependents; where these are many, they are told in slices (`slices`).
2. Place in a queue is one number that never changes while a task waits: when it was queued, less what its
   priority is worth. So waiting ages it, nothing starves, and the queue is an index.
3. Catch-up runs queue behind live ones.
"""

from __future__ import annotations

from scheduler.machine import runs, slices
from scheduler.machine.context import OK, Context, refused
from scheduler.machine.graphs import Graph
from scheduler.store import runs as run_rows
from scheduler.store import tasks as task_rows
from scheduler.store.runs import Run
from scheduler.store.tasks import Task
from scheduler.store.tells import Tell
from scheduler.words import events as e
from scheduler.words.causes import Kind
from scheduler.words.commands import Requeue
from scheduler.words.lifecycle import TASK, step
from scheduler.words.outcomes import Code, Outcome

PRIORITY_WORTH_MS = 10_000
CATCHUP_BEHIND_MS = 600_000


def rank(queued_ms: int, priority: int, cause: str) -> int:
    behind_ms = CATCHUP_BEHIND_MS if cause == Kind.CATCHUP else 0
    return queued_ms - priority * PRIORITY_WORTH_MS + behind_ms


def enqueue(ctx: Context, run: Run, task: Task, *, attempts: int) -> None:
    """The task waits for a place. `attempts`: made so far."""
    task_rows.queue(
        ctx.store,
        task.id,
        state=step(TASK, task.state, "queued"),
        queued_ms=ctx.stamp_ms,
        rank_ms=rank(ctx.stamp_ms, run.priority, run.cause),
        attempts=attempts,
    )
    ctx.emit(e.TaskQueued(task.id, run.id, task.name))


def end_row(
    ctx: Context,
    task: Task,
    state: str,
    *,
    reason: str,
    exit_code: int | None = None,
    started_ms: int | None = None,
) -> None:
    """End the task itself; what follows from it is the caller's."""
    task_rows.end(
        ctx.store,
        task.id,
        state=step(TASK, task.state, state),
        started_ms=started_ms,
        finished_ms=ctx.stamp_ms,
        reason=reason,
        exit_code=exit_code,
    )


def finish(
    ctx: Context,
    run: Run,
    graph: Graph,
    task: Task,
    state: str,
    *,
    reason: str,
    exit_code: int | None,
    started_ms: int | None,
) -> None:
    """A task ended: its dependents become ready or are skipped, and the run ends with its last task."""
    end_row(ctx, task, state, reason=reason, exit_code=exit_code, started_ms=started_ms)
    left = run.open_tasks - 1
    if not run.stopping:
        left -= slices.tell(ctx, run, graph, [Tell(task.id, state, 0)])
    runs.close_if_done(ctx, run, left, (state, exit_code, reason))


def end_of_stopping(ctx: Context, run: Run, task: Task) -> None:
    """A task whose run stops, before its turn in that has come."""
    if run.stopping == "expired":
        end_row(ctx, task, "expired", reason=run.walk)
    else:
        end_row(ctx, task, "cancelled", reason=run.reason)
    runs.close_if_done(ctx, run, run.open_tasks - 1)


def requeue(ctx: Context, command: Requeue) -> Outcome:
    task = task_rows.get(ctx.store, command.task)
    if task is None or task.state != "retry_wait":
        return refused(Code.ENDED, f"task {command.task} waits for no retry")
    run = run_rows.get(ctx.store, task.run)
    assert run is not None
    if run.stopping:
        end_of_stopping(ctx, run, task)
        return OK
    enqueue(ctx, run, task, attempts=task.attempts)
    return OK
