"""A group begins, and its tasks with it: the first time with the rows that were made with the run, each
further round with new ones.

Rules of this file:

1. A group's row is that of a task whose work is what is inside: it is active from its beginning until a round
   has ended that is the last one. What waits for it, and hands of people, know no difference.
2. What is inside has ids in a row in each round: those of the run's own in the first one.
3. Of a group with very many tasks the rows of a new round are made in slices, by who is about to tell them
   that it begins: its tell is a row until then, so that a Continue goes on with it."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules import priority
from scheduler.machine.rules.graphs import Box, Graph
from scheduler.machine.steps import clock, making, windows
from scheduler.store.tables import rounds
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.rounds import Round
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import FIRST, Task
from scheduler.store.tables.tells import Tell
from scheduler.words import events as e
from scheduler.words.lifecycle import TaskEvent

BEGUN, CATCHING, STOPPED = "begun", "catching", "stopped"
"""What those inside are told of a group, beside how it ended."""
AMONG = "among"
"""The same as BEGUN or CATCHING where some had ended before: that is told to all inside, since others than
the first may have been waiting for nothing else."""


def begin(ctx: Context, run: Run, graph: Graph, task: Task) -> Tell:
    """Of a group that nothing holds up: its first round, or the next one. What its tasks are to be told."""
    place = graph.place(run, task)
    box = graph.boxes[place]
    now = first_round(ctx, run, box)
    if task.attempts:
        now = _next_round(ctx, box, now)
    if task.state == "retry_wait":
        clock.count(ctx, run, graph, -1)
    task_rows.move(
        ctx.store, task, TaskEvent.BEGUN, attempts=task.attempts + 1, open_needs=0,
        queued_ms=task.queued_ms or ctx.stamp_ms, started_ms=task.started_ms or ctx.stamp_ms, wake_ms=None,
        exit_code=None, reason="",
    )  # fmt: skip
    ctx.emit(e.RoundBegun(task.id, run.id, task.name, now.round))
    if box.group.admission is not None:
        now = windows.look_at_group(ctx, now, box.group.admission)
        if now.closed:
            ctx.emit(e.WindowEnded(task.id, run.id, task.name, now.round, now.window_ms or 0))
    return Tell(place, BEGUN if now.open_tasks == box.group.tasks else AMONG, 0)


def first_round(ctx: Context, run: Run, box: Box) -> Round:
    """Its row, or that of a later one; made with the first that asks: a person may end what is inside before
    the group begins."""
    group = box.group
    now = rounds.get(ctx.store, run.first_task + group.place)
    if now is None:
        now = Round(
            run.first_task + group.place, run.id, FIRST, run.first_task + box.first, unmade=0,
            open_tasks=group.tasks, open_catch=group.catch,
        )  # fmt: skip
        rounds.insert(ctx.store, now)
    return now


def _next_round(ctx: Context, box: Box, before: Round) -> Round:
    inside, first_task = box.end - box.first, ctx.state.last_task + 1
    ctx.state.last_task += inside
    return rounds.change(
        ctx.store, before, round=before.round + 1, first_task=first_task, unmade=inside,
        open_tasks=box.group.tasks, open_catch=box.group.catch, stopped=0, catching=0, agent=0,
    )  # fmt: skip


def make_more(ctx: Context, run: Run, graph: Graph, place: int) -> int:
    """Rows of the newest round of the group at this place, as many as there is room for. How many."""
    now = rounds.get(ctx.store, run.first_task + place)
    if now is None or not now.unmade:
        return 0
    box = graph.boxes[place]
    made = ctx.take_rows(now.unmade, least=1)
    rank_ms = priority.rank(ctx.stamp_ms, run.priority, run.cause)
    for at in range(box.end - now.unmade, box.end - now.unmade + made):
        making.make(
            ctx, run, graph, at, TaskEvent.HELD_UP, task=now.first_task + at - box.first,
            selector=making.selector_of(ctx, run, graph, at, is_later=True), rank_ms=rank_ms,
            round=now.round,
        )  # fmt: skip
    rounds.change(ctx.store, now, unmade=now.unmade - made)
    return made


def is_made(ctx: Context, run: Run, place: int) -> bool:
    now = rounds.get(ctx.store, run.first_task + place)
    return now is None or not now.unmade


def newest(ctx: Context, run: Run, graph: Graph, place: int) -> int:
    """The id of the task at this place, in its newest round."""
    of = graph.box_of.get(place)
    now = None if of is None else rounds.get(ctx.store, run.first_task + of)
    return run.first_task + place if of is None or now is None else now.first_task + place - of - 1
