"""What keeps the state bounded: finished runs and the audit by count and age, keys, fronts, sessions and
deliveries by age. In small slices, seldom. Never in the first plans of an office: what is due after a
failover comes first, and the cache is cold then (500 compiled jobs cost 0.2 s).
"""

from __future__ import annotations

from scheduler.plan.lookahead import PlanCache
from scheduler.plan.view import Outlook, View
from scheduler.store.connection import Store
from scheduler.store.tables import (
    audit,
    blind,
    deliveries,
    files,
    fronts,
    idempotency,
    mutes,
    notices,
    outbox,
    receivers,
    sessions,
)
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import runs as run_rows
from scheduler.words.commands import Command, Purge, Sweep

PERIOD_MS = 2_000
JOBS_MAX = 50
RUNS_MAX = 200
SEARCHED_RUNS = 500
COMPILED_MAX = 20  #: jobs that one search reads for the first time
KEPT_MS = 24 * 3_600_000
SWEPT_ROWS = 1_000
KEPT_MS_OF_RECEIVERS = 7 * KEPT_MS
JOBLESS_KEPT_MS = 30 * 24 * 3_600_000  #: runs that were adopted after a restore, of jobs that it lacks


def plan(view: View) -> list[Command]:
    store, cache, now_ms = view.store, view.cache, view.now_ms
    if cache.upkeep_ms is None:
        cache.upkeep_ms = now_ms
    if now_ms - cache.upkeep_ms < PERIOD_MS:
        return []
    cache.upkeep_ms = now_ms
    old = _by_age(store, cache, now_ms, view.epoch)
    return [*_by_count(store, cache, view.epoch), *old, *_sweep(store, now_ms, view.epoch)]


def wake(_: Outlook) -> int | None:
    return None  # with any plan, none is made for it


def _by_count(store: Store, cache: PlanCache, epoch: int) -> list[Purge]:
    """The next few jobs; the search goes round and round, so that none of very many waits for ever."""
    jobs = job_rows.to_purge(store, cache.purge_job, JOBS_MAX)
    cache.purge_job = jobs[-1].id if len(jobs) == JOBS_MAX else 0
    commands: list[Purge] = []
    for job in jobs:
        surplus = min(RUNS_MAX, job.runs_stored - job.retention_runs)
        through = run_rows.nth_finished(store, job.id, surplus)
        if through is not None:
            commands.append(Purge(epoch, job.id, through, surplus))
    return commands


def _by_age(store: Store, cache: PlanCache, now_ms: int, epoch: int) -> list[Purge]:
    """Look at the next few runs in the order of their ids; the search goes round and round."""
    searched = run_rows.in_order(store, cache.purge_cursor, SEARCHED_RUNS)
    cache.purge_cursor = searched[-1].id if len(searched) == SEARCHED_RUNS else 0
    through: dict[int, int] = {}
    compiled = 0
    for run in searched:
        if run.finished_ms is None:
            continue
        if not run.job:
            if run.finished_ms < now_ms - JOBLESS_KEPT_MS:
                through[run.job] = run.id
            continue
        if not cache.knows(run.job, run.revision):
            compiled += 1
            if compiled > COMPILED_MAX or not cache.has_room(run.job, run.revision):
                cache.purge_cursor = run.id - 1  # from here the next time
                break
        job = cache.outline(store, run.job, run.namespace, run.name, run.revision)
        if run.finished_ms < now_ms - job.retention_age_ms:
            through[run.job] = run.id
    return [Purge(epoch, job, run, RUNS_MAX) for job, run in sorted(through.items())[:JOBS_MAX]]


def _sweep(store: Store, now_ms: int, epoch: int) -> list[Sweep]:
    before_ms = now_ms - KEPT_MS
    oldest = [
        idempotency.oldest_ms(store), fronts.oldest_seen_ms(store), sessions.oldest_ms(store),
        deliveries.oldest_ms(store), notices.oldest_spent_ms(store, before_ms),
    ]  # fmt: skip
    given_up_ms = outbox.first_end_ms(store)
    due = given_up_ms is not None and given_up_ms < now_ms
    due = due or audit.has_surplus(store, now_ms) or files.any_over(store) or blind.any_over(store)
    unmuted_ms, failing_ms = mutes.first_end_ms(store), receivers.oldest_ms(store)
    due = due or (unmuted_ms is not None and unmuted_ms <= now_ms)
    due = due or (failing_ms is not None and failing_ms < now_ms - KEPT_MS_OF_RECEIVERS)
    if due or any(ms is not None and ms < before_ms for ms in oldest):
        return [Sweep(epoch, before_ms, SWEPT_ROWS)]
    return []
