"""The tasks of a run are made.

They are made with the run (`steps.firing`), of very many the later ones by a Continue."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules import gates, priority, task_views
from scheduler.machine.rules.gates import READY, needs, when
from scheduler.machine.rules.graphs import Graph
from scheduler.machine.steps import (
    beginning,
    clock,
    grouping,
    making,
    placing,
    repeating,
    spreading,
    walking,
)
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import FIRST, ONLY
from scheduler.store.tables.tells import Tell
from scheduler.words import events as e
from scheduler.words.causes import Kind
from scheduler.words.lifecycle import TaskEvent


def make(ctx: Context, run: Run, graph: Graph, places: range, *, agent: int = 0) -> None:
    """The tasks at these places of the graph; the single root goes to `agent` when that can take it."""
    if run.cause == Kind.RERUN:
        return repeating.make(ctx, run, graph, places)
    single = graph.single_root if agent and not run.waiting else None
    rank_ms = priority.rank(ctx.stamp_ms, run.priority, run.cause)
    moving = 0
    left: list[Tell] = []
    for place in places:
        task, task_id = graph.job.tasks[place], run.first_task + place
        selector = making.selector_of(ctx, run, graph, place, is_later=places.start > 0)
        # Of very many tasks most need others: of those one gate is closed, whatever the rest say.
        waits = task.needs or task.asks or task.scope.group
        verdict = (
            needs.WAITS
            if waits
            else gates.judge(gates.TASK, task_views.of_place(ctx.store, run, graph, place, 0, 0))
        )
        ready, never = verdict is READY, verdict == when.NEVER
        placed = ready and task is single and placing.may_take(ctx, run, agent, selector)
        event = TaskEvent.PLACED if placed else TaskEvent.READY if ready else TaskEvent.HELD_UP
        if never:
            event = TaskEvent.SKIPPED
        row = making.make(
            ctx, run, graph, place, event, task=task_id, selector=selector, rank_ms=rank_ms,
            attempts=1 if placed else 0, reason=when.NEVER.reason if never else "",
        )  # fmt: skip
        if never:
            left.append(Tell(place, row.state, 0))
        if placed:
            placing.place(ctx, task=task_id, run=run.id, number=1, agent=agent, due_ms=run.due_ms)
        elif ready and task.happens == "group":
            left.append(grouping.begin(ctx, run, graph, row))
        elif ready and task.fanout is not None:
            left.append(spreading.begin(ctx, run, graph, row))
            continue
        elif ready and task.happens == "state":
            beginning.begin_work(ctx, run, graph, row, task)
        elif ready:
            ctx.emit(e.TaskQueued(task_id, run.id, task.name, ONLY, FIRST))
        moving += ready and task.happens == "agent"
    clock.count(ctx, run, graph, moving)
    walking.leave(ctx, run, left)
