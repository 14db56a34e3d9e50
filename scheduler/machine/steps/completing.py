"""An attempt whose process has ended ends by somebody's word, or since nobody gave one in time."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules import completing
from scheduler.machine.rules.verdicts import Means
from scheduler.machine.steps import ends, restoring
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import completions
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.attempts import Attempt
from scheduler.store.tables.completions import Completion
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.words.lifecycle import AttemptEvent


def end(ctx: Context, run: Run, task: Task, attempt: Attempt, known: Completion) -> str:
    """By the word that is known. Returns its state."""
    ended = completing.end_of(known, *ends.names_and_most(ctx, run, task))
    return _end(ctx, run, task, attempt, known, ended.event, ended.reason, ended.outputs)


def expire(ctx: Context, run: Run, task: Task) -> None:
    """Its instant has come. That may be a later one than it was: after a restore the time begins anew."""
    attempt = attempt_rows.awaiting_of_task(ctx.store, task.id)
    assert attempt is not None
    async_ms = ctx.graph(run.job, run.namespace, run.name, run.revision).of(run, task).async_ms
    assert async_ms is not None
    until_ms = completing.until_ms(attempt, async_ms, restoring.restored_ms(ctx))
    if until_ms > ctx.stamp_ms:
        task_rows.set_wake(ctx.store, task.id, until_ms)
        return
    known = completions.get(ctx.store, attempt.id, run.id)
    _end(ctx, run, task, attempt, known, AttemptEvent.TIMED_OUT, completing.NOBODY, b"")


def _end(
    ctx: Context, run: Run, task: Task, attempt: Attempt, known: Completion, event: AttemptEvent, why: str,
    outputs: bytes,
) -> str:  # fmt: skip
    return ends.end(
        ctx, attempt, event, started_ms=attempt.started_ms, finished_ms=ctx.stamp_ms,
        exit_code=attempt.exit_code, signal=attempt.signal,
        reason="; ".join(filter(None, (why, attempt.reason))), tail=attempt.tail,
        output_bytes=attempt.output_bytes, means=Means.WARNED if known.warned else Means.NOTHING,
        outputs=outputs, of=(task, run),
    )  # fmt: skip
