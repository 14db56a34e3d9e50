"""What the gateway does beside its conversations ends with it."""

from __future__ import annotations

import asyncio
import inspect

from api.agents.beside import Beside


async def test_work_that_is_cancelled_before_it_began_is_put_away() -> None:
    """Else Python warns of it at the end of the process, in the log of a node that was just stopped."""
    beside = Beside()

    async def disconnect() -> None:
        await asyncio.sleep(0)

    work = disconnect()
    beside.start(work, "disconnect")
    beside.cancel()
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    assert inspect.getcoroutinestate(work) == inspect.CORO_CLOSED
