"""Hands on single tasks of a live run: held, released, skipped, tried now, stopped. Whether it may be is
`rules.hands`; what follows from an end is what follows from any (`steps.ends`)."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from scheduler.machine.context import Context, done, refused
from scheduler.machine.rules import gates, hands, meant, task_views
from scheduler.machine.rules.gates import READY, Never
from scheduler.machine.rules.graphs import Graph
from scheduler.machine.steps import (
    beginning,
    ends,
    holding,
    nesting,
    placing,
    regrouping,
    spreading,
    trying,
    walking,
)
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import holds, nested
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.attempts import Attempt
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.words import events as e
from scheduler.words.commands import HoldTask, ReleaseTask, RetryTask, SkipTask, StopTask
from scheduler.words.lifecycle import AttemptEvent, TaskEvent
from scheduler.words.outcomes import Code, Outcome

Hand = HoldTask | ReleaseTask | RetryTask | SkipTask | StopTask
May = Callable[[Run, Task, str, str], Outcome | None]


class _Held(NamedTuple):
    """What a person lays hands on."""

    run: Run
    task: Task
    attempt: Attempt | None  #: that an agent has
    failed: str  #: of a held task: how it had


def hold_task(ctx: Context, command: HoldTask) -> Outcome:
    found = _of(ctx, command, hands.holding_task)
    if isinstance(found, Outcome):
        return found
    run, task = found.run, found.task
    if task.state == "held":
        return _note(ctx, command, found)
    attempts = task.attempts - _take_back(ctx, found, "held")
    holding.hold_task(ctx, run, task, actor=command.actor.name, reason=command.reason, attempts=attempts)
    return _note(ctx, command, found)


def release_task(ctx: Context, command: ReleaseTask) -> Outcome:
    found = _of(ctx, command, hands.releasing_task)
    if isinstance(found, Outcome):
        return found
    run, task = found.run, found.task
    if task.state == "held":
        holding.let_task_go(ctx, run, task, actor=command.actor.name)
        if found.failed:
            ends.finish(
                ctx, run, task, found.failed, reason=task.reason, exit_code=task.exit_code, started_ms=None
            )
        else:
            _go_on(ctx, run, task)
    return _note(ctx, command, found)


def _go_on(ctx: Context, run: Run, task: Task) -> None:
    """As its gates say now."""
    graph = _graph(ctx, run)
    if task.member:
        spreading.go_on(ctx, run, graph, task)
        return
    place = graph.place(run, task)
    view = task_views.of_place(ctx.store, run, graph, place, task.open_needs, task.met_needs)
    verdict = gates.judge(gates.TASK, view)
    if isinstance(verdict, Never):
        ends.finish(ctx, run, task, verdict.outcome, reason=verdict.reason, started_ms=None)
    elif verdict is READY:
        begun = beginning.go_on(ctx, run, graph, task, graph.job.tasks[place])
        walking.leave(ctx, run, [begun] if begun else [])
    else:
        task_rows.move(ctx.store, task, TaskEvent.HELD_UP)


def skip_task(ctx: Context, command: SkipTask) -> Outcome:
    found = _of(ctx, command, hands.skipping_task)
    if isinstance(found, Outcome):
        return found
    if command.passes and found.run.first_task:
        refusal = hands.passing_task(_graph(ctx, found.run).job, found.task.name)
        if refusal is not None:
            return refusal
    _take_back(ctx, found, "skipped")
    if found.task.state == "held":
        holding.let_task_go(ctx, found.run, found.task, actor=command.actor.name)
    told = "succeeded" if command.passes else "skipped"
    ends.finish(ctx, found.run, found.task, "skipped", told=told, reason=_by(command), started_ms=None)
    return _note(ctx, command, found)


def retry_task(ctx: Context, command: RetryTask) -> Outcome:
    found = _of(ctx, command, hands.retrying_task)
    if isinstance(found, Outcome):
        return found
    run, task = found.run, found.task
    if task.state == "held":
        holding.let_task_go(ctx, run, task, actor=command.actor.name)
    if task.state != "queued":
        trying.again(ctx, run, task)
    return _note(ctx, command, found)


def stop_task(ctx: Context, command: StopTask) -> Outcome:
    found = _of(ctx, command, hands.stopping_task)
    if isinstance(found, Outcome):
        return found
    attempt, graph = found.attempt, _graph(ctx, found.run)
    child = nested.of_task(ctx.store, found.task.id) if found.task.state == "active" else None
    if found.task.state == "active" and graph.of(found.run, found.task).fanout and not found.task.member:
        ends.stop_divided(ctx, found.run, found.task, _by(command))
    elif found.task.state == "active" and graph.of(found.run, found.task).happens == "group":
        tell = regrouping.note_stop(ctx, found.run, graph, graph.place(found.run, found.task))
        walking.leave(ctx, found.run, [tell])
    elif child is not None and child.waits:
        if not child.state and not child.asked:
            nesting.stop(ctx, found.run, found.task, child, "cancelled")
    elif attempt is None or attempt.state == "assigned":
        _take_back(ctx, found, "stopped")
        ends.finish(ctx, found.run, found.task, "cancelled", reason=_by(command), started_ms=None)
    elif attempt.state != "cancelling":
        attempt_rows.move(ctx.store, attempt, AttemptEvent.ASKED_TO_STOP)
        ctx.emit(e.AttemptCancelling(attempt.id, found.run.id, attempt.agent))
    return _note(ctx, command, found)


def _of(ctx: Context, command: Hand, may: May) -> _Held | Outcome:
    """What it is about, or why not."""
    run = run_rows.get(ctx.store, command.run)
    if run is None:
        return refused(Code.NOT_FOUND, f"no run {command.run}")
    task = meant.find(ctx.store, run, command.task, command.member, partial(_graph, ctx))
    if isinstance(task, Outcome):
        return task
    attempt = attempt_rows.live_of_task(ctx.store, task.id) if task.state == "active" else None
    hold = holds.get(ctx.store, run.id, task.id) if task.state == "held" else None
    found = _Held(run, task, attempt, hold.failed if hold is not None else "")
    state = attempt.state if attempt is not None else ""
    return hands.of_reason(command.reason) or may(run, task, state, found.failed) or found


def _graph(ctx: Context, run: Run) -> Graph:
    return ctx.graph(run.job, run.namespace, run.name, run.revision)


def _take_back(ctx: Context, found: _Held, reason: str) -> int:
    """An attempt that has no grant, which was no try; how many were."""
    if found.attempt is None or found.attempt.state != "assigned":
        return 0
    placing.revoke(ctx, found.attempt, reason)
    return 1


def _by(command: Hand) -> str:
    by = f"{_DID[type(command)]} by {command.actor.name}" if command.actor.name else _DID[type(command)]
    return f"{by}: {command.reason}" if command.reason else by


_DID: dict[type[Hand], str] = {SkipTask: "skipped", StopTask: "stopped"}


def _note(ctx: Context, command: Hand, found: _Held) -> Outcome:
    run, before = found.run, found.task
    after = task_rows.get(ctx.store, before.id)
    assert after is not None
    name = f"{before.name}/{before.member}" if before.member else before.name
    ctx.changed(
        "task", run.namespace, f"{run.name}/{name}", before.state, after.state, run=run.id,
        reason=command.reason,
    )  # fmt: skip
    return done(run=run.id, state=after.state)
