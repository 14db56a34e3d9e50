"""The planner's part in a staged apply, beside a node that has none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from scheduler.store.tables import stages
from scheduler.words.commands import AdvanceStage
from tests.api.single_node import SingleNode

POLL_S = 0.01


def advance(node: SingleNode) -> None:
    """What was committed comes to its end."""
    while True:
        with node.read() as store:
            moving = [stage for stage in stages.all_of(store) if stage.state in stages.MOVING]
        if not moving:
            return
        for stage in moving:
            node.apply(AdvanceStage(node.machine.state.epoch, stage.id, stage.state))


@asynccontextmanager
async def planning(node: SingleNode) -> AsyncIterator[None]:
    async def plan() -> None:
        while True:
            advance(node)
            await asyncio.sleep(POLL_S)

    task = asyncio.create_task(plan())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
