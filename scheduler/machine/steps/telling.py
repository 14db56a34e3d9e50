"""Dependents are told of the tasks that ended, and become ready or are skipped; those inside of a group are
told that it begins.

Rules of this file:

1. A task becomes ready by its rule over the tasks that it needs (`gates.needs`). Its row counts them, so that
   an end costs as much as it has dependents; where these are many, they are told in slices.
2. A task is told when all rows of its run, and of its group's round, are there. Tells of one run may come in
   any order: they only count. A group is told last of what ends inside: then nobody else is to hear of it.
3. A run that stops tells nobody: its walk ends every task that has not ended."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence

from scheduler.machine.context import CONDITION, EDGE, ROW, Context
from scheduler.machine.rules import gates, task_views
from scheduler.machine.rules.gates import READY, Never, needs
from scheduler.machine.rules.graphs import Graph
from scheduler.machine.steps import beginning, closing, grouping, joining, regrouping
from scheduler.machine.steps.grouping import AMONG, BEGUN, CATCHING, STOPPED
from scheduler.machine.steps.regrouping import Ended
from scheduler.store.tables import rounds
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables import tells as tell_rows
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.store.tables.tells import Tell
from scheduler.words.lifecycle import TASK_END, TASK_ENDS

UNQUEUED = ("blocked", "held")
"""States of a task whose needs are still counted."""

NOT_MET = dict.fromkeys(needs.met_by_rule("", may_fail=False), 0)


def tell(ctx: Context, run: Run, graph: Graph, ended: Iterable[Tell], *, stored: bool = False) -> int:
    """Tell the dependents of tasks that ended; returns how many fewer tasks of the run are open, since some
    were skipped, and so ended too, and others were made for another round. `stored`: these tells are rows.
    """
    given = list(ended)
    waiting = deque(tell for tell in given if _is_heard(graph, tell))
    fewer = 0
    while waiting and ctx.room > 0 and not run.unmade:
        if waiting[0].place < 0:
            fewer += _go_on(ctx, run, graph, waiting)
            continue
        if waiting[0].state == BEGUN and not waiting[0].told:
            fewer -= grouping.make_more(ctx, run, graph, waiting[0].place)
            if not grouping.is_made(ctx, run, waiting[0].place):
                break
        if waiting[0].state == STOPPED:
            fewer += _stop(ctx, run, graph, waiting)
            continue
        told = _gather(ctx, graph, waiting)
        for heard, also in _judged(ctx, run, graph, told):
            fewer += also
            if heard is not None:
                fewer += heard.state in TASK_ENDS
                if _is_heard(graph, heard):
                    waiting.append(heard)
    _store(ctx, run, given if stored else [], waiting)
    return fewer


def _is_heard(graph: Graph, tell: Tell) -> bool:
    """Whether there is anybody to tell: members are, of a task that is divided."""
    return tell.place < 0 or bool(graph.dependents[tell.place])


def _go_on(ctx: Context, run: Run, graph: Graph, waiting: deque[Tell]) -> int:
    """With the members of a divided task; how many fewer tasks are open."""
    heard = joining.go_on(ctx, run, graph, waiting.popleft())
    waiting.extendleft(tell for tell in heard.tells if _is_heard(graph, tell))
    return heard.fewer


def _stop(ctx: Context, run: Run, graph: Graph, waiting: deque[Tell]) -> int:
    """Do what is to be done first to a group that a person stops; how many tasks ended."""
    tell = waiting.popleft()
    more, ended = regrouping.stop_more(ctx, run, graph, tell)
    now = rounds.get(ctx.store, run.first_task + tell.place)
    is_caught = now is not None and now.catching
    heard = regrouping.count(
        ctx, run, graph, tell.place, 0 if is_caught else ended, ended if is_caught else 0
    )
    waiting.extendleft([*([heard.tell] if heard.tell else []), *more])
    is_over = heard.tell is not None and heard.tell.state in TASK_ENDS
    return ended + heard.fewer + int(is_over)


def _judged(ctx: Context, run: Run, graph: Graph, told: dict[int, tuple[int, int]]) -> Iterator[Ended]:
    """Of each task that was told, then of each group (~place) of which some ended inside: what its own
    dependents are to be told."""
    places = {grouping.newest(ctx, run, graph, place): place for place in told if place >= 0}
    for row in task_rows.of_ids(ctx.store, sorted(places)):
        place = places[row.id]
        if row.state in UNQUEUED:
            yield Ended(_judge(ctx, run, graph, place, row, *told[place]), 0)
    for place in sorted(~place for place in told if place < 0) if graph.boxes else ():
        yield regrouping.count(ctx, run, graph, place, *told[~place])


def _store(ctx: Context, run: Run, stored: Iterable[Tell], waiting: Iterable[Tell]) -> None:
    """What found no room; `stored` are rows."""
    left = {tell.place: tell for tell in waiting}
    for tell in stored:
        if tell.place not in left:
            tell_rows.drop_one(ctx.store, run.id, tell.place)
        elif left[tell.place] == tell:
            del left[tell.place]
    for tell in left.values():
        tell_rows.put(ctx.store, run.id, tell)
    if left and not run.unfinished:
        run_rows.set_unfinished(ctx.store, run.id)


def _gather(ctx: Context, graph: Graph, waiting: deque[Tell]) -> dict[int, tuple[int, int]]:
    """Of each dependent that there is room to tell, by its place: how many of its needs ended, and how many
    of them as it asks. By ~place, of a group: how many of its tasks ended, and how many that catch."""
    told: dict[int, tuple[int, int]] = {}
    first = waiting[0]  # what it needs was made; it may have nobody left to tell
    while waiting and ctx.room > 0:
        tell = waiting.popleft()
        is_own = tell.place < 0 or tell.state == STOPPED or (tell.state == BEGUN and not tell.told)
        if tell is not first and is_own:
            waiting.appendleft(tell)  # its rows may have to be made, or ended
            break
        met = needs.met_by_rule(tell.state, may_fail=graph.job.tasks[tell.place].allow_failure)
        dependents, inner, at, end = _span(graph, tell)
        while at < end and ctx.room > 0:
            dependent, is_met, counts = dependents[at], met, int(at >= inner)
            at += 1
            if dependent < 0:  # its condition asks, its rule does not
                dependent, is_met = ~dependent, NOT_MET
            compiled = graph.job.tasks[dependent]
            if graph.boxes and graph.box_of.get(tell.place) == dependent:
                dependent = ~dependent
            ctx.room -= EDGE
            known = told.get(dependent)
            if known is None:
                ctx.room -= ROW + (CONDITION if compiled.when else 0)
                known = (0, 0)
            if dependent < 0:
                caught = int(tell.place >= graph.boxes[~dependent].catch)
                told[dependent] = (known[0] + 1 - caught, known[1] + caught)
            else:
                told[dependent] = (known[0] + counts, known[1] + counts * is_met[compiled.rule])
        if at < end:
            waiting.appendleft(tell._replace(told=at))
        elif tell.state in (BEGUN, CATCHING, AMONG):
            told.setdefault(~tell.place, (0, 0))  # all inside may have ended before
    return told


def _span(graph: Graph, tell: Tell) -> tuple[Sequence[int], int, int, int]:
    """A task's dependents, how many of them are inside, and which are to be told, from one to before
    another."""
    dependents = graph.dependents[tell.place]
    box = graph.boxes.get(tell.place)
    if box is None:
        return dependents, 0, tell.told, len(dependents)
    if tell.state == BEGUN:
        return dependents, box.inner, tell.told, box.roots
    if tell.state == CATCHING:
        return dependents, box.inner, max(tell.told, box.roots), box.inner
    inside = range(box.first, box.end)
    if tell.state == AMONG:
        return inside, len(inside), tell.told, len(inside)
    heard = (*inside, *dependents[box.inner :])
    return heard, len(inside), tell.told, len(heard)


def _judge(ctx: Context, run: Run, graph: Graph, place: int, task: Task, ended: int, met: int) -> Tell | None:
    """Count the needs that ended, queue or end the task as its gates say; what its dependents are told."""
    open_needs, met_needs = task.open_needs - ended, task.met_needs + met
    held = task.state == "held"
    view = task_views.of_place(ctx.store, run, graph, place, open_needs, met_needs, held=held)
    verdict = gates.judge(gates.TASK, view)
    if isinstance(verdict, Never):
        state = closing.end_task(ctx, task, TASK_END[verdict.outcome], reason=verdict.reason)
        return Tell(place, state, 0)
    if verdict is READY:
        return beginning.go_on(ctx, run, graph, task, graph.job.tasks[place])
    task_rows.set_needs(ctx.store, task.id, open_needs=open_needs, met_needs=met_needs)
    return None
