"""Before a job is edited or deleted, its agent gives back the ticks that it has in advance: so the edit
counts at once, be it of the job or of what the job names. An agent that is away cannot: the edit is taken all
the same, and what it has goes by the former words."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from contextlib import suppress

from api.ports import NoLeaderError, OverloadedError, Scheduler, UnavailableError
from scheduler.model.known_dates import KIND as CALENDAR
from scheduler.model.templates import KIND as TEMPLATE
from scheduler.store.connection import Store
from scheduler.store.reads import reservations as reservation_reads
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables import refs, staged, stages
from scheduler.store.tables.refs import Named
from scheduler.words import codec
from scheduler.words.commands import Apply, PreparedJob, PreparedObject, Unreserve
from scheduler.words.record import Actor

WAIT_S = 3.0  #: for the agents' answers; a claim waits as long
LOOK_S = 0.02
JOBS_MAX = 500  #: that are asked for; others are edited as if their agents were away
DECIDE_TICKS = (CALENDAR, TEMPLATE)  #: by which a plan is another; autonomy excludes shared schedules

_read_job = codec.reader_of(PreparedJob)
_read_object = codec.reader_of(PreparedObject)


async def give_back(scheduler: Scheduler, namespace: str, names: Iterable[str], actor: Actor) -> None:
    """Wait until nothing of these jobs is reserved, or their agents are away, or do not answer."""
    await _give_back(scheduler, [(namespace, name) for name in names], actor)


async def give_back_of(scheduler: Scheduler, command: Apply, actor: Actor) -> None:
    """The same of those that this would change or delete, themselves or by what they name."""
    with scheduler.read() as store:
        jobs = reservation_reads.jobs(store, JOBS_MAX)
        if not jobs:
            return
        changed = _changed(store, command)
        touched = [job for job in jobs if not changed.isdisjoint(_named_by(store, *job))]
    await _give_back(scheduler, touched, actor)


async def give_back_staged(scheduler: Scheduler, stage: str, actor: Actor, *, prune: bool) -> None:
    """The same of a staged apply that is to go live."""
    with scheduler.read() as store:
        row, jobs = stages.named(store, stage), reservation_reads.jobs(store, JOBS_MAX)
        if row is None or not jobs:
            return
        changed = _staged(store, row.id, row.source if prune else "")
        touched = [job for job in jobs if any(map(changed, _named_by(store, *job)))]
    await _give_back(scheduler, touched, actor)


async def _give_back(scheduler: Scheduler, jobs: Iterable[tuple[str, str]], actor: Actor) -> None:
    left = [job for job in jobs if _is_here(scheduler, *job)]
    for namespace, name in left:
        with suppress(NoLeaderError, OverloadedError, UnavailableError):  # the edit says so
            await scheduler.propose(Unreserve(namespace, name, actor))
    deadline_s = asyncio.get_running_loop().time() + WAIT_S
    while left := [job for job in left if _is_here(scheduler, *job)]:
        if asyncio.get_running_loop().time() >= deadline_s:
            return
        await asyncio.sleep(LOOK_S)


def _is_here(scheduler: Scheduler, namespace: str, name: str) -> bool:
    with scheduler.read() as store:
        found = reservation_reads.of_named(store, namespace, name)
    return found is not None and found.connected


def _named_by(store: Store, namespace: str, name: str) -> set[Named]:
    """The job, and what it names by which its plan is another one."""
    job = Named("job", namespace, name)
    return {job, *(each for each in refs.of(store, job) if each.kind in DECIDE_TICKS)}


def _changed(store: Store, command: Apply) -> set[Named]:
    """What would be another one, or no more."""
    found = {Named(gone.kind, gone.namespace, gone.name) for gone in command.deletions}
    found |= {Named("job", job.namespace, job.name) for job in command.jobs if _is_other_job(store, job)}
    puts = [put for put in command.objects if put.kind in DECIDE_TICKS and _is_other(store, put)]
    return found | {Named(put.kind, put.namespace, put.name) for put in puts}


def _staged(store: Store, stage: int, source: str) -> Callable[[Named], bool]:
    """The same of a stage. `source`: of which goes what the stage does not name."""

    def changed(what: Named) -> bool:
        item = staged.find(store, stage, *what)
        if item is None:
            row = job_rows.find(store, what.namespace, what.name) if what.kind == "job" and source else None
            return row is not None and row.source == source
        if item.is_deletion:
            return True
        if what.kind == "job":
            return _is_other_job(store, _read_job(item.body))
        return _is_other(store, _read_object(item.body))

    return changed


def _is_other_job(store: Store, job: PreparedJob) -> bool:
    row = job_rows.find(store, job.namespace, job.name)
    return row is not None and bytes(row.spec) != job.spec


def _is_other(store: Store, put: PreparedObject) -> bool:
    known = object_rows.find(store, put.kind, put.namespace, put.name)
    return known is None or known.pin != put.pin
