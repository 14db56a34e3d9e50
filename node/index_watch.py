"""Who waits until this node has applied an index: woken when it has, and not at every commit before."""

from __future__ import annotations

import asyncio


class IndexWatch:
    """Waiters by index; used in one event loop."""

    def __init__(self) -> None:
        self._waiting: dict[int, set[asyncio.Future[None]]] = {}

    def reached(self, index: int) -> None:
        """This index is applied."""
        for wanted in [wanted for wanted in self._waiting if wanted <= index]:
            for waiter in self._waiting.pop(wanted):
                if not waiter.done():
                    waiter.set_result(None)

    async def wait(self, index: int) -> None:
        waiter: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.setdefault(index, set()).add(waiter)
        try:
            await waiter
        finally:
            left = self._waiting.get(index)
            if left is not None:
                left.discard(waiter)
                if not left:
                    del self._waiting[index]
