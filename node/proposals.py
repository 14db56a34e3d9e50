"""The front's own proposals: batched, numbered, answered once.

Commands of one loop turn share a frame. At most IN_FLIGHT_MAX frames wait for their commit, so that under
load frames grow instead of multiplying (bigger rounds win). The lowest number still waited for goes with each
frame: what lies below it the state may forget. What the log cannot hold is refused here, and never raises: a
caller may be the planner, whose end would be the front's.
"""

from __future__ import annotations

import asyncio
import secrets
from collections import deque
from collections.abc import Callable, Sequence

from api.ports import NoLeaderError, OverloadedError
from scheduler.words import codec, sizes
from scheduler.words.commands import Barrier, Command
from scheduler.words.outcomes import Code, Outcome

IN_FLIGHT_MAX = 4
QUEUED_MAX = 20_000
QUEUED_BYTES_MAX = 64 << 20
FRAME_COMMANDS_MAX = 1_000
FRAME_BYTES_MAX = 768 << 10


class Proposals:
    """Turns commands into numbered frames and outcomes into results."""

    def __init__(self, send: Callable[[int, bytes], None], abandon: Callable[[int], None]) -> None:
        self.front = secrets.token_hex(8)
        self._send = send
        self._abandon = abandon
        self._sequence = 0
        self._queue: deque[tuple[bytes, asyncio.Future[Outcome]]] = deque()
        self._queued_bytes = 0
        self._waiting: dict[int, list[asyncio.Future[Outcome]]] = {}
        self._frames: dict[int, bytes] = {}
        self._barrier: asyncio.Future[Outcome] | None = None
        self._flush_planned = False
        self.commit_s = 0.005  #: moving average of the time from sending a frame to its outcome
        self._sent_s: dict[int, float] = {}

    async def propose(self, command: Command, timeout_s: float) -> Outcome:
        """The outcome of one command. Raises OverloadedError, NoLeaderError."""
        if len(self._queue) >= QUEUED_MAX or self._queued_bytes >= QUEUED_BYTES_MAX:
            waits = f"{len(self._queue)} commands of {self._queued_bytes} bytes"
            raise OverloadedError(f"{waits} wait already")
        encoded = sizes.written(command)
        if isinstance(encoded, Outcome):
            return encoded
        return await self._result(self._enqueue(encoded), timeout_s)

    async def propose_all(self, commands: Sequence[Command], timeout_s: float) -> list[Outcome]:
        """The outcomes of a planner's batch, in order. Raises NoLeaderError."""
        if not commands:
            return []
        futures = [self._admit(command) for command in commands]
        _, pending = await asyncio.wait(futures, timeout=timeout_s)
        if pending:
            for future in pending:
                future.cancel()
            raise NoLeaderError("no outcome in time")
        return [future.result() for future in futures]

    async def barrier(self, timeout_s: float) -> None:
        """Concurrent callers share the next commit that has not left yet. Raises NoLeaderError."""
        if self._barrier is None or self._barrier.done():
            self._barrier = self._enqueue(codec.encode_command(Barrier()))
        unanswered = "no leader answered in time, and an up-to-date read needs one"
        await self._result(asyncio.shield(self._barrier), timeout_s, unanswered)

    def resend(self) -> None:
        """The core is a new one (or the first): give it every frame that waits."""
        for sequence, frame in self._frames.items():
            self._send(sequence, frame)

    def leader_changed(self) -> None:
        """What waits now waited for an election: its time says nothing of commits. Counted, it would have a
        planner that takes office after a loss decide far ahead for a while, and that leader's heir find
        nothing to decide until its turn comes."""
        self._sent_s.clear()

    def resolve(self, sequence: int, outcomes: bytes) -> None:
        futures = self._waiting.pop(sequence, None)
        self._frames.pop(sequence, None)
        sent_s = self._sent_s.pop(sequence, None)
        if sent_s is not None:
            self.commit_s += (asyncio.get_running_loop().time() - sent_s - self.commit_s) * 0.05
        if futures is not None:
            for future, outcome in zip(futures, codec.decode_outcomes(outcomes), strict=True):
                if not future.done():
                    future.set_result(outcome)
        if self._queue:
            self._plan_flush()

    def refuse(self, sequence: int, reason: str) -> None:
        """The core did not take this frame: it is in no log, and will be in none."""
        self._frames.pop(sequence, None)
        self._sent_s.pop(sequence, None)
        for future in self._waiting.pop(sequence, ()):
            if not future.done():
                future.set_result(Outcome(Code.TOO_LARGE, reason))
        if self._queue:
            self._plan_flush()

    def _admit(self, command: Command) -> asyncio.Future[Outcome]:
        encoded = sizes.written(command)
        if not isinstance(encoded, Outcome):
            return self._enqueue(encoded)
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        future.set_result(encoded)
        return future

    def _enqueue(self, command: bytes) -> asyncio.Future[Outcome]:
        future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._queue.append((command, future))
        self._queued_bytes += len(command)
        self._plan_flush()
        return future

    async def _result(
        self,
        future: asyncio.Future[Outcome],
        timeout_s: float,
        unanswered: str = "no leader answered in time; the outcome is unknown",
    ) -> Outcome:
        try:
            async with asyncio.timeout(timeout_s):
                return await future
        except TimeoutError:
            self._forget_abandoned()
            raise NoLeaderError(unanswered) from None

    def _forget_abandoned(self) -> None:
        for sequence, futures in list(self._waiting.items()):
            if all(future.done() for future in futures):
                del self._waiting[sequence]
                self._frames.pop(sequence, None)
                self._sent_s.pop(sequence, None)
                self._abandon(sequence)
        if self._queue:
            self._plan_flush()

    def _plan_flush(self) -> None:
        if not self._flush_planned and len(self._waiting) < IN_FLIGHT_MAX:
            self._flush_planned = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_planned = False
        while self._queue and len(self._waiting) < IN_FLIGHT_MAX:
            commands: list[bytes] = []
            futures: list[asyncio.Future[Outcome]] = []
            size = 0
            while self._queue and len(commands) < FRAME_COMMANDS_MAX and size < FRAME_BYTES_MAX:
                if commands and size + len(self._queue[0][0]) > FRAME_BYTES_MAX:
                    break
                command, future = self._queue.popleft()
                self._queued_bytes -= len(command)
                if future.done():  # its caller gave up while it was queued: it was never proposed
                    continue
                commands.append(command)
                futures.append(future)
                size += len(command)
                if future is self._barrier:
                    self._barrier = None  # a later caller needs a later commit
            if not commands:
                continue
            self._sequence += 1
            lowest = min(self._waiting, default=self._sequence)
            frame = codec.encode_frame(codec.Frame(self.front, self._sequence, lowest, tuple(commands)))
            self._waiting[self._sequence] = futures
            self._frames[self._sequence] = frame
            self._sent_s[self._sequence] = asyncio.get_running_loop().time()
            self._send(self._sequence, frame)
