"""The row of a task, as it is made: with its run, or with another round of its group."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules import selectors
from scheduler.machine.rules.graphs import Graph
from scheduler.machine.steps import locking, placing
from scheduler.model.locks import room_in
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import FIRST, ONLY, Task
from scheduler.words.causes import Kind
from scheduler.words.lifecycle import START, TASK, TaskEvent

BORN_ENDED = (TaskEvent.SKIPPED, TaskEvent.SUCCEEDED)


def selector_of(ctx: Context, run: Run, graph: Graph, place: int, *, is_later: bool) -> str:
    """Which agents may take it. `is_later`: tasks that were made before may have been placed."""
    task = graph.job.tasks[place]
    selector = graph.selectors[task.name]
    if run.bound and task.happens == "agent" and placing.is_for(ctx, run.bound, selector):
        selector = selectors.bound(selector, run.bound)
    if task.happens == "agent":
        selector = _enclosed(run, graph, place, selector)
    return locking.as_it_is(ctx, run.id, selector) if is_later else selector


def _enclosed(run: Run, graph: Graph, place: int, selector: str) -> str:
    """The same where its group says something, or runs above may hold what it takes."""
    box = graph.boxes[graph.box_of[place]] if graph.boxes and place in graph.box_of else None
    if box is not None and box.group.says_where:
        of = run.first_task + box.group.place
        rooms = (room_in(of, box.group.parallel_max),) if box.group.parallel_max else ()
        return selectors.of_run(selector, run.id, of, rooms, box.asks)
    if run.cause == Kind.NESTED and selectors.has_locks(selector):
        return selectors.of_run(selector, run.id)
    return selector


def group_of(run: Run, graph: Graph, place: int) -> int:
    """The task that is the group of what stands there; 0: none is."""
    of = graph.box_of.get(place) if graph.boxes else None
    return 0 if of is None else run.first_task + of


def make(
    ctx: Context, run: Run, graph: Graph, place: int, event: TaskEvent, *,
    task: int, selector: str, rank_ms: int, round: int = FIRST, attempts: int = 0, reason: str = "",
    member: str = ONLY, of: int = 0, exit_code: int | None = None,
) -> Task:  # fmt: skip
    """With this id, as the event that it begins with says. `of`: the whole, of a member."""
    compiled = graph.job.tasks[place]
    row = Task(
        id=task, run=run.id, name=compiled.name, member=member, round=round,
        state=TASK.after(START, event), attempts=attempts,
        open_needs=0 if of else len(compiled.needs) + len(compiled.asks), met_needs=0,
        may_fail=int(compiled.allow_failure),
        queued_ms=ctx.stamp_ms if event in (TaskEvent.READY, TaskEvent.PLACED) else None, wake_ms=None,
        selector=selector, rank_ms=rank_ms, started_ms=None,
        finished_ms=ctx.stamp_ms if event in BORN_ENDED else None, exit_code=exit_code, reason=reason,
        of_group=of or group_of(run, graph, place),
    )  # fmt: skip
    task_rows.insert(ctx.store, row)
    return row
