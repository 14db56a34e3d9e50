"""What the gates of a task look at, of one that was not queued yet. Read, and nothing written."""

from __future__ import annotations

from scheduler.machine.rules.conditions import Condition
from scheduler.machine.rules.gates.views import Enclosing, TaskView
from scheduler.machine.rules.graphs import Graph
from scheduler.store.connection import Store
from scheduler.store.tables import rounds
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.runs import Run


def of_place(
    store: Store, run: Run, graph: Graph, place: int, open_needs: int, met_needs: int, *, held: bool = False
) -> TaskView:
    """Of the task at this place of the graph, in its newest round."""
    task = graph.job.tasks[place]
    return TaskView(
        run, task.rule, len(task.needs), task.wanted, open_needs, met_needs,
        Condition(store, run, task.when) if task.when else None,
        held,
        run.keeps(run.first_task + place),
        _enclosing(store, run, graph, place) if task.scope.group else None,
    )  # fmt: skip


def _enclosing(store: Store, run: Run, graph: Graph, place: int) -> Enclosing:
    scope, group = graph.job.tasks[place].scope, run.first_task + graph.box_of[place]
    row = task_rows.get(store, group)
    assert row is not None, "a group is made before what is inside"
    now = rounds.get(store, group) if row.state == "active" else None
    return Enclosing(
        scope.group, row.state, scope.is_catch, now is not None and now.catching == scope.is_catch
    )
