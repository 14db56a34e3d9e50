"""Before a job is edited or deleted, its agent gives back the ticks that it has in advance: so the edit
counts at once. An agent that is away cannot: the edit is taken all the same, and what it has goes by the
former words."""

from __future__ import annotations

import asyncio
from contextlib import suppress

from api.ports import NoLeaderError, OverloadedError, Scheduler, UnavailableError
from scheduler.store.reads import reservations as reservation_reads
from scheduler.store.reads.reservations import OfJob
from scheduler.words.commands import Unreserve
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


def _of(scheduler: Scheduler, namespace: str, name: str) -> OfJob | None:
    with scheduler.read() as store:
        return reservation_reads.of_named(store, namespace, name)


def _is_here(found: OfJob | None) -> bool:
    return found is not None and found.connected
