"""Edits wait while a staged apply goes live, as they do for a leader: a bounded time, then 503."""

from __future__ import annotations

import asyncio

from api.connection import leave_if_gone
from api.ports import Scheduler
from api.problems import Problem
from scheduler.words.commands import Command
from scheduler.words.outcomes import Code, Outcome

WAIT_S = 15.0
LOOK_S = 0.1
RETRY_S = 5


async def propose_edit(scheduler: Scheduler, command: Command, *, timeout_s: float = 10.0) -> Outcome:
    """The outcome, once no staged apply and no calendar's change is in the way. Raises Problem when one is
    for too long."""
    until_s = asyncio.get_running_loop().time() + WAIT_S
    while (outcome := await scheduler.propose(command, timeout_s=timeout_s)).code == Code.SWITCHING:
        while _is_switching(scheduler):
            leave_if_gone()
            if asyncio.get_running_loop().time() >= until_s:
                headers = {"Retry-After": str(RETRY_S)}
                raise Problem(
                    "unavailable", outcome.detail, hint="Send it again after that.", headers=headers
                )
            await asyncio.sleep(LOOK_S)
    return outcome


def _is_switching(scheduler: Scheduler) -> bool:
    with scheduler.read() as store:
        return bool(store.value("SELECT stage + redates FROM state"))
