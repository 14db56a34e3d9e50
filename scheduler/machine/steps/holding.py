"""A run is kept back by a person, and goes on.

Rules of this file:

1. Of a run that is kept back (held, suspended) nothing starts: no attempt is granted. What has a grant goes
   on, as work in the state does that has begun, and their ends count.
2. What waits for an agent leaves the queue (the walk KEEP_BACK), so that no plan looks at it again and again;
   what becomes ready is not queued (`gates.suspended`). Going on is the walk ADMIT: it queues what is ready.
3. Start deadline and timeout stand still meanwhile. A pause beside it is not counted twice."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules import periods, walks
from scheduler.machine.rules.graphs import Graph
from scheduler.machine.steps import admitting, clock, notifying, placing, walking, windows
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import holds, pauses
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.holds import Hold
from scheduler.store.tables.runs import FOR_REQUIRES, FOR_TIME, Run
from scheduler.store.tables.tasks import Task
from scheduler.words import events as e
from scheduler.words.lifecycle import KEPT_BACK, RunEvent, TaskEvent

TAKEN_BACK = "its run is suspended"


def suspend(ctx: Context, run: Run, *, actor: str, reason: str) -> None:
    """One that is pending or running."""
    before = holds.get(ctx.store, run.id)
    kept_ms = 0 if before is None else before.kept_ms
    note(ctx, run, actor=actor, reason=reason, deadline_ms=run.deadline_ms, kept_ms=kept_ms)
    run_rows.move(ctx.store, run, RunEvent.SUSPENDED, deadline_ms=None)
    run = _now(ctx, run)
    ctx.emit(e.RunHeld(run.id, run.job, run.namespace, run.name, run.state, reason, actor))
    notifying.tell_held(ctx, run, task="", actor=actor, reason=reason)
    clock.turn(ctx, run, ctx.graph(run.job, run.namespace, run.name, run.revision))
    _walk(ctx, run, walks.KEEP_BACK)


def note(
    ctx: Context, run: Run, *, actor: str, reason: str, deadline_ms: int | None = None, kept_ms: int = 0
) -> None:
    """Who keeps it back, from now on."""
    long_ms = _long_ms(ctx, run)
    hold = Hold(
        run.id, holds.WHOLE, ctx.stamp_ms, actor, reason, deadline_ms, kept_ms=kept_ms, long_ms=long_ms
    )
    holds.put(ctx.store, hold)


def _long_ms(ctx: Context, run: Run) -> int | None:
    period_ms = periods.of(ctx.store, run, ctx.stamp_ms)
    return None if period_ms is None else ctx.stamp_ms + period_ms


def explain(ctx: Context, run: Run, *, actor: str, reason: str) -> None:
    """One that is suspended already: somebody says why, or why it goes on to be."""
    hold = holds.get(ctx.store, run.id)
    if hold is not None:
        holds.put(ctx.store, hold._replace(actor=actor, reason=reason))
    ctx.emit(e.RunHeld(run.id, run.job, run.namespace, run.name, run.state, reason, actor))


def let_go(ctx: Context, run: Run, *, actor: str, walk: bool = True) -> Run:
    """One that is held or suspended; returns it as it is then. `walk`: what is ready is queued."""
    event = RunEvent.RELEASED if run.started_ms is None else RunEvent.RESUMED
    run_rows.move(ctx.store, run, event, deadline_ms=_deadline(ctx, run))
    run = _now(ctx, run)
    ctx.emit(e.RunReleased(run.id, run.job, run.namespace, run.name, run.state, actor))
    clock.turn(ctx, run, ctx.graph(run.job, run.namespace, run.name, run.revision))
    if run.waiting in (FOR_TIME, FOR_REQUIRES):
        windows.keep_deadline(ctx, run)
    if walk and run.waiting in (0, FOR_REQUIRES):
        _walk(ctx, run, walks.ADMIT)
    return run


def _now(ctx: Context, run: Run) -> Run:
    row = run_rows.get(ctx.store, run.id)
    assert row is not None
    return row


def _deadline(ctx: Context, run: Run) -> int | None:
    """Its start deadline, later by what the hold took; None: it has none, or has begun."""
    hold = holds.get(ctx.store, run.id)
    if hold is None or hold.since_ms is None or hold.deadline_ms is None or run.started_ms is not None:
        holds.drop(ctx.store, run.id)
        return None
    held_ms = ctx.stamp_ms - hold.since_ms
    paused_ms = 0
    if ctx.state.paused_through_ms > hold.since_ms:
        paused_ms = pauses.kept_back_ms(ctx.store, run.namespace, hold.since_ms, ctx.stamp_ms)
    kept_ms = hold.kept_ms + held_ms - paused_ms
    holds.put(ctx.store, hold._replace(since_ms=None, deadline_ms=None, kept_ms=kept_ms, long_ms=None))
    return hold.deadline_ms + held_ms


def take_back(ctx: Context, run: Run) -> None:
    """It waits, and has not started: what of it waits for an agent leaves the queue."""
    _walk(ctx, run, walks.KEEP_BACK)


def _walk(ctx: Context, run: Run, act: str) -> None:
    walking.begin_anew(ctx, run, act, go_on if act == walks.KEEP_BACK else admitting.go_on)


def go_on(ctx: Context, run: Run, *, begun: bool = False) -> None:
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)

    def act(task: Task) -> str:
        if task.state == "queued":
            put_back(ctx, run, graph, task, attempts=task.attempts)
        elif task.state == "active" and task.wake_ms is None:
            attempt = attempt_rows.live_of_task(ctx.store, task.id)
            if attempt is not None and attempt.state == "assigned":
                placing.revoke(ctx, attempt, TAKEN_BACK if run.state in KEPT_BACK else "its run waits again")
                put_back(ctx, run, graph, task, attempts=task.attempts - 1)
        return ""

    walking.note_page(ctx, run, walking.page(ctx, run, act), begun=begun)


def hold_task(
    ctx: Context, run: Run, task: Task, *, actor: str, reason: str, failed: str = "", attempts: int,
    exit_code: int | None = None,
) -> None:  # fmt: skip
    """A task without an attempt waits for a person. `failed`: how it had ended; `attempts`: made so far."""
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
    if task.state == "blocked":
        task_rows.move(ctx.store, task, TaskEvent.HELD)
    else:  # it needs nothing any more
        needs, moved = len(graph.of(run, task).needs), clock.moves(graph, run, task)
        task_rows.move(
            ctx.store, task, TaskEvent.HELD, attempts=attempts, open_needs=0, met_needs=needs, wake_ms=None,
            exit_code=exit_code, reason=reason if failed else task.reason,
        )  # fmt: skip
        clock.count(ctx, run, graph, -int(moved))
    long_ms = None if task.member else _long_ms(ctx, run)  # of very many members each would tell it
    holds.put(ctx.store, Hold(run.id, task.id, ctx.stamp_ms, actor, reason, failed=failed, long_ms=long_ms))
    ctx.emit(e.TaskHeld(task.id, run.id, task.name, task.member, task.round, failed, reason, actor))
    if not task.member:  # of very many members each would tell it
        notifying.tell_held(ctx, run, task=task.name, actor=actor, reason=reason)


def let_task_go(ctx: Context, run: Run, task: Task, *, actor: str) -> None:
    """It is held no longer; what becomes of it is the caller's."""
    holds.drop(ctx.store, run.id, task.id)
    ctx.emit(e.TaskReleased(task.id, run.id, task.name, task.member, task.round, actor))


def drop(ctx: Context, task: Task) -> None:
    """It is to end: nobody keeps it back any more."""
    if task.state == "held":
        holds.drop(ctx.store, task.run, task.id)


def put_back(ctx: Context, run: Run, graph: Graph, task: Task, *, attempts: int) -> None:
    """A task that needs nothing any more, and has no attempt, waits with its run."""
    needs = len(graph.of(run, task).needs)
    task_rows.move(
        ctx.store, task, TaskEvent.KEPT_BACK, attempts=attempts, open_needs=0, met_needs=needs, wake_ms=None
    )
    clock.count(ctx, run, graph, -1)
