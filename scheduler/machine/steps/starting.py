"""A run is made with its tasks, and begins with its first grant.

A run is pinned to a revision. Its tasks are made with it, of very many the later ones by a Continue."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules import gates
from scheduler.machine.rules.gates import READY, TaskView
from scheduler.machine.rules.graphs import Graph
from scheduler.machine.steps import decisions, placing, queue
from scheduler.store import jobs as job_rows
from scheduler.store import runs as run_rows
from scheduler.store import tasks as task_rows
from scheduler.store.runs import Run
from scheduler.store.tasks import FIRST, ONLY, Task
from scheduler.words import events as e
from scheduler.words.causes import Kind
from scheduler.words.lifecycle import RUN, START, TASK, step


def create(
    ctx: Context,
    graph: Graph,
    *,
    job: int,
    namespace: str,
    name: str,
    revision: int,
    due_ms: int,
    cause: Kind,
    trigger: int = 0,
    tick_ms: int | None = None,
    deadline_ms: int | None = None,
    params: str = "{}",
    actor: str = "",
    waiting: bool = False,
    agent: int = 0,
) -> int:
    """Make a run with its tasks; the single root goes to `agent` when that can take it. Returns the run's
    id.
    """
    state = ctx.state
    state.last_run += 1
    run = state.last_run
    compiled = graph.job
    total = len(compiled.tasks)
    made = ctx.take_rows(total, least=1)
    row = Run(
        id=run, job=job, namespace=namespace, name=name, revision=revision, trigger=trigger, tick_ms=tick_ms,
        due_ms=due_ms, cause=cause.value, state=step(RUN, START, "pending"),
        decided=1 if tick_ms is None else 0, waiting=1 if waiting else 0, open_tasks=total,
        first_task=state.last_task + 1, last_task=state.last_task + total,
        unmade=total - made, walk="", walked=0, unfinished=int(made < total),
        stopping="", created_ms=state.stamp_ms, started_ms=None, finished_ms=None,
        deadline_ms=deadline_ms, stop_ms=None, exit_code=None, priority=compiled.priority,
        params=params, reason="", actor=actor,
    )  # fmt: skip
    state.last_task += total
    run_rows.insert(ctx.store, row)
    job_rows.count_run_begun(ctx.store, job)
    ctx.emit(e.RunCreated(run, job, namespace, name, row.cause, tick_ms, due_ms))
    make(ctx, row, graph, range(made), agent=agent)
    return run


def make(ctx: Context, run: Run, graph: Graph, places: range, *, agent: int = 0) -> None:
    """The tasks at these places of the graph; the single root goes to `agent` when that can take it."""
    single = graph.single_root if agent and not run.waiting else None
    rank_ms = queue.rank(ctx.stamp_ms, run.priority, run.cause)
    for place in places:
        task, task_id = graph.job.tasks[place], run.first_task + place
        selector = graph.selectors[task.name]
        placed = task is single and placing.can_take(ctx, agent, selector)
        needs = len(task.needs)
        # Of very many tasks most need others: of those one gate is closed, whatever the rest say.
        ready = not needs and gates.judge(gates.TASK, TaskView(run, task.rule, 0, 0, 0)) is READY
        task_state = step(TASK, START, "queued" if ready else "blocked")
        if placed:
            task_state = step(TASK, task_state, "active")
        task_rows.insert(
            ctx.store,
            Task(
                id=task_id, run=run.id, name=task.name, member=ONLY, round=FIRST, state=task_state,
                attempts=1 if placed else 0, open_needs=needs, met_needs=0, may_fail=int(task.allow_failure),
                queued_ms=ctx.stamp_ms if ready else None, retry_ms=None, selector=selector,
                rank_ms=rank_ms, started_ms=None, finished_ms=None, exit_code=None, reason="",
            ),
        )  # fmt: skip
        if placed:
            placing.place(ctx, task=task_id, run=run.id, number=1, agent=agent, due_ms=run.due_ms)
        elif ready:
            ctx.emit(e.TaskQueued(task_id, run.id, task.name, ONLY, FIRST))


def begin(ctx: Context, run: Run, graph: Graph, due_ms: int) -> None:
    """The first grant of the run is committed: it runs, and so its tick ran."""
    # Granted ahead of its instant, an attempt starts at that instant and not before.
    started_ms = max(ctx.stamp_ms, due_ms)
    timeout_ms = graph.job.timeout_ms
    stop_ms = None if timeout_ms is None else started_ms + timeout_ms
    run_rows.begin(
        ctx.store, run.id, state=step(RUN, run.state, "running"), started_ms=started_ms, stop_ms=stop_ms
    )
    if not run.decided:
        decisions.decide_tick_of(ctx, run, "ran", "")
    ctx.emit(e.RunStarted(run.id, run.job, run.namespace, run.name))
