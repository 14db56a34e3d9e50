"""A run begins to wait for what it requires of other jobs and of boards (`rules.requirements`), and ends to.

Rules of this file:

1. It is judged when its instant comes (`machine.waits`): the first is now, the later are what comes of those
   jobs and boards, and the end of its patience.
2. Of a job that nobody waited for so far the ends that are kept are noted first."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.model.required import Requires
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import required, run_waits
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.run_waits import RunWait
from scheduler.store.tables.runs import FOR_REQUIRES, Run
from scheduler.words import events as e

LOOKED_MAX = 50  #: runs that wait for one job or board, in one step
LOOK_AGAIN_MS = 60_000  #: for what nobody tells of


def begin(ctx: Context, run: Run, requires: Requires, *, any_time: bool = False) -> Run:
    """Of a run that is new, or waited behind others of its job; returns it as it is then."""
    for each in requires.each:
        if each.is_job and not required.is_required(ctx.store, each.parent):
            _, namespace, name = each.parent.split("/", 2)
            row = job_rows.standing_named(ctx.store, namespace, name)
            if row is not None:
                required.note_ends_of(ctx.store, each.parent, row.job)
        if each.parent:
            required.wait(ctx.store, run.id, each.parent)
    now_ms = ctx.stamp_ms
    run_waits.put(ctx.store, RunWait(run.id, now_ms, now_ms, run.deadline_ms, any_time=int(any_time)))
    run_rows.wait_for(ctx.store, run.id, FOR_REQUIRES, deadline_ms=None)
    ctx.emit(e.RunWaits(run.id, run.job, run.namespace, run.name, now_ms))
    return run._replace(waiting=FOR_REQUIRES, deadline_ms=None)


def end(ctx: Context, run: Run, uses: tuple[int, ...]) -> None:
    """It has what it requires, or waits for it no longer; it uses these notices up."""
    for serial in uses:
        required.consume(ctx.store, serial, run.id)
    required.drop(ctx.store, run.id)
