"""What the end of a run means for past instants: the ledger keeps it when the run is gone, and a backfill
goes on.

Rules of this file:

1. The entry of a tick says that it ran. Of its run nothing more is written where it ends well; any other end
   is a result (`words.causes`). So most ticks cost one entry, and what ran and has no result went well.
2. What repeats a tick's run, and a person's verdict over one, are results whatever they say.
3. A run of a backfill ends in one entry of its own kind: nothing is decided by it, and no tick is told of.
"""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.store.tables import backfills
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.backfills import CANCELLED, DONE, GOING, Backfill
from scheduler.store.tables.runs import Run
from scheduler.words import events as e
from scheduler.words.causes import TICKS, Cause, Kind, backfilled, result_key

REPEATED_MAX = 100
"""Reruns of reruns that are followed to the run of the tick."""


def note_end(ctx: Context, run: Run, state: str) -> None:
    """A run that is of an instant has ended, and its tick is decided."""
    if run.cause == Kind.BACKFILL:
        _write(ctx, run, Cause(Kind.BACKFILL, run.cause_key, 0, run.tick_ms), state)
        _count(ctx, run, state)
    elif run.cause == Kind.RERUN or (run.cause in TICKS and state != "succeeded" and _ran(run)):
        note_result(ctx, run, state)


def note_result(ctx: Context, run: Run, state: str) -> None:
    """How an instant stands by this run, where it is of one."""
    if run.tick_ms is None:
        return
    instant = _instant_of(ctx, run)
    if instant:
        key = result_key(instant, ctx.state.ledger_seq + 1)
        _write(ctx, run, Cause(Kind.RESULT, key, 0, run.tick_ms), state)


def _ran(run: Run) -> bool:
    """Whether the entry of its tick says so: where none was written before its end, it did not."""
    return run.decided == 1


def _instant_of(ctx: Context, run: Run) -> str:
    """Empty: nobody can tell any more which trigger's it was."""
    source: Run | None = run
    for _ in range(REPEATED_MAX):
        if source is None or source.cause != Kind.RERUN:
            break
        source = run_rows.get(ctx.store, int(source.cause_key.partition("/")[0]))
    if source is None:
        return ""
    if source.cause == Kind.BACKFILL:
        return backfilled(source.cause_key)
    key = trigger_rows.key_of(ctx.store, source.trigger) if source.cause in TICKS else ""
    return f"{key}/{run.tick_ms}" if key else ""


def _write(ctx: Context, run: Run, cause: Cause, state: str) -> None:
    at_ms = run.tick_ms or 0
    ctx.write_ledger(
        job=run.job, cause=cause, first_ms=at_ms, last_ms=at_ms, count=1, outcome="ran", reason=state,
        run=run.id,
    )  # fmt: skip


def _count(ctx: Context, run: Run, state: str) -> None:
    row = backfills.get(ctx.store, int(run.cause_key.rpartition("/")[2]))
    if row is None:
        return
    active = row.active - 1
    goes_on = row.state == GOING and row.at_ms < row.to_ms
    row = backfills.change(
        ctx.store, row, active=active, succeeded=row.succeeded + (state == "succeeded"),
        wake_ms=ctx.stamp_ms if goes_on else None,
    )  # fmt: skip
    ctx.emit(e.BackfillMoved(row.id, row.job, row.namespace, row.name, run.id, state))
    finish_if_over(ctx, row)


def finish_if_over(ctx: Context, row: Backfill) -> None:
    if row.state == GOING and row.at_ms >= row.to_ms and row.active <= 0:
        finish(ctx, row, DONE, "")


def finish(ctx: Context, row: Backfill, state: str, why: str) -> None:
    row = backfills.change(ctx.store, row, state=state, why=why, ended_ms=ctx.stamp_ms, wake_ms=None)
    ctx.emit(e.BackfillEnded(row.id, row.job, row.namespace, row.name, state, why))


def end_of_job(ctx: Context, job: int) -> None:
    """The job is deleted: nothing more is made for it."""
    for row in backfills.going(ctx.store, job, backfills.GOING_MAX):
        finish(ctx, row, CANCELLED, "the job was deleted")
