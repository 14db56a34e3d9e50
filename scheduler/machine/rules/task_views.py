"""What the gates of a task look at, of one that was not queued yet. Read, and nothing written."""

from __future__ import annotations

from scheduler.machine.rules import selectors
from scheduler.machine.rules.conditions import Condition
from scheduler.machine.rules.gates.views import Enclosing, Outside, Share, TaskView
from scheduler.machine.rules.graphs import Graph
from scheduler.model.members import OUTPUT
from scheduler.store.connection import Store
from scheduler.store.tables import agents, rounds
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.fanouts import Fanout
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task


def of_place(
    store: Store, run: Run, graph: Graph, place: int, open_needs: int, met_needs: int, *, held: bool = False
) -> TaskView:
    """Of the task at this place of the graph, in its newest round."""
    task = graph.job.tasks[place]
    return TaskView(
        run, task.rule, len(task.needs), task.wanted, open_needs, met_needs,
        Condition(store, run, task.when, graph.job.times) if task.when else None,
        held,
        run.keeps(run.first_task + place),
        _enclosing(store, run, graph, place) if task.scope.group else None,
        _outside(store, run, graph, place) if task.scope.group else None,
        is_check=place < graph.job.checks,
        waits_all=task.fanout is not None and task.fanout.over == OUTPUT,
    )  # fmt: skip


def of_member(
    store: Store, run: Run, graph: Graph, task: Task, now: Fanout, now_ms: int, *, held: bool = False
) -> TaskView:
    """Of one that needs nothing but its turn."""
    fanout = graph.of(run, task).fanout
    assert fanout is not None
    had_turn = task.queued_ms is not None
    away = task.member if fanout.is_picky and not had_turn and is_away(store, task) else ""
    share = Share(task.name, had_turn, fanout.parallel_max, now.going, now.open_ms, now_ms, away)
    outside = _outside(store, run, graph, graph.place(run, task))
    return TaskView(run, "", 0, 0, 0, 0, held=held, outside=outside, share=share)


def is_away(store: Store, member: Task) -> bool:
    """Whether its agent is, of a member that is one: it may be known no more."""
    agent = selectors.parse(member.selector).agent
    row = agents.get(store, agent) if agent else None
    return bool(agent) and (row is None or not row.node)


def _enclosing(store: Store, run: Run, graph: Graph, place: int) -> Enclosing:
    scope, group = graph.job.tasks[place].scope, run.first_task + graph.box_of[place]
    row = task_rows.get(store, group)
    assert row is not None, "a group is made before what is inside"
    now = rounds.get(store, group) if row.state == "active" else None
    is_open = now is not None and now.catching == scope.is_catch
    return Enclosing(scope.group, row.state, scope.is_catch, is_open)


def _outside(store: Store, run: Run, graph: Graph, place: int) -> Outside | None:
    """Whether the group of the task at this place is outside of its windows, as was last seen."""
    box = graph.boxes.get(graph.box_of.get(place, -1))
    if box is None or box.group.admission is None:
        return None
    now = rounds.get(store, run.first_task + box.group.place)
    is_outside = now is not None and now.closed
    return Outside(graph.job.tasks[place].scope.group, now.window_ms) if now and is_outside else None
