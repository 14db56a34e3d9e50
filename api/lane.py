"""Where large bodies are read and judged: beside the loop, one at a time.

A thread shares the interpreter's lock with the loop, so each one more that reads makes every answer later.
One alone costs the loop at most the interpreter's switch interval; the others wait for it, and not more of
them than are answered within a few seconds.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from typing import TypeVar

import anyio.to_thread

from api.ports import OverloadedError

INLINE_BYTES = 8 << 10  #: a body up to this is read in the loop: some milliseconds at most
WAITING_MAX = 20

T = TypeVar("T")


class Lane:
    """One per application."""

    def __init__(self) -> None:
        self._free = asyncio.Semaphore(1)
        self._waiting = 0

    async def run(self, body_bytes: int, function: Callable[[], T]) -> T:
        """What `function` returns. Raises OverloadedError when too many large bodies wait."""
        if body_bytes <= INLINE_BYTES:
            return function()
        if self._waiting >= WAITING_MAX:
            raise OverloadedError(f"{WAITING_MAX} large bodies wait to be read already")
        self._waiting += 1
        try:
            async with self._free:
                return await anyio.to_thread.run_sync(function)
        finally:
            self._waiting -= 1
