"""One subscription to the node's commits, and everyone in this process who listens to it.

Rules: listeners are called in the order of commits, in the event loop, and must not block; a listener that
raises is our mistake, is logged, and does not stop the others. When the subscription overran, commits were
lost: listeners are told by `on_gap` and read the state again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import AsyncIterator, Callable, Iterator
from typing import Protocol

from api.ports import Committed, Scheduler, Subscription
from scheduler import events as e

log = logging.getLogger("cronclave.api")
STREAM_COMMITS_MAX = 2_000


class CommitQueue:
    """A subscription as nodes make it: a bounded queue; who does not keep up is marked, never waited for."""

    def __init__(self, limit: int, close: Callable[[CommitQueue], None]) -> None:
        self.queue: asyncio.Queue[Committed] = asyncio.Queue(limit)
        self.overrun = False
        self._close = close

    def offer(self, committed: Committed) -> None:
        try:
            self.queue.put_nowait(committed)
        except asyncio.QueueFull:
            self.overrun = True

    def close(self) -> None:
        self._close(self)


class Listener(Protocol):
    def on_commit(self, commit: Committed) -> None: ...

    def on_gap(self) -> None: ...


class Commits:
    """Distributes what one `Subscription` delivers."""

    def __init__(self, scheduler: Scheduler) -> None:
        self._scheduler = scheduler
        self._listeners: list[Listener] = []
        self._subscription: Subscription | None = None
        self._pump: asyncio.Task[None] | None = None
        self.last_id: tuple[int, int] | None = None
        self.closed = asyncio.Event()

    def start(self) -> None:
        """Subscribe now; must be called in the event loop. Calling it again does nothing."""
        if self._pump is None and not self.closed.is_set():
            self._subscription = self._scheduler.subscribe()
            self._pump = asyncio.create_task(self._run(), name="commits")

    async def close(self) -> None:
        """No more commits; streams end."""
        self.closed.set()
        if self._pump is not None:
            self._pump.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._pump
            self._pump = None
        if self._subscription is not None:
            self._subscription.close()

    def add(self, listener: Listener) -> None:
        self.start()
        self._listeners.append(listener)

    def remove(self, listener: Listener) -> None:
        with contextlib.suppress(ValueError):
            self._listeners.remove(listener)

    async def _run(self) -> None:
        assert self._subscription is not None
        while True:
            commit = await self._subscription.queue.get()
            if self._subscription.overrun:
                self._subscription.close()
                self._subscription = self._scheduler.subscribe()
                self._tell(lambda listener: listener.on_gap())
                continue
            if commit.events:
                index, n, _ = commit.events[-1]
                self.last_id = (index, n)
            self._tell(lambda listener, commit=commit: listener.on_commit(commit))  # type: ignore[misc]  # bound now

    def _tell(self, call: Callable[[Listener], None]) -> None:
        for listener in list(self._listeners):
            try:
                call(listener)
            except Exception:
                log.exception("a listener to commits failed: %r", listener)


class CommitStream:
    """A bounded queue of commits for one consumer, such as an SSE client or a blocking query."""

    def __init__(self, limit: int = STREAM_COMMITS_MAX) -> None:
        self.queue: asyncio.Queue[Committed | None] = asyncio.Queue(limit)
        self.lost = False

    def on_commit(self, commit: Committed) -> None:
        if commit.events and not self.lost:
            try:
                self.queue.put_nowait(commit)
            except asyncio.QueueFull:
                self.on_gap()

    def on_gap(self) -> None:
        self.lost = True
        with contextlib.suppress(asyncio.QueueFull):
            self.queue.put_nowait(None)


@contextlib.asynccontextmanager
async def stream(commits: Commits) -> AsyncIterator[CommitStream]:
    """Commits with events from now on, until the block is left."""
    listener = CommitStream()
    commits.add(listener)
    try:
        yield listener
    finally:
        commits.remove(listener)


class RunWatch:
    """Wakes who waits for runs to end: a dictionary look-up per ended run, whatever the number of waiters."""

    def __init__(self) -> None:
        self._waiting: dict[int, list[asyncio.Event]] = {}

    def on_commit(self, commit: Committed) -> None:
        if not self._waiting:
            return
        for _, _, event in commit.events:
            if type(event) is e.RunEnded:
                for waiter in self._waiting.pop(event.run, ()):
                    waiter.set()

    def on_gap(self) -> None:
        for waiters in self._waiting.values():
            for waiter in waiters:
                waiter.set()
        self._waiting.clear()

    @contextlib.contextmanager
    def watch(self, run: int) -> Iterator[asyncio.Event]:
        """An event that is set once the run has ended (or may have: read the state)."""
        waiter = asyncio.Event()
        self._waiting.setdefault(run, []).append(waiter)
        try:
            yield waiter
        finally:
            left = self._waiting.get(run)
            if left is not None:
                with contextlib.suppress(ValueError):
                    left.remove(waiter)
                if not left:
                    del self._waiting[run]
