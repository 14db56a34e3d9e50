"""So many runs of a job are to succeed in each period (`expect: at_least`).

Rules of this file:

1. The first period that is judged is the first whole one: after the job was put, after `at_least` was
   changed, after a pause of the job ended.
2. A period is judged when it is over, by its end's first command: that of the planner, or the next success of
   the job, which counts for the period that it falls into.
3. Not judged is one in which the job, its namespace or everything was paused, whose plan date is closed, or
   that began before a restore. Of several that nobody judged in time one is told: the first that lacks.
4. Every success counts but that of a backfill: of ticks, of people, of what repeats another."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.steps import plan_dates, restoring, unmet
from scheduler.model.expected import DAY_MS, TOO_FEW, AtLeast
from scheduler.store.tables import closed_dates, namespaces, pauses, periods
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import unmet as unmet_rows
from scheduler.store.tables.jobs import Standing
from scheduler.store.tables.periods import Period

DATES_MAX = 7  #: of the longest period


def set_of(ctx: Context, job: int, namespace: str, at_least: AtLeast | None) -> None:
    """What the job as it is put wants; None: nothing."""
    now = periods.get(ctx.store, job)
    if at_least is None:
        if now is not None:
            periods.drop(ctx.store, job)
            _settle(ctx, job)
    elif now is None or (now.wanted, now.per_ms) != at_least:
        _begin(ctx, job, namespace, at_least)


def restart(ctx: Context, job: int, namespace: str) -> None:
    """It was paused for a part of the period that is under way."""
    now = periods.get(ctx.store, job)
    if now is not None:
        _begin(ctx, job, namespace, AtLeast(now.wanted, now.per_ms))


def count(ctx: Context, job: Standing) -> None:
    """A run of it succeeded."""
    now = periods.get(ctx.store, job.id)
    if now is None:
        return
    now = roll(ctx, job, now)
    if now.from_ms <= ctx.stamp_ms:
        periods.put(ctx.store, now._replace(met=now.met + 1))
        if now.met + 1 == now.wanted:
            _settle(ctx, job.id)


def roll(ctx: Context, job: Standing, now: Period) -> Period:
    """Judge what is over of it; the period that is under way."""
    if now.until_ms > ctx.stamp_ms:
        return now
    at_least = AtLeast(now.wanted, now.per_ms)
    from_ms, until_ms = _period(ctx, job.namespace, at_least, ctx.stamp_ms)
    from_ms = max(from_ms, now.until_ms)  # where the namespace's plan is another one by now
    first = now if now.met < now.wanted else now._replace(from_ms=now.until_ms, until_ms=from_ms, met=0)
    if first.from_ms < first.until_ms and not _is_excused(ctx, job, first):
        unmet.tell(
            ctx, job=job.id, namespace=job.namespace, name=job.name, revision=job.revision, what=TOO_FEW,
            part=first.from_ms, limit_ms=first.until_ms, found=first.met, wanted=now.wanted,
        )  # fmt: skip
    now = now._replace(from_ms=from_ms, until_ms=until_ms, met=0)
    periods.put(ctx.store, now)
    return now


def _begin(ctx: Context, job: int, namespace: str, at_least: AtLeast) -> None:
    _, from_ms = _period(ctx, namespace, at_least, ctx.stamp_ms)
    _, until_ms = _period(ctx, namespace, at_least, from_ms)
    periods.put(ctx.store, Period(job, at_least.wanted, at_least.per_ms, from_ms, until_ms))


def _period(ctx: Context, namespace: str, at_least: AtLeast, at_ms: int) -> tuple[int, int]:
    return at_least.period(namespaces.plan_days_of(ctx.store, namespace), at_ms)


def _is_excused(ctx: Context, job: Standing, over: Period) -> bool:
    if job.state != "active" or over.from_ms < restoring.restored_ms(ctx):
        return True
    if ctx.state.paused_through_ms > over.from_ms and pauses.kept_back_ms(
        ctx.store, job.namespace, over.from_ms, over.until_ms
    ):
        return True
    if not ctx.state.closed_dates:
        return False
    first = plan_dates.of(ctx, job.namespace, over.from_ms)
    last = plan_dates.of(ctx, job.namespace, over.until_ms - 1) if over.per_ms >= DAY_MS else first
    days = range(first, min(last, first + DATES_MAX - 1) + 1)
    return all(closed_dates.get(ctx.store, job.namespace, day) is not None for day in days)


def _settle(ctx: Context, job: int) -> None:
    for row in unmet_rows.of_job(ctx.store, job):
        if row.what == TOO_FEW:
            unmet.settle(ctx, row)


def drop(ctx: Context, job: int) -> None:
    """The job is deleted: nobody waits for anything of it."""
    periods.drop(ctx.store, job)
    for row in unmet_rows.of_job(ctx.store, job):
        unmet.settle(ctx, row)


def judge(ctx: Context, job: int, until_ms: int) -> bool:
    """Whether that period was under way until now, and is over."""
    now, row = periods.get(ctx.store, job), job_rows.standing(ctx.store, job)
    if now is None or row is None or now.until_ms != until_ms or until_ms > ctx.stamp_ms:
        return False
    roll(ctx, row, now)
    return True
