"""Holds granted attempts until their due instant, and hands over all that are due at once."""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable

from agent.clock import NodeClock

_LOOK_AGAIN_MS = 1_000.0  #: the estimate of the node's clock moves; a sleeping host's timers stand still


class DueQueue:
    def __init__(self, clock: NodeClock, due: Callable[[list[int]], None]) -> None:
        self._clock = clock
        self._due = due
        self._heap: list[tuple[int, int]] = []
        self._timer: asyncio.TimerHandle | None = None
        self._soon = False

    def add(self, attempt: int, due_ms: int) -> None:
        heapq.heappush(self._heap, (due_ms, attempt))
        if not self._soon:
            self._soon = True
            asyncio.get_running_loop().call_soon(self._look)

    def _look(self) -> None:
        self._soon = False
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        now_ms = self._clock.now_ms()
        ready: list[int] = []
        while self._heap and self._heap[0][0] <= now_ms:
            ready.append(heapq.heappop(self._heap)[1])
        if self._heap:
            wait_ms = min(self._heap[0][0] - now_ms, _LOOK_AGAIN_MS)
            self._timer = asyncio.get_running_loop().call_later(wait_ms / 1000, self._look)
        if ready:
            self._due(ready)

    def look(self) -> None:
        """The clock was set anew."""
        self._look()
