"""What a run waits for and time brings: an admission window of its job (`rules.gates.admission`), in which it
goes on until that ends, or the end of a delay after failures (`rules.gates.failures`).

A start deadline stands still meanwhile, as under a hold of a person (`steps.holding`); what pauses and holds
took beside it is not counted twice."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.model.compiled import CompiledJob
from scheduler.model.openings import Admission, Openings
from scheduler.store.tables import holds, pauses, rounds, run_waits, zones
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.rounds import Round
from scheduler.store.tables.run_waits import RunWait
from scheduler.store.tables.runs import FOR_TIME, Run
from scheduler.store.tables.tasks import Task
from scheduler.ticks.windows import Opening
from scheduler.ticks.zones import Zone
from scheduler.words import events as e
from scheduler.words.causes import LEDGERED
from scheduler.words.lifecycle import KEPT_BACK


def zone_of(ctx: Context, openings: Openings | None) -> Zone:
    tz = "" if openings is None or openings.admission is None else openings.admission.tz
    return zones.clock(ctx.store, ctx.state.zones, tz)


def opening(ctx: Context, admission: Admission, due_ms: int) -> Opening:
    """How its windows stand when a run that is due then would start."""
    zone = zones.clock(ctx.store, ctx.state.zones, admission.tz)
    return admission.at(zone, max(due_ms, ctx.stamp_ms))


def standing(ctx: Context, job: int, compiled: CompiledJob, cause: str, due_ms: int) -> Opening | None:
    """How it stands for a run that is new, or about to go on; None: no instant concerns it."""
    if compiled.failure_delays and cause in LEDGERED:
        delayed_ms = job_rows.delayed_ms(ctx.store, job, compiled.failure_delays)[1]
        if delayed_ms > max(due_ms, ctx.stamp_ms):
            return Opening(False, delayed_ms)
    admission = None if compiled.openings is None else compiled.openings.admission
    return None if admission is None else opening(ctx, admission, due_ms)


def has_ended(ctx: Context, run: Run, openings: Openings, due_ms: int) -> bool:
    """Whether the window in which it went on is over before it starts."""
    wait = run_waits.get(ctx.store, run.id) if openings.admission is not None else None
    if wait is None or wait.at_ms > max(due_ms, ctx.stamp_ms):
        return False
    assert openings.admission is not None
    return not opening(ctx, openings.admission, due_ms).is_open


def note(ctx: Context, run: Run, opening: Opening) -> Run:
    """Of a run that is new, or that nothing of its job keeps back any more; returns it as it is then."""
    before = run_waits.get(ctx.store, run.id) or RunWait(run.id, 0)
    if opening.is_open:
        run_waits.put(ctx.store, before._replace(at_ms=opening.until_ms))
        return run
    wait = before._replace(at_ms=opening.until_ms, since_ms=ctx.stamp_ms, deadline_ms=run.deadline_ms)
    run_waits.put(ctx.store, wait)
    run_rows.wait_for(ctx.store, run.id, FOR_TIME, deadline_ms=None)
    ctx.emit(e.RunWaits(run.id, run.job, run.namespace, run.name, opening.until_ms))
    return run._replace(waiting=FOR_TIME, deadline_ms=None)


def keep_deadline(ctx: Context, run: Run) -> None:
    """A person let it go, and it still waits: the deadline that counted for the hold stands still here."""
    wait = run_waits.get(ctx.store, run.id)
    if wait is not None and run.deadline_ms is not None:
        run_waits.put(ctx.store, wait._replace(since_ms=ctx.stamp_ms, deadline_ms=run.deadline_ms))
        run_rows.set_deadline(ctx.store, run.id, None)


def let_pass(ctx: Context, run: Run, until_ms: int | None) -> Run:
    """It waits for its window no longer; the window ends then, None: no window concerns it any more. Returns
    it as it is then."""
    wait = run_waits.get(ctx.store, run.id)
    assert wait is not None
    assert wait.since_ms is not None, "who waits for a window does so since an instant"
    since_ms, now_ms = wait.since_ms, ctx.stamp_ms
    hold = holds.get(ctx.store, run.id)
    held_ms = now_ms - max(since_ms, hold.since_ms) if hold is not None and hold.since_ms is not None else 0
    paused_ms = 0
    if ctx.state.paused_through_ms > since_ms:
        paused_ms = pauses.kept_back_ms(ctx.store, run.namespace, since_ms, now_ms)
    kept_ms = wait.kept_ms + max(0, now_ms - since_ms - held_ms - paused_ms)
    deadline_ms = None if wait.deadline_ms is None else wait.deadline_ms + now_ms - since_ms
    passed = RunWait(run.id, until_ms or NEVER_MS, kept_ms=kept_ms, any_time=wait.any_time)
    run_waits.put(ctx.store, passed)
    if run.state in KEPT_BACK and hold is not None and deadline_ms is not None:  # it stands still for that
        holds.put(ctx.store, hold._replace(deadline_ms=deadline_ms - held_ms))
        deadline_ms = None
    if deadline_ms is not None:
        run_rows.set_deadline(ctx.store, run.id, deadline_ms)
    return run._replace(deadline_ms=deadline_ms)


def look_at_group(ctx: Context, now: Round, admission: Admission) -> Round:
    """Whether tasks of a group that goes on may start, and until when that is so. As it is then."""
    found = opening(ctx, admission, ctx.stamp_ms)
    return rounds.change(ctx.store, now, closed=int(not found.is_open), window_ms=found.until_ms)


def is_outside(ctx: Context, run: Run, task: Task) -> bool:
    """Whether nothing of the task's group may start now: its window may have ended before anybody looked."""
    group = task.of_group
    if task.member:
        whole = task_rows.get(ctx.store, group)
        group = 0 if whole is None else whole.of_group
    now = rounds.get(ctx.store, group) if group else None
    if now is None or now.window_ms is None:
        return False
    if now.window_ms > ctx.stamp_ms:
        return bool(now.closed)
    graph = ctx.graph(run.job, run.namespace, run.name, run.revision)
    admission = graph.boxes[group - run.first_task].group.admission
    return admission is not None and not opening(ctx, admission, ctx.stamp_ms).is_open


NEVER_MS = 1 << 62
