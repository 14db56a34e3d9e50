"""The tasks of a run that repeats another are made: taken over from it, left out, or anew, as its plan says
(`rules.reruns`).

Rules of this file:

1. A task that is taken over is made as it ended: with its end, its exit code, and its outputs, which are
   copied, since the other run may be purged. It tells nobody: who needs it knows it when it is made.
2. Of a divided task that is made anew, but for its members that succeeded, that is noted now: these are taken
   over when it begins, and the other run may be purged by then. Then it fails, and says so.
3. Whose it was is noted (`taken_tasks`), of one that was taken over twice the first."""

from __future__ import annotations

from scheduler.machine.context import CONDITION, ROW, Context
from scheduler.machine.rules import gates, priority, reruns, task_views
from scheduler.machine.rules.gates import READY, Never
from scheduler.machine.rules.graphs import Graph
from scheduler.machine.steps import beginning, making, spreading, walking
from scheduler.store.tables import outputs
from scheduler.store.tables import reruns as rerun_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.reruns import Rerun, Taken
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import FIRST, ONLY, Task
from scheduler.store.tables.tells import Tell
from scheduler.words.lifecycle import START, TASK, TASK_END, TaskEvent

OUTPUT_BYTES = 4 << 10  #: that take as much of the room as a row


def make(ctx: Context, run: Run, graph: Graph, places: range) -> None:
    """The tasks at these places of the graph."""
    rerun = rerun_rows.get(ctx.store, run.id)
    assert rerun is not None
    left: list[Tell] = []
    known = 0
    for place in places:
        letter = rerun.plan[place : place + 1]
        if letter == reruns.ANEW:
            row = _anew(ctx, run, graph, rerun, place, is_first=not places.start)
            is_divided = graph.job.tasks[place].fanout is not None
            if is_divided and spreading.has_members(ctx, run, graph, rerun, row):
                plan = rerun.plan[:place] + reruns.PARTLY + rerun.plan[place + 1 :]
                rerun = rerun_rows.set_plan(ctx.store, rerun, plan)
            left += _begin(ctx, run, graph, place, row)
            continue
        known += 1
        if letter == reruns.LEFT_OUT:
            _made(ctx, run, graph, place, TaskEvent.SKIPPED, reason=reruns.BEYOND, finished_ms=ctx.stamp_ms)
        else:
            _take(ctx, run, graph, rerun, place)
    walking.leave(ctx, run, left, known=known)


def _made(
    ctx: Context, run: Run, graph: Graph, place: int, event: TaskEvent, *, selector: str = "",
    reason: str = "", finished_ms: int | None = None, exit_code: int | None = None, open_needs: int = 0,
    met_needs: int = 0, warned: int = 0,
) -> Task:  # fmt: skip
    task = graph.job.tasks[place]
    row = Task(
        id=run.first_task + place, run=run.id, name=task.name, member=ONLY, round=FIRST,
        state=TASK.after(START, event), attempts=0, open_needs=open_needs, met_needs=met_needs,
        may_fail=int(task.allow_failure), queued_ms=None, wake_ms=None, selector=selector,
        rank_ms=priority.rank(ctx.stamp_ms, run.priority, run.cause), started_ms=None,
        finished_ms=finished_ms, exit_code=exit_code, reason=reason, warned=warned,
        of_group=making.group_of(run, graph, place),
    )  # fmt: skip
    task_rows.insert(ctx.store, row)
    return row


def _take(ctx: Context, run: Run, graph: Graph, rerun: Rerun, place: int) -> None:
    task = graph.job.tasks[place]
    old = task_rows.newest(ctx.store, rerun.source, task.name)
    assert old is not None, "a run that another one takes over from is not purged"
    row = _made(
        ctx, run, graph, place, TASK_END[old.state], reason=old.reason, exit_code=old.exit_code,
        finished_ms=old.finished_ms, warned=old.warned,
    )  # fmt: skip
    before = rerun_rows.taken(ctx.store, old.id)
    rerun_rows.take(ctx.store, before._replace(task=row.id) if before else Taken(row.id, old.run, old.id))
    if old.warned:
        run_rows.set_warned(ctx.store, run.id)
    text = outputs.of_task(ctx.store, old.id) if task.name in graph.job.outputs else None
    if text is not None:
        ctx.room -= ROW * (1 + len(text) // OUTPUT_BYTES)
        outputs.put(ctx.store, row.id, text)


def _anew(ctx: Context, run: Run, graph: Graph, rerun: Rerun, place: int, *, is_first: bool) -> Task:
    task = graph.job.tasks[place]
    done, met = reruns.met_before(graph, rerun, task)
    selector = making.selector_of(ctx, run, graph, place, is_later=not is_first)
    return _made(
        ctx, run, graph, place, TaskEvent.HELD_UP, selector=selector,
        open_needs=len(task.needs) + len(task.asks) - done, met_needs=met,
    )  # fmt: skip


def _begin(ctx: Context, run: Run, graph: Graph, place: int, row: Task) -> list[Tell]:
    """It goes on as its gates say. What is to be told, of one that never will, or of a group."""
    view = task_views.of_place(ctx.store, run, graph, place, row.open_needs, row.met_needs)
    if view.when is not None and not row.open_needs:
        ctx.room -= CONDITION
    verdict = gates.judge(gates.TASK, view)
    if isinstance(verdict, Never) and verdict.outcome == "skipped":
        task_rows.move(
            ctx.store, row, TaskEvent.SKIPPED, finished_ms=ctx.stamp_ms, reason=verdict.reason
        )
        return [Tell(place, "skipped", 0)]
    begun = beginning.go_on(ctx, run, graph, row, graph.job.tasks[place]) if verdict is READY else None
    return [begun] if begun else []
