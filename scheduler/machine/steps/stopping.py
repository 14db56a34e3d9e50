"""A run is asked to stop: what has not started ends, and agents stop what has; of many tasks in slices."""

from __future__ import annotations

from collections.abc import Iterable

from scheduler.machine.context import Context
from scheduler.machine.rules import verdicts, walks
from scheduler.machine.rules.graphs import Graph
from scheduler.machine.rules.walks import GIVE_UP, LET_END, RESTORED, STOP
from scheduler.machine.steps import breaking, clock, closing, holding, joining, restoring, telling, walking
from scheduler.model.checks import is_check
from scheduler.store.tables import nested, rounds, terminated
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.words import events as e
from scheduler.words.lifecycle import KEPT_BACK, TASK_ENDS, TaskEvent

DELETED = "job deleted"


def stop(
    ctx: Context, run: Run, *, stopping: str, reason: str, walk: str = walks.STOP, at_once: bool = False
) -> None:
    """Cancel (or expire) what has not started and ask agents to stop what has; of many tasks in slices. What
    the run does finally is spared, and comes behind it; once that goes on, this is for it. `at_once`: what
    runs has no grace."""
    if at_once:
        terminated.note(ctx.store, run.id)
    if run.kept_last and run.state in KEPT_BACK and run.started_ms is not None:
        run = holding.let_go(ctx, run, actor="", walk=False)  # or that would wait for a person too
    run_rows.set_stopping(ctx.store, run.id, stopping=stopping, reason=reason)
    begin(ctx, run._replace(stopping=stopping, reason=reason, waiting=0), walk)


def in_turn(runs: Iterable[Run]) -> list[Run]:
    """Runs of a job that are all to be stopped: those that wait for others first, and of each the newest, so
    that the end of one admits none that comes next. A manual one has not waited for those before it."""
    return sorted(runs, key=lambda run: (run.decided, -run.id))


def let_end(ctx: Context, run: Run) -> None:
    """The job is no more: of a run that has begun nothing more starts, and what runs comes to its own end."""
    if run.state in KEPT_BACK:  # its timeout would stand still for ever
        run = holding.let_go(ctx, run, actor="", walk=False)
    run_rows.set_let_end(ctx.store, run.id, stopping=walks.LET_END, reason=DELETED)
    begin(ctx, run._replace(stopping=walks.LET_END, reason=DELETED), walks.LET_END)


def end_for_deletion(ctx: Context, run: Run) -> None:
    if run.state == "pending" or (run.state in KEPT_BACK and run.started_ms is None):
        stop(ctx, run, stopping="cancelled", reason=DELETED)
    else:
        let_end(ctx, run)


def begin(ctx: Context, run: Run, act: str) -> None:
    """Do this to all tasks of the run: now, as far as there is room."""
    walking.begin(ctx, run, act, go_on)


def go_on(ctx: Context, run: Run, *, begun: bool = False) -> None:
    restored_ms = restoring.restored_ms(ctx) if run.walk == GIVE_UP else 0

    graph = ctx.graph(run.job, run.namespace, run.name, run.revision) if run.first_task else None
    moved = 0

    def act(task: Task) -> str:
        nonlocal moved
        if run.walk != GIVE_UP:
            return _stop(ctx, run, task, graph)
        state = _give_up(ctx, run, graph, task, restored_ms)
        moved += bool(state) and task.state != "active"
        return state

    page = walking.page(ctx, run, act)
    left = run.open_tasks - len(page.ended) - len(page.members)
    if graph is not None:
        heard = [joining.count(ctx, run, graph, *each) for each in page.members]
        left -= sum(each.fewer for each in heard)
        if run.walk == GIVE_UP and (page.ended or heard):
            clock.count(ctx, run, graph, -moved)
            tells = [*page.ended, *(tell for each in heard for tell in each.tells)]
            left -= telling.tell(ctx, run, graph, tells)
    walking.note_page(ctx, run, page, begun=begun)
    closing.close_if_done(ctx, run, left)


def _give_up(ctx: Context, run: Run, graph: Graph | None, task: Task, restored_ms: int) -> str:
    if is_check(task.name):
        return ""  # it is asked again
    waits = task.state in ("queued", "retry_wait") or (task.state == "active" and task.wake_ms is not None)
    if not waits or (
        (task.queued_ms or 0) > restored_ms and not _began_unseen(run, graph, task, restored_ms)
    ):
        return ""
    if task.state == "active" and graph is not None and graph.is_box(run, task):
        return ""  # its members are looked at
    if task.is_awaited:
        return ""  # it ran, and may be completed still: its timeout begins anew (`rules.completing`)
    if task.state == "active" and _waits_for_run(ctx, run, task):
        return ""  # that is known, and comes to its end
    return closing.end_task(ctx, task, TaskEvent.EXPIRED, reason=RESTORED)


def _began_unseen(run: Run, graph: Graph | None, task: Task, restored_ms: int) -> bool:
    """Whether the run began by what an agent told alone, and this task with it: that may have run too."""
    if graph is None or (run.started_ms or 0) <= restored_ms:
        return False
    compiled = graph.of(run, task)
    return not (compiled.needs or compiled.asks or compiled.scope.group)


def _stop(ctx: Context, run: Run, task: Task, graph: Graph | None) -> str:
    if task.state == "active" and graph is not None and graph.is_box(run, task):
        return ""  # it ends with what it consists of (`closing`)
    if run.keeps(task.id) and verdicts.concludes(run.stopping, has_begun=run.started_ms is not None):
        return ""
    event, reason = TaskEvent.EXPIRED, run.walk
    if run.walk in (STOP, LET_END):
        event, reason = TaskEvent.CANCELLED, run.reason
    if run.walk == LET_END and _was_to_stop(ctx, task):
        return breaking.break_off(ctx, task, event, reason=reason)
    if task.state == "active" and task.wake_ms is not None and _waits_for_run(ctx, run, task):
        return ""
    return breaking.break_off(ctx, task, event, reason=reason, asks=run.walk != LET_END)


def _was_to_stop(ctx: Context, task: Task) -> bool:
    """Whether what an agent has is of a whole that failed, or of a group that was stopped: who was to ask it
    to end may not have come to it."""
    if task.state != "active" or not task.of_group:
        return False
    if task.member:
        whole = task_rows.get(ctx.store, task.of_group)
        assert whole is not None
        if whole.state in TASK_ENDS:
            return whole.state != "succeeded"
        task = whole
    now = rounds.get(ctx.store, task.of_group) if task.of_group else None
    return now is not None and now.stopped > 0 and now.round == task.round


def _waits_for_run(ctx: Context, run: Run, task: Task) -> bool:
    """It ends when the run that it waits for has: that is cancelled, or comes to its own end."""
    child = nested.of_task(ctx.store, task.id)
    if child is None or not child.waits:
        return False
    if run.walk == STOP and not child.asked:
        task_rows.set_wake(ctx.store, task.id, ctx.stamp_ms)
        ctx.emit(e.TaskDue(task.id, run.id, task.name, task.member, task.round))
    return True
