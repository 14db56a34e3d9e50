"""A run is expected to start, to end, to take so long and to say something (`model.expected`).

Rules of this file:

1. What a run is to do is fixed as it is made, by its revision and by how long runs took then: no edit, purge
   or later run changes it. Limits of start and end are of what was due or came by itself (LEDGERED); how long
   it takes and what it says concerns every run.
2. Judged on the stamp, at the latest as it starts and as it ends: what holds never depends on when the
   planner looked. Nothing stops these clocks: a run that waits, is held or suspended is late all the same.
3. `end_by` is met by a success: of the run itself, or of any later one of the job but a backfill. A run that
   a person cancelled is no longer waited for.
4. Of a job that is deleted nobody waits for anything: nothing is told of what still goes on.
5. A run that its agent began alone (`steps.reserving`) began and ended when that says, not when the cluster
   heard of it; never before it was due, nor later than now.
6. Of the runs of a job that failed, ENDED_MAX at most are still watched for that."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules import limits
from scheduler.machine.steps import periods, unmet
from scheduler.model.compiled import CompiledJob
from scheduler.model.expected import (
    AT_RISK,
    LATE_END,
    LATE_START,
    LONG,
    SHORT,
    STALLED,
    TOO_FEW,
    Expected,
)
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import reservations, watches
from scheduler.store.tables import unmet as unmet_rows
from scheduler.store.tables.runs import Run
from scheduler.store.tables.watches import Watch
from scheduler.words.causes import LEDGERED, Kind

ENDED_MAX = 20


def watch(ctx: Context, run: Run, compiled: CompiledJob) -> None:
    """A run was made whose job expects something."""
    expected = compiled.expected
    if expected is None or not (expected.of_runs or expected.asks_usual):
        return
    usual_ms = limits.usual_of(ctx.store, run.job, expected)
    found = limits.NOTHING
    if run.cause in LEDGERED:
        due = limits.Due(run.namespace, run.trigger, run.tick_ms, run.due_ms, run.plan_day)
        found = limits.limits(ctx.store, expected, due, usual_ms, ctx.state.zones)
    watches.put(
        ctx.store, Watch(run.id, run.job, found.start_ms, found.risk_ms, found.end_ms, None, usual_ms, 0)
    )


def begin(ctx: Context, run: Run, expected: Expected, started_ms: int) -> None:
    """It starts, then."""
    now = watches.get(ctx.store, run.id)
    if now is None:
        if expected.longest is None:
            return
        now = Watch(run.id, run.job, None, None, None, None, None, 0)
    if now.start_ms is not None and now.start_ms < started_ms:
        _tell(ctx, run, LATE_START, now.start_ms)
    unmet.settle(ctx, unmet_rows.find(ctx.store, run.job, LATE_START, run.id, 0))
    if now.risk_ms is not None and now.risk_ms < started_ms:
        _tell_risk(ctx, run, now)
    longest_ms = None if expected.longest is None else expected.longest.of(now.usual_ms)
    long_ms = None if longest_ms is None else started_ms + longest_ms
    watches.put(ctx.store, now._replace(start_ms=None, risk_ms=None, long_ms=long_ms))


def judge(ctx: Context, run: Run) -> bool:
    """Tell what did not come by its time; whether there was something."""
    now = watches.get(ctx.store, run.id)
    if now is None or now.next_ms is None or now.next_ms > ctx.stamp_ms:
        return False
    if job_rows.standing(ctx.store, run.job) is None:
        watches.drop(ctx.store, run.id)
        return True
    stamp_ms = ctx.stamp_ms
    if now.start_ms is not None and now.start_ms <= stamp_ms:
        _tell(ctx, run, LATE_START, now.start_ms)
        now = now._replace(start_ms=None)
    if now.risk_ms is not None and now.risk_ms <= stamp_ms:
        _tell_risk(ctx, run, now)
        now = now._replace(risk_ms=None)
    if now.long_ms is not None and now.long_ms <= stamp_ms:
        _tell_long(ctx, run, now.long_ms)
        now = now._replace(long_ms=None)
    if now.end_ms is not None and now.end_ms <= stamp_ms:
        _tell(ctx, run, LATE_END, now.end_ms)
        now = now._replace(end_ms=None)
    if now.ended and now.is_idle:
        watches.drop(ctx.store, run.id)
    else:
        watches.put(ctx.store, now)
    return True


def end(ctx: Context, run: Run, state: str, expected: Expected | None) -> None:
    """It ended so, now, or before the cluster heard of it."""
    now, (started_ms, ended_ms) = watches.get(ctx.store, run.id), _own_times(ctx, run)
    if now is not None and job_rows.standing(ctx.store, run.job) is None:
        watches.drop(ctx.store, run.id)
        now = expected = None
    if now is not None:
        if now.start_ms is not None and now.start_ms < ended_ms:
            _tell(ctx, run, LATE_START, now.start_ms)
        if now.long_ms is not None and now.long_ms < ended_ms:
            _tell_long(ctx, run, now.long_ms)
        if now.end_ms is not None and now.end_ms < ended_ms:
            _tell(ctx, run, LATE_END, now.end_ms)
            now = now._replace(end_ms=None)
        goes_on = state not in ("succeeded", "cancelled") and now.end_ms is not None
        if goes_on and len(watches.ended(ctx.store, run.job, ENDED_MAX)) < ENDED_MAX:
            watches.put(ctx.store, now._replace(start_ms=None, risk_ms=None, long_ms=None, ended=1))
        else:
            watches.drop(ctx.store, run.id)
    if state == "succeeded":
        if expected is not None and expected.shortest is not None and started_ms is not None:
            least_ms = expected.shortest.of(None if now is None else now.usual_ms)
            took_ms = ended_ms - started_ms
            if least_ms is not None and took_ms < least_ms:
                _tell(ctx, run, SHORT, started_ms + least_ms, found=took_ms, wanted=least_ms)
        if run.cause != Kind.BACKFILL:
            succeed(ctx, run)
    for row in unmet_rows.of_run(ctx.store, run.id):
        if row.what != LATE_END or state in ("succeeded", "cancelled"):
            unmet.settle(ctx, row)


def succeed(ctx: Context, run: Run) -> None:
    """It succeeded, or a person says so: what earlier runs of the job left open is done."""
    for ended in watches.ended(ctx.store, run.job, ENDED_MAX):
        if ended <= run.id:
            watches.drop(ctx.store, ended)
    for row in unmet_rows.open_through(ctx.store, run.job, run.id):
        if row.what != TOO_FEW:
            unmet.settle(ctx, row)
    job = job_rows.standing(ctx.store, run.job)
    if job is not None:
        periods.count(ctx, job)


def hear(ctx: Context, run: Run, attempt: int, since_ms: int, *, silent: bool, quiet_ms: int) -> None:
    """What an agent tells of the output of an attempt that runs."""
    known = unmet_rows.find(ctx.store, run.job, STALLED, run.id, attempt)
    if not silent:
        unmet.settle(ctx, known)
    else:
        _tell(ctx, run, STALLED, since_ms + quiet_ms, part=attempt, found=0, wanted=quiet_ms)


def speak(ctx: Context, run: Run, attempt: int) -> None:
    """The attempt has ended."""
    unmet.settle(ctx, unmet_rows.find(ctx.store, run.job, STALLED, run.id, attempt))


def _tell_risk(ctx: Context, run: Run, now: Watch) -> None:
    assert now.risk_ms is not None
    assert now.end_ms is not None
    left_ms = max(0, now.end_ms - max(ctx.stamp_ms, run.due_ms))
    _tell(ctx, run, AT_RISK, now.end_ms, found=now.usual_ms or 0, wanted=left_ms)


def _tell_long(ctx: Context, run: Run, long_ms: int) -> None:
    own_ms, ended_ms = _own_times(ctx, run)
    started_ms = run.due_ms if own_ms is None else own_ms
    _tell(ctx, run, LONG, long_ms, found=max(0, ended_ms - started_ms), wanted=long_ms - started_ms)


def _own_times(ctx: Context, run: Run) -> tuple[int | None, int]:
    """When it started, and ended, if it has."""
    if not ctx.state.reserves or run.cause != Kind.TICK:
        return run.started_ms, ctx.stamp_ms
    began_ms, done_ms = reservations.own_times(ctx.store, run.id)
    started_ms = run.started_ms if began_ms is None else max(run.due_ms, min(began_ms, ctx.stamp_ms))
    return started_ms, ctx.stamp_ms if done_ms is None else max(started_ms or 0, min(done_ms, ctx.stamp_ms))


def _tell(
    ctx: Context, run: Run, what: str, limit_ms: int, *, part: int = 0, found: int = 0, wanted: int = 0
) -> None:
    unmet.tell(
        ctx, job=run.job, namespace=run.namespace, name=run.name, revision=run.revision, what=what,
        limit_ms=limit_ms, run=run.id, part=part, found=found, wanted=wanted,
    )  # fmt: skip
