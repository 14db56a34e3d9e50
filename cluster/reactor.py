"""The event loop of the core process: sockets and timers over `selectors`, then one turn of consensus.

Rules:
1. One turn: wait for a readable or writable socket or the next deadline, call what is ready, call timers
   that are due, call `turn`. It never polls faster than somebody asked for.
2. All callbacks run on the loop's thread. An exception out of any ends `run`: the node stops.
3. `call_from_thread` is the only method for other threads.

Rejected: asyncio (doTick from it cost 129 ms a proposal, and its wake-ups are not in our order).
"""

from __future__ import annotations

import contextlib
import heapq
import selectors
import socket
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field

from cluster.turns import Turns

WAIT_MAX_S = 1.0

Callback = Callable[[], None]


@dataclass(order=True, slots=True)
class Timer:
    at: float
    number: int
    call: Callback | None = field(compare=False)

    def cancel(self) -> None:
        self.call = None


@dataclass(slots=True)
class _Watch:
    on_readable: Callback
    on_writable: Callback | None
    is_writing: bool = False


class Reactor:
    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._selector = selectors.DefaultSelector()
        self._watches: dict[socket.socket, _Watch] = {}
        self._timers: list[Timer] = []
        self._number = 0
        self._running = False
        self._calls: deque[Callback] = deque()
        self.turns, self.work = Turns(), Turns()
        self._worked_s = 0.0
        self._woke_s = self._late_s = 0.0
        self._wake_in, self._wake_out = socket.socketpair()
        for end in (self._wake_in, self._wake_out):
            end.setblocking(False)
        self.add(self._wake_out, self._woken)

    def add(self, sock: socket.socket, on_readable: Callback, on_writable: Callback | None = None) -> None:
        """Watch a non-blocking socket; `on_writable` is called only while `set_writing` is on."""
        watch = _Watch(on_readable, on_writable)
        self._watches[sock] = watch
        self._selector.register(sock, selectors.EVENT_READ, watch)

    def set_writing(self, sock: socket.socket, writing: bool) -> None:
        watch = self._watches.get(sock)
        if watch is not None and watch.is_writing != writing:
            watch.is_writing = writing
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if writing else 0)
            self._selector.modify(sock, events, watch)

    def remove(self, sock: socket.socket) -> None:
        """Before the socket is closed. Unknown ones are ignored."""
        if self._watches.pop(sock, None) is not None:
            self._selector.unregister(sock)

    def call_later(self, delay_s: float, call: Callback) -> Timer:
        self._number += 1
        timer = Timer(self._clock() + delay_s, self._number, call)
        heapq.heappush(self._timers, timer)
        return timer

    def call_from_thread(self, call: Callback) -> None:
        """Have the loop call this soon; any thread."""
        self._calls.append(call)
        self.wake()

    def wake(self) -> None:
        """End the current wait; any thread."""
        with contextlib.suppress(BlockingIOError):
            self._wake_in.send(b"\0")

    def run(self, turn: Callable[[], float | None]) -> None:
        """Until `stop`. `turn` returns the seconds until it wants to run again, None for "with the next
        event"."""
        self._running = True
        self._worked_s = time.thread_time()
        wait_s: float | None = 0.0
        while self._running:
            self.step(wait_s)
            if self._running:
                wait_s = turn()
            now_s = self._clock()
            self.turns.add(now_s - self._woke_s + self._late_s, now_s)
            worked_s = time.thread_time()
            self.work.add(worked_s - self._worked_s, now_s)
            self._worked_s = worked_s

    def step(self, wait_s: float | None) -> None:
        """Wait at most this long, then call what is due."""
        wait_s = WAIT_MAX_S if wait_s is None else min(wait_s, WAIT_MAX_S)
        while self._timers and self._timers[0].call is None:
            heapq.heappop(self._timers)
        if self._timers:
            wait_s = min(wait_s, self._timers[0].at - self._clock())
        wait_s = max(wait_s, 0.0)
        waits_s = self._clock()
        ready = self._selector.select(wait_s)
        self._woke_s = self._clock()
        self._late_s = max(0.0, self._woke_s - waits_s - wait_s)
        for key, events in ready:
            watch: _Watch = key.data
            sock = key.fileobj
            if (
                events & selectors.EVENT_WRITE
                and watch.on_writable is not None
                and self._is_live(sock, watch)
            ):
                watch.on_writable()
            if events & selectors.EVENT_READ and self._is_live(sock, watch):
                watch.on_readable()
        now = self._clock()
        while self._timers and self._timers[0].at <= now:
            call = heapq.heappop(self._timers).call
            if call is not None:
                call()

    def stop(self) -> None:
        self._running = False

    def close(self) -> None:
        for end in (self._wake_in, self._wake_out):
            self.remove(end)
            end.close()
        self._selector.close()

    def _is_live(self, sock: object, watch: _Watch) -> bool:
        """An earlier callback of the same wake-up may have removed it."""
        return self._watches.get(sock) is watch  # type: ignore[call-overload]  # fileobj is typed as int too

    def _woken(self) -> None:
        with contextlib.suppress(BlockingIOError):
            while self._wake_out.recv(4096):
                pass
        while self._calls:
            self._calls.popleft()()
