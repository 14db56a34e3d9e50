"""The process of an attempt has ended, and somebody outside is to say how the attempt does (`async`).

It holds no slot, no lease counts for it and no agent can lose it; what its task took of resources it
keeps."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules import completing
from scheduler.machine.rules.completing import Ended
from scheduler.machine.steps import placing
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import completions
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.attempts import Attempt
from scheduler.store.tables.completions import Completion
from scheduler.store.tables.tasks import Task
from scheduler.words import events as e
from scheduler.words.commands import Finish
from scheduler.words.lifecycle import AttemptEvent


def note(ctx: Context, attempt: Attempt, command: Finish, given: bytes, *, warned: bool) -> Completion:
    """Its process ended well, and gave these outputs."""
    known = completions.get(ctx.store, attempt.id, attempt.run)._replace(
        exited_ms=command.finished_ms, warned=int(warned), given=given
    )
    completions.put(ctx.store, known)
    return known


def judge(
    ctx: Context, attempt: Attempt, known: Completion, until_ms: int, outputs: tuple[tuple[str, ...], int]
) -> Ended | None:
    """How it ends with its process; None: it awaits a word. `outputs`: their names, and how large."""
    if known.outcome:
        return completing.end_of(known, *outputs)
    if attempt.state == "cancelling":
        return Ended(AttemptEvent.STOPPED, "", b"")
    return Ended(AttemptEvent.TIMED_OUT, completing.NOBODY, b"") if ctx.stamp_ms >= until_ms else None


def begin(
    ctx: Context, attempt: Attempt, task: Task, command: Finish, until_ms: int, output_bytes: int | None,
    tail: bytes, reason: str,
) -> str:  # fmt: skip
    """Returns the attempt's state."""
    state = attempt_rows.move(
        ctx.store, attempt, AttemptEvent.AWAITED,
        started_ms=attempt.started_ms if command.started_ms is None else command.started_ms,
        exit_code=command.exit_code, signal=command.signal, reason=reason, tail=tail,
        output_bytes=output_bytes,
    )  # fmt: skip
    agent_rows.release(ctx.store, attempt.agent)
    task_rows.set_wake(ctx.store, task.id, until_ms)
    ctx.emit(e.AttemptAwaiting(attempt.id, task.id, attempt.run, attempt.agent, until_ms))
    return state


def drop(ctx: Context, task: Task, reason: str) -> None:
    """Its task ends, and nobody has completed it; of one that was, nothing is left to do."""
    attempt = attempt_rows.awaiting_of_task(ctx.store, task.id)
    if attempt is None:
        return
    state = attempt_rows.move(
        ctx.store, attempt, AttemptEvent.STOPPED, finished_ms=ctx.stamp_ms, reason=reason
    )
    placing.free(ctx, attempt)
    ctx.emit(
        e.AttemptEnded(attempt.id, attempt.task, attempt.run, attempt.agent, state, attempt.exit_code)
    )
