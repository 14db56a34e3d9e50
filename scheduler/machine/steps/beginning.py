"""A run begins, and a task that nothing holds up goes on: to the queue, or its work in the state begins.

Rules of this file:

1. A run begins once: with the first grant of an attempt, or with the first work in the state. Then its cause
   ran.
2. Work in the state has no attempt: no agent, no slot, no grant. It is active until its instant
   (`tasks.wake`), or until its run stops."""

from __future__ import annotations

from scheduler.machine.context import ROW, Context
from scheduler.machine.rules import selectors
from scheduler.machine.rules.graphs import Graph
from scheduler.machine.steps import (
    asking,
    clock,
    decisions,
    expecting,
    grouping,
    placing,
    queue,
    quotas,
    spreading,
)
from scheduler.model.compiled import CompiledTask
from scheduler.model.work.kind import ASKS
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import reruns
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.store.tables.tells import Tell
from scheduler.words import events as e
from scheduler.words.causes import Kind
from scheduler.words.lifecycle import RunEvent, TaskEvent


def begin_run(
    ctx: Context, run: Run, graph: Graph, due_ms: int, began_ms: int | None = None
) -> None:
    """The run's first start is committed: it runs, and so its cause ran. `began_ms`: when that was, where the
    cluster hears of it later."""
    # Committed ahead of its instant, it starts at that instant and not before.
    started_ms = max(ctx.stamp_ms, due_ms)
    timeout_ms = graph.job.timeout_ms
    stop_ms = None if timeout_ms is None else started_ms + timeout_ms
    run_rows.move(
        ctx.store, run, RunEvent.STARTED, decided=1, started_ms=started_ms, stop_ms=stop_ms, deadline_ms=None
    )
    if run.state == "pending":
        clock.count(ctx, run, graph, 0)
    else:  # a restore brought a run back that was kept back then, and was let go later
        clock.turn(ctx, run, graph)
    if run.counts:
        quotas.begin(ctx, run, started_ms)
    if graph.job.expected is not None:
        own_ms = started_ms if began_ms is None else max(due_ms, min(began_ms, ctx.stamp_ms))
        expecting.begin(ctx, run, graph.job.expected, own_ms)
    if not run.decided:
        decisions.decide_cause_of(ctx, run, "ran", "")
    ctx.emit(e.RunStarted(run.id, run.job, run.namespace, run.name))


def go_on(ctx: Context, run: Run, graph: Graph, task: Task, compiled: CompiledTask) -> Tell | None:
    """The gates of a task that has not been queued yet are open. Of one that consists of others: what these
    are told."""
    if compiled.happens == "group":
        return grouping.begin(ctx, run, graph, task)
    if compiled.fanout is not None:
        return spreading.begin(ctx, run, graph, task)
    if compiled.happens == "state":
        begin_work(ctx, run, graph, task, compiled)
    else:
        clock.count(ctx, run, graph, 1)
        if compiled.same_as:
            _follow(ctx, run, task, compiled.same_as)
        elif _is_placed(ctx, run, task):
            return None
        queue.enqueue(ctx, run, task, TaskEvent.READY, attempts=task.attempts)
    return None


def _is_placed(ctx: Context, run: Run, task: Task) -> bool:
    """Whether it goes to the agent whose end it follows, without a turn in a queue: a round of the log less.
    What takes locks has its place among those that wait for them."""
    if ctx.room < ROW or selectors.has_locks(task.selector):
        return False
    agent = placing.goes_on(ctx)
    if not agent or not placing.may_take(ctx, run, agent, task.selector):
        return False
    if not job_rows.exists(ctx.store, run.job):  # its run is ended instead, as it would be placed
        return False
    ctx.room -= ROW
    number = task.attempts + 1
    task_rows.move(ctx.store, task, TaskEvent.PLACED, attempts=number, queued_ms=ctx.stamp_ms)
    due_ms = run.due_ms if number == 1 else ctx.stamp_ms
    placing.place(ctx, task=task.id, run=run.id, number=number, agent=agent, due_ms=due_ms)
    return True


def _follow(ctx: Context, run: Run, task: Task, other: str) -> None:
    """It goes to the agent that the other task had at last, and to no other; where that had none, to any."""
    row = task_rows.newest(ctx.store, run.id, other)
    agent = 0 if row is None else attempt_rows.last_agent(ctx.store, row.id)
    if not agent and row is not None and run.cause == Kind.RERUN:
        taken = reruns.taken(ctx.store, row.id)
        agent = 0 if taken is None else attempt_rows.last_agent(ctx.store, taken.origin)
    if agent:
        task_rows.set_selector(ctx.store, task.id, selectors.bound(task.selector, agent))


def begin_work(ctx: Context, run: Run, graph: Graph, task: Task, compiled: CompiledTask) -> None:
    """Of a task whose work happens in the state, and which is blocked or queued."""
    now = run_rows.get(ctx.store, run.id)  # the caller's row may be older than the start of another task
    assert now is not None
    if now.state == "pending":
        begin_run(ctx, now, graph, run.due_ms)
    started_ms = max(ctx.stamp_ms, run.due_ms)
    until_ms = started_ms + compiled.lasts_ms
    task_rows.move(
        ctx.store, task, TaskEvent.BEGUN, queued_ms=ctx.stamp_ms, started_ms=started_ms, wake_ms=until_ms
    )
    if compiled.waits_for_run:
        clock.count(ctx, run, graph, 1)
    if compiled.work.get("does") == ASKS:
        asking.ask(ctx, run, task, compiled.work, until_ms)
    ctx.emit(e.TaskBegun(task.id, run.id, task.name, task.member, task.round, until_ms))
