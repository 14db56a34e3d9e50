"""Before a job is edited or deleted, its agent gives back the ticks that it has in advance: so the edit
counts at once. An agent that is away cannot: the edit is taken all the same, and what it has goes by the
former words."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from contextlib import suppress

from api.ports import NoLeaderError, OverloadedError, Scheduler, UnavailableError
from scheduler.store.reads import reservations as reservation_reads
from scheduler.store.reads.reservations import OfJob
from scheduler.store.tables import jobs as job_rows
from scheduler.words.commands import Deletion, PreparedJob, Unreserve
from scheduler.words.record import Actor

WAIT_S = 3.0  #: for an agent's answer; a claim waits as long
LOOK_S = 0.02


async def give_back(scheduler: Scheduler, namespace: str, name: str, actor: Actor) -> None:
    """Wait until nothing of the job is reserved, or its agent is away, or does not answer."""
    if not _is_here(_of(scheduler, namespace, name)):
        return
    with suppress(NoLeaderError, OverloadedError, UnavailableError):  # the edit says so
        await scheduler.propose(Unreserve(namespace, name, actor))
    deadline_s = asyncio.get_running_loop().time() + WAIT_S
    while _is_here(_of(scheduler, namespace, name)) and asyncio.get_running_loop().time() < deadline_s:
        await asyncio.sleep(LOOK_S)


async def give_back_of(
    scheduler: Scheduler, jobs: Sequence[PreparedJob], gone: Sequence[Deletion], actor: Actor
) -> None:
    """The same of those jobs that these would change or delete."""
    named: list[tuple[str, str]] = []
    with scheduler.read() as store:
        if reservation_reads.any_of_all(store):
            named += [(each.namespace, each.name) for each in gone if each.kind == "job"]
            for each in jobs:
                row = job_rows.find(store, each.namespace, each.name)
                if row is not None and bytes(row.spec) != each.spec:
                    named.append((each.namespace, each.name))
    until_s = asyncio.get_running_loop().time() + WAIT_S
    for namespace, name in named:
        if asyncio.get_running_loop().time() < until_s:  # else they are edited as if their agents were away
            await give_back(scheduler, namespace, name, actor)


def _of(scheduler: Scheduler, namespace: str, name: str) -> OfJob | None:
    with scheduler.read() as store:
        return reservation_reads.of_named(store, namespace, name)


def _is_here(found: OfJob | None) -> bool:
    return found is not None and found.connected
