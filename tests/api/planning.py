"""The planner's part in a staged apply, beside a node that has none."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

from scheduler.store.tables import stages
from scheduler.words.commands import AdvanceStage
from tests.api.single_node import SingleNode


@asynccontextmanager
async def planning(node: SingleNode) -> AsyncIterator[None]:
    async def plan() -> None:
        while True:
            with node.read() as store:
                moving = [stage for stage in stages.all_of(store) if stage.state in stages.MOVING]
            for stage in moving:
                node.apply(AdvanceStage(node.machine.state.epoch, stage.id, stage.state))
            await asyncio.sleep(0)

    task = asyncio.create_task(plan())
    try:
        yield
    finally:
        task.cancel()
        with suppress(asyncio.CancelledError):
            await task
