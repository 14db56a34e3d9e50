"""Triggers that count from the end of the job's last run (`every: {delay}`).

Rules of this file:

1. The next instant is counted from an anchor, in the entry that ends what it counts from: the end of the
   job's last run of any cause; of what fired without a run, its own instant; else when the trigger came. The
   anchor stands in the cause, and so in the ledger: `trigger/run/instant`, run 0 where it is no run's end. Of
   one anchor a trigger fires once: after an edit it counts from none that something came of before.
2. While any run of the job goes on none is due, a lost one that nobody has resolved among them. So at most
   one is due at any time, and none stands in the way of another.
3. Nothing is caught up: what nobody could fire in time fires late, once. What ends without a run later than
   its next instant would be counts from that moment on, or a pause of a day would end in a thousand entries.
4. An edit fires nothing at once: what would be due by then counts from the edit. What was due before is not
   lost: its row stays with its era until it has fired.
"""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.store.tables import delays, ledger
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.delays import Delay
from scheduler.ticks import INSTANT_MS_MAX, delay_of
from scheduler.words.causes import Cause, Kind


def _after(anchor_ms: int, delay_ms: int) -> int:
    return min(anchor_ms + delay_ms, INSTANT_MS_MAX)


def cause_of(ctx: Context, row: Delay) -> Cause:
    key = trigger_rows.key_of(ctx.store, row.trigger)
    return Cause(Kind.DELAY, f"{key}/{row.run}/{row.anchor_ms}", row.trigger)


def begin(ctx: Context, trigger: int, job: int, spec: bytes, from_ms: int) -> None:
    """Of a trigger that is live from here on."""
    delay_ms = delay_of(spec)
    if not delay_ms:
        return  # no front of ours made it
    ctx.state.delays += 1
    at_ms = max(from_ms, ctx.stamp_ms)
    row = Delay(trigger, job, delay_ms, _after(at_ms, delay_ms), 0, at_ms)
    standing = job_rows.standing(ctx.store, job)
    if standing is not None and standing.active_runs:
        row = row._replace(due_ms=None)
    elif standing is not None and (last := run_rows.get(ctx.store, standing.last_run)) is not None:
        ended_ms = last.finished_ms or 0
        counted = row._replace(due_ms=_after(ended_ms, delay_ms), run=last.id, anchor_ms=ended_ms)
        if ended_ms + delay_ms > at_ms and not _is_spent(ctx, counted):
            row = counted
    delays.put(ctx.store, row)


def _is_spent(ctx: Context, row: Delay) -> bool:
    """Whether what counts from this has ended without a run, or is yet to fire, as of the era before."""
    cause = cause_of(ctx, row)
    left = delays.left(ctx.store, row.job)
    if any(cause_of(ctx, each).key == cause.key for each in left):
        return True
    return ledger.of_cause(ctx.store, row.job, cause.kind, cause.key) is not None


def end(ctx: Context, trigger: int, until_ms: int) -> None:
    """Its era is over; what was due by then is yet to fire."""
    row = delays.get(ctx.store, trigger)
    if row is not None and (row.due_ms is None or row.due_ms > until_ms):
        drop(ctx, trigger)


def drop(ctx: Context, trigger: int) -> None:
    delays.drop(ctx.store, trigger)
    ctx.state.delays -= 1


def hold(ctx: Context, job: int) -> None:
    """A run of the job is there."""
    for row in delays.of_job(ctx.store, job):
        if row.due_ms is not None:
            delays.put(ctx.store, row._replace(due_ms=None))


def count(ctx: Context, job: int, run: int) -> None:
    """The last run of the job has ended now."""
    for row in delays.of_job(ctx.store, job):
        due_ms = _after(ctx.stamp_ms, row.delay_ms)
        delays.put(ctx.store, row._replace(due_ms=due_ms, run=run, anchor_ms=ctx.stamp_ms))


def passed(ctx: Context, row: Delay) -> None:
    """What was due of it has ended without a run."""
    assert row.due_ms is not None
    anchor_ms = row.due_ms if row.due_ms + row.delay_ms > ctx.stamp_ms else ctx.stamp_ms
    delays.put(ctx.store, row._replace(due_ms=_after(anchor_ms, row.delay_ms), run=0, anchor_ms=anchor_ms))
