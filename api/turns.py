"""Who may go on in this turn of the event loop, where many were waiting for the same thing.

A commit, a barrier or an ended run can wake a thousand requests at once, and asyncio runs everybody that is
awake before it looks at a socket again: with some milliseconds of work each, the front would be deaf for
seconds, and its beat to the core late. So who was woken passes here: as long as this turn has lasted less
than TURN_S they go on at once; the others wait in line, and one goes on in each turn.

Rules: first come, first served; nobody who is cancelled is waited for; with nobody in line it costs no turn.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections import deque

from api.connection import leave_if_gone

TURN_S = 0.010


class Turns:
    """The line; used in one event loop."""

    def __init__(self, turn_s: float = TURN_S) -> None:
        self._turn_s = turn_s
        self._line: deque[asyncio.Future[None]] = deque()
        self._since_s: float | None = None  #: when the first of this turn went on; None: nobody has yet

    @property
    def waiting(self) -> int:
        return len(self._line)

    async def mine(self) -> None:
        """Returns when the caller may go on. Raises Problem when its client went away meanwhile."""
        loop = asyncio.get_running_loop()
        if self._since_s is None:
            self._since_s = time.monotonic()
            loop.call_soon(self._next)
            return
        if not self._line and time.monotonic() - self._since_s < self._turn_s:
            return
        place: asyncio.Future[None] = loop.create_future()
        self._line.append(place)
        try:
            await place
        except asyncio.CancelledError:
            with contextlib.suppress(ValueError):
                self._line.remove(place)
            raise
        leave_if_gone()

    def _next(self) -> None:
        """A turn is over: the first in line has the new one."""
        while self._line:
            place = self._line.popleft()
            if not place.done():
                place.set_result(None)
                self._since_s = time.monotonic()
                asyncio.get_running_loop().call_soon(self._next)
                return
        self._since_s = None
