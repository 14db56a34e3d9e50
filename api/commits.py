"""One subscription to the node's commits, and everyone in this process who listens to it.

Rules: listeners are called in the order of commits, in the event loop, and must not block; a listener that
raises is our mistake, is logged, and does not stop the others. When the subscription overran, commits were
lost: listeners are told by `on_gap` and read the state again.
"""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections.abc import Callable, Iterator
from typing import Protocol

from api.ports import Committed, Scheduler, Subscription
from scheduler.words import events as e

log = logging.getLogger("cronclave.api")


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

    def lose(self) -> None:
        """Something happened that is not told: whoever listens reads the state again, now."""
        self.overrun = True
        with contextlib.suppress(asyncio.QueueFull):
            self.queue.put_nowait(Committed(0, 0, ()))

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
        self.closed = asyncio.Event()
        self._beyond: dict[int, list[asyncio.Event]] = {}

    def start(self) -> None:
        """Subscribe now; must be called in the event loop. Calling it again does nothing."""
        if self._pump is None and not self.closed.is_set():
            self._subscription = self._scheduler.subscribe()
            self._pump = asyncio.create_task(self._run(), name="commits")

    def end(self) -> None:
        """Whoever waits for a commit goes on: no more will be told."""
        self.closed.set()
        self._wake()

    async def close(self) -> None:
        self.end()
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

    @contextlib.contextmanager
    def beyond(self, index: int) -> Iterator[asyncio.Event]:
        """An event that is set when something happened after this index (or may have: look at the history).
        Who waits for an index that is far off costs nothing until then."""
        self.start()
        with _among(self._beyond, index) as waiter:
            yield waiter

    def _wake(self, index: int | None = None) -> None:
        """Those who wait for what comes after a lower index; None: all."""
        for known in [known for known in self._beyond if index is None or known < index]:
            for waiter in self._beyond[known]:
                waiter.set()

    async def _run(self) -> None:
        assert self._subscription is not None
        while True:
            commit = await self._subscription.queue.get()
            if self._subscription.overrun:
                self._subscription.close()
                self._subscription = self._scheduler.subscribe()
                self._wake()
                self._tell(lambda listener: listener.on_gap())
                continue
            if commit.events:
                self._wake(commit.events[-1][0])
            self._tell(lambda listener, commit=commit: listener.on_commit(commit))  # type: ignore[misc]  # bound now

    def _tell(self, call: Callable[[Listener], None]) -> None:
        for listener in list(self._listeners):
            try:
                call(listener)
            except Exception:
                log.exception("a listener to commits failed: %r", listener)


class RunWatch:
    """Wakes who waits for runs: a dictionary look-up per event, whatever the number of waiters."""

    def __init__(self, kinds: tuple[type[e.Event], ...]) -> None:
        self._kinds = kinds  #: of events with a `run`
        self._waiting: dict[int, list[asyncio.Event]] = {}

    def on_commit(self, commit: Committed) -> None:
        if not self._waiting:
            return
        for kind in self._kinds:
            for event in commit.of(kind):
                for waiter in self._waiting.get(event.run, ()):  # type: ignore[attr-defined]  # these kinds have one
                    waiter.set()

    def on_gap(self) -> None:
        for waiters in self._waiting.values():
            for waiter in waiters:
                waiter.set()

    @contextlib.contextmanager
    def watch(self, run: int) -> Iterator[asyncio.Event]:
        """An event that is set when something of that kind happened (or may have: read the state)."""
        with _among(self._waiting, run) as waiter:
            yield waiter


@contextlib.contextmanager
def _among(waiting: dict[int, list[asyncio.Event]], key: int) -> Iterator[asyncio.Event]:
    """An event among those of this key, while the block lasts."""
    waiter = asyncio.Event()
    waiting.setdefault(key, []).append(waiter)
    try:
        yield waiter
    finally:
        left = waiting[key]
        left.remove(waiter)
        if not left:
            del waiting[key]


ENDS: tuple[type[e.Event], ...] = (e.RunEnded,)
STEPS: tuple[type[e.Event], ...] = (e.AttemptAssigned, e.AttemptGranted, e.AttemptEnded, e.RunEnded)
