"""Somebody outside says how an attempt ended, or how far it is. Whether that counts is `rules.completing`;
what follows from the end is what follows from any (`steps.ends`)."""

from __future__ import annotations

from functools import partial

from scheduler.machine.context import OK, Context, done, refused
from scheduler.machine.rules import completing, meant
from scheduler.machine.rules.graphs import Graph
from scheduler.machine.steps import completing as completing_steps
from scheduler.machine.steps import ends, hearing, restoring
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import completions
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.completions import Completion
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.words import events as e
from scheduler.words.commands import CompleteTask, ReportProgress
from scheduler.words.lifecycle import AWAITING
from scheduler.words.outcomes import Code, Outcome


def complete_task(ctx: Context, command: CompleteTask) -> Outcome:
    run = run_rows.get(ctx.store, command.run)
    if run is None:
        return refused(Code.NOT_FOUND, f"no run {command.run}")
    if command.attempt:
        attempt = attempt_rows.get(ctx.store, command.attempt)
        if attempt is None or attempt.run != run.id:
            return refused(Code.NOT_FOUND, f"run {run.id} has no attempt {command.attempt}")
        row = task_rows.get(ctx.store, attempt.task)
        assert row is not None
        task: Task | Outcome = row
    else:
        task = meant.find(ctx.store, run, command.task, command.member, partial(_graph, ctx))
        if isinstance(task, Outcome):
            return task
        attempt = attempt_rows.newest_of_task(ctx.store, task.id)
    assert isinstance(task, Task)
    known = None if attempt is None else completions.get(ctx.store, attempt.id, run.id)
    said = Completion(0, run.id, outcome=command.outcome, message=command.message, outputs=command.outputs)
    compiled = _graph(ctx, run).of(run, task) if run.first_task else None
    names, bytes_max = ends.names_and_most(ctx, run, task) if compiled is not None else ((), 0)
    refusal = completing.judge(
        run, task, attempt, compiled, known, said, names, bytes_max,
        now_ms=ctx.stamp_ms, restored_ms=restoring.restored_ms(ctx),
    )  # fmt: skip
    if refusal is not None:
        return refusal
    assert attempt is not None
    assert known is not None
    if known.outcome:  # the same, once more
        return done(run=run.id, attempt=attempt.id, outcome=known.outcome)
    name = f"{task.name}/{task.member}" if task.member else task.name
    ctx.changed(
        "task", run.namespace, f"{run.name}/{name}", task.state, command.outcome, run=run.id,
        reason=command.message,
    )  # fmt: skip
    known = known._replace(
        outcome=command.outcome, message=command.message, outputs=completing.canonical(command.outputs),
        actor=command.actor.name, answered_ms=ctx.stamp_ms,
    )  # fmt: skip
    completions.put(ctx.store, known)
    ctx.emit(
        e.AttemptCompleted(
            attempt.id, task.id, run.id, run.namespace, run.name, task.name, task.member, known.outcome,
            known.actor,
        )
    )  # fmt: skip
    if attempt.state == AWAITING:
        ctx.has_end = False
        completing_steps.end(ctx, run, task, attempt, known)
        if ctx.has_end:
            hearing.hear_soon(ctx)
    return done(run=run.id, attempt=attempt.id, outcome=known.outcome)


def report_progress(ctx: Context, command: ReportProgress) -> Outcome:
    run, attempt = run_rows.get(ctx.store, command.run), attempt_rows.get(ctx.store, command.attempt)
    if run is None or attempt is None or attempt.run != run.id:
        return refused(Code.NOT_FOUND, f"run {command.run} has no attempt {command.attempt}")
    task = task_rows.get(ctx.store, attempt.task)
    assert task is not None
    if not 0 <= (command.percent or 0) <= 100 or len(command.text) > completing.TEXT_LETTERS_MAX:
        most = completing.TEXT_LETTERS_MAX
        return refused(Code.INVALID, f"percent is 0 to 100, a text has at most {most} letters")
    compiled = _graph(ctx, run).of(run, task) if run.first_task else None
    known = completions.get(ctx.store, attempt.id, run.id)
    refusal = completing.open_to(run, task, attempt, compiled) or completing.too_soon(
        known, command.percent, command.text, ctx.stamp_ms
    )
    if refusal is not None:
        return refusal
    if (known.percent, known.doing) == (command.percent, command.text):
        return OK
    completions.put(
        ctx.store, known._replace(percent=command.percent, doing=command.text, told_ms=ctx.stamp_ms)
    )
    ctx.emit(e.AttemptProgressed(attempt.id, task.id, run.id, command.percent, command.text))
    return OK


def _graph(ctx: Context, run: Run) -> Graph:
    return ctx.graph(run.job, run.namespace, run.name, run.revision)
