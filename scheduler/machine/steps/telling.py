"""Dependents are told of the tasks that ended, and become ready or are skipped.

Rules of this file:

1. A task becomes ready by its rule over the tasks that it needs (`gates.needs`). Its row counts them, so that
   an end costs as much as it has dependents; where these are many, they are told in slices.
2. A task is told when all rows of its run are there. Tells of one run may come in any order: they only count.
3. A run that stops tells nobody: its walk ends every task that has not ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

from scheduler.machine.context import CONDITION, EDGE, ROW, Context
from scheduler.machine.rules import gates
from scheduler.machine.rules.conditions import Condition
from scheduler.machine.rules.gates import READY, Never, TaskView, needs
from scheduler.machine.rules.graphs import Graph
from scheduler.machine.steps import beginning, closing
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables import tells as tell_rows
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.store.tables.tells import Tell
from scheduler.words.lifecycle import TASK_END

UNQUEUED = ("blocked", "held")
"""States of a task whose needs are still counted."""

NOT_MET = dict.fromkeys(needs.met_by_rule("", may_fail=False), 0)


def tell(ctx: Context, run: Run, graph: Graph, ended: Iterable[Tell], *, stored: bool = False) -> int:
    """Tell the dependents of tasks that ended; returns how many of them were skipped, and so ended too.
    `stored`: these tells are rows. What finds no room becomes one.
    """
    given = list(ended)
    waiting = deque(tell for tell in given if graph.dependents[tell.task - run.first_task])
    skipped = 0
    while waiting and ctx.room > 0 and not run.unmade:
        told = _gather(ctx, run, graph, waiting)
        rows = task_rows.of_ids(ctx.store, [run.first_task + place for place in sorted(told)])
        for row in rows:
            if row.state not in UNQUEUED:
                continue
            state = _judge(ctx, run, graph, row, *told[row.id - run.first_task])
            if state:
                skipped += 1
                if graph.dependents[row.id - run.first_task]:
                    waiting.append(Tell(row.id, state, 0))
    left = {tell.task: tell for tell in waiting}
    for tell in given if stored else ():
        if tell.task not in left:
            tell_rows.drop_one(ctx.store, run.id, tell.task)
        elif left[tell.task] == tell:
            del left[tell.task]
    for tell in left.values():
        tell_rows.put(ctx.store, run.id, tell)
    if left and not run.unfinished:
        run_rows.set_unfinished(ctx.store, run.id)
    return skipped


def _gather(ctx: Context, run: Run, graph: Graph, waiting: deque[Tell]) -> dict[int, tuple[int, int]]:
    """Of each dependent that there is room to tell: how many of its needs ended, and how many as it asks."""
    told: dict[int, tuple[int, int]] = {}
    while waiting and ctx.room > 0:
        tell = waiting.popleft()
        place = tell.task - run.first_task
        met = needs.met_by_rule(tell.state, may_fail=graph.job.tasks[place].allow_failure)
        dependents = graph.dependents[place]
        at = tell.told
        while at < len(dependents) and ctx.room > 0:
            dependent, is_met = dependents[at], met
            at += 1
            if dependent < 0:  # its condition asks, its rule does not
                dependent, is_met = ~dependent, NOT_MET
            ctx.room -= EDGE
            known = told.get(dependent)
            if known is None:
                ctx.room -= ROW + (CONDITION if graph.job.tasks[dependent].when else 0)
                known = (0, 0)
            told[dependent] = (known[0] + 1, known[1] + is_met[graph.job.tasks[dependent].rule])
        if at < len(dependents):
            waiting.appendleft(tell._replace(told=at))
    return told


def _judge(ctx: Context, run: Run, graph: Graph, task: Task, ended: int, met: int) -> str:
    """Count the needs that ended, queue or end the task as its gates say; how it ended, empty: it did not."""
    open_needs, met_needs = task.open_needs - ended, task.met_needs + met
    compiled = graph.job.tasks[task.id - run.first_task]
    when = Condition(ctx.store, run, compiled.when) if compiled.when else None
    counts = len(compiled.needs), compiled.wanted, open_needs, met_needs
    view = TaskView(run, compiled.rule, *counts, when, task.state == "held", run.keeps(task.id))
    verdict = gates.judge(gates.TASK, view)
    if isinstance(verdict, Never):
        closing.end_task(ctx, task, TASK_END[verdict.outcome], reason=verdict.reason)
        return verdict.outcome
    if verdict is READY:
        beginning.go_on(ctx, run, graph, task, compiled)
    else:
        task_rows.set_needs(ctx.store, task.id, open_needs=open_needs, met_needs=met_needs)
    return ""
