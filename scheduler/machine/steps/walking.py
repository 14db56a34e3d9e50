"""One act on all tasks of a run, page by page (`Context.room`; what is left is for a Continue).

The room that the commands of a frame share is taken by each task that is made, changed or told. What finds no
room is left in the state (`runs.unmade`, `runs.walk`, the table `tells`) and marked (`runs.unfinished`)."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple

from scheduler.machine.context import ROW, Context
from scheduler.machine.rules import walks
from scheduler.machine.rules.graphs import Graph
from scheduler.store.tables import fanouts, rounds
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables import tells as tell_rows
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.store.tables.tells import Tell
from scheduler.words.lifecycle import TASK_ENDS


class Page(NamedTuple):
    ended: list[Tell]  #: the tasks that the act ended
    members: list[tuple[Task, str]]  #: members among them, as they were, and how they ended
    walked: int  #: the last one that was looked at, where more may follow; 0: the walk is over


def note(ctx: Context, run: Run) -> None:
    """Store how far the run's work has come."""
    unfinished = bool(run.unmade or run.walk or tell_rows.any_of(ctx.store, run.id))
    run_rows.set_progress(
        ctx.store, run.id, unmade=run.unmade, walk=run.walk, walked=run.walked, unfinished=int(unfinished)
    )


def note_if_over(ctx: Context, run_id: int) -> None:
    """The last of its tasks were made: where all others had ended before, no end of one lets it go on."""
    run = run_rows.get(ctx.store, run_id)
    if run is not None and run.finished_ms is None and run.open_tasks <= run.kept_last and not run.unfinished:
        run_rows.set_unfinished(ctx.store, run_id)


def begin(
    ctx: Context, run: Run, act: str, go_on: Callable[[Context, Run], None], *, after: int = 0
) -> None:
    """Do this to all tasks of the run, or those after one: now, as far as there is room. `go_on` does a page
    of it."""
    first = run.first_task - 1 if run.first_task else 0
    run = run._replace(walk=act, walked=max(first, after))
    if run.unmade or ctx.room < ROW:
        note(ctx, run)
    else:
        go_on(ctx, run)


def begin_anew(ctx: Context, run: Run, act: str, go_on: Callable[..., None]) -> None:
    """The same in place of a walk that may be under way, unless that ends what it comes to. `go_on` is told
    whether the run's row says that one is (`begun`)."""
    if run.walk not in walks.ENDING:
        begun = bool(run.walk)
        begin(ctx, run, act, lambda ctx, run: go_on(ctx, run, begun=begun))


def page(ctx: Context, run: Run, act: Callable[[Task], str]) -> Page:
    """The next tasks that have not ended, as many as there is room for. The act says how each ended by it,
    empty: it did not."""
    limit = max(1, ctx.room // ROW)
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision) if run.first_task else None
    found = _following(ctx, run, graph, limit)
    ended: list[Tell] = []
    members: list[tuple[Task, str]] = []
    for task in found:
        ctx.room -= ROW
        state = "" if task.state in TASK_ENDS else act(task)
        if state and task.member:
            members.append((task, state))
        elif state and graph is not None:
            ended.append(Tell(graph.place(run, task), state, 0))
    return Page(ended, members, found[-1].id if len(found) == limit else 0)


def _following(ctx: Context, run: Run, graph: Graph | None, limit: int) -> list[Task]:
    """Tasks behind the one that was looked at last: those that were made with the run, then members, and
    those of further rounds of its groups, of each the newest. Others have ended."""
    found = task_rows.of_run_after(ctx.store, run.id, run.walked, run.last_task, limit)
    if graph is None or not (graph.boxes or graph.divided) or len(found) == limit:
        return found
    later = [each.ids for each in fanouts.of_run(ctx.store, run.id)] if graph.divided else []
    for each in rounds.of_run(ctx.store, run.id) if graph.boxes else ():
        box = graph.boxes[each.task - run.first_task]
        later.append(range(each.first_task, each.first_task + box.end - box.first))
    for ids in sorted(later, key=lambda ids: ids.start):
        after, last = max(run.walked, ids.start - 1), ids.stop - 1
        if run.last_task < ids.start and after < last and len(found) < limit:
            found += task_rows.of_run_after(ctx.store, run.id, after, last, limit - len(found))
    return found


def leave(ctx: Context, run: Run, left: list[Tell], *, known: int = 0) -> None:
    """Tasks that end, and groups that begin, as the run begins: a Continue tells their dependents, and ends a
    run of nothing else. At once, the end of one run could let the next begin, and that the one after it.
    `known`: how many more had ended before, as their dependents know."""
    if not left and not known:
        return
    now = run_rows.get(ctx.store, run.id)  # the caller's row may be older than the start of another task
    assert now is not None
    for tell in left:
        tell_rows.put(ctx.store, run.id, tell)
    ended = sum(tell.state in TASK_ENDS for tell in left)
    run_rows.set_open_tasks(ctx.store, run.id, now.open_tasks - ended - known)
    is_over = now.open_tasks - ended - known <= now.kept_last  # what it does finally begins, or it ends
    if (left or is_over) and not now.unfinished:
        run_rows.set_unfinished(ctx.store, run.id)


def note_page(ctx: Context, run: Run, page: Page, *, begun: bool) -> None:
    """Store how far the walk has come. `begun`: the run's row says that it is under way."""
    if page.walked:
        note(ctx, run._replace(walked=page.walked))
    elif begun:
        note(ctx, run._replace(walk=""))
