"""The front's own proposals: batched, numbered, answered once.

Commands of one loop turn share a frame, and what can wait those of a step of the grid (grid.py); what leaves
takes all along that waits, in the order of lanes.py. At most IN_FLIGHT_MAX frames wait for their commit, so
that under load frames grow instead of multiplying (bigger rounds win). The lowest number still waited for
goes with each frame: what lies below it the state may forget. What the log cannot hold is refused here, and
never raises: a caller may be the planner, whose end would be the front's. Work that can be asked for again
is refused while what waits already takes more than WAIT_S_MAX.
"""

from __future__ import annotations

import asyncio
import itertools
import math
import secrets
from collections.abc import Callable, Sequence

from api.ports import NoLeaderError, OverloadedError
from node.grid import Grid
from node.lanes import COMMAND_WEIGHT, Lane, Lanes, Throughput, Waiting, lane_of
from scheduler.words import codec, sizes
from scheduler.words.commands import Barrier, Command
from scheduler.words.outcomes import Code, Outcome

IN_FLIGHT_MAX = 4
QUEUED_MAX = 20_000
QUEUED_BYTES_MAX = 64 << 20
WAIT_S_MAX = 2.0
UNANSWERED = "no leader answered in time; the outcome is unknown"


def known(outcome: Outcome) -> asyncio.Future[Outcome]:
    """One that nobody has to wait for."""
    future: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
    future.set_result(outcome)
    return future


class Proposals:
    """Turns commands into numbered frames and outcomes into results."""

    def __init__(
        self,
        send: Callable[[int, bytes, bool], None],
        abandon: Callable[[int], None],
        grid: Grid | None = None,
    ) -> None:
        self.front = secrets.token_hex(8)
        self.grid = grid or Grid()
        self._send = send
        self._abandon = abandon
        self._sequence = 0
        self._lanes = Lanes()
        self._waiting: dict[int, list[Waiting]] = {}
        self._frames: dict[int, bytes] = {}
        self._barrier: asyncio.Future[Outcome] | None = None
        self._flush_planned = False
        self._hurries = False  #: of what is due: not all of it can wait
        self._is_due = False  #: what waits would leave, were there room under way
        self._instant: asyncio.TimerHandle | None = None  #: of the grid, at which it becomes due
        self._throughput = Throughput()
        self._sent_s: dict[int, float] = {}
        self._look: asyncio.TimerHandle | None = None  #: at who waited too long, `_look_s`
        self._look_s = math.inf

    @property
    def commit_s(self) -> float:
        return self.grid.commit_s

    async def propose(self, command: Command, timeout_s: float, *, can_wait: bool = False) -> Outcome:
        """The outcome of one command; `can_wait`: for an instant of the grid. Raises OverloadedError,
        NoLeaderError."""
        return await self.begin(command, timeout_s, can_wait=can_wait)

    def begin(
        self, command: Command, timeout_s: float, *, can_wait: bool = False
    ) -> asyncio.Future[Outcome]:
        """As `propose`, not awaited yet. Raises OverloadedError."""
        if len(self._lanes) >= QUEUED_MAX or self._lanes.bytes >= QUEUED_BYTES_MAX:
            waits = f"{len(self._lanes)} commands of {self._lanes.bytes} bytes"
            raise OverloadedError(f"{waits} wait already")
        encoded = sizes.written(command)
        if isinstance(encoded, Outcome):
            return known(encoded)
        lane = lane_of(command)
        if lane is Lane.PEOPLE and command.grows:
            self._refuse_beyond(len(encoded))
        return self._enqueue(encoded, lane, can_wait=can_wait, timeout_s=timeout_s)

    def _refuse_beyond(self, size: int) -> None:
        """Raises OverloadedError, with the time that is to pass."""
        under_way = sum(self._weight(sequence) for sequence in self._frames)
        weight = under_way + self._lanes.weight_before_plans() + size + COMMAND_WEIGHT
        wait_s = self._throughput.wait_s(weight)
        if wait_s > WAIT_S_MAX:
            raise OverloadedError(f"what waits already takes some {wait_s:.0f} s", wait_s)

    def _weight(self, sequence: int) -> int:
        """Of a frame that is under way."""
        return len(self._frames.get(sequence, b"")) + COMMAND_WEIGHT * len(self._waiting.get(sequence, ()))

    async def propose_all(
        self, commands: Sequence[Command], timeout_s: float, *, can_wait: bool = False
    ) -> list[Outcome]:
        """The outcomes of a planner's batch, in order. Raises NoLeaderError."""
        if not commands:
            return []
        futures = [self._admit(command, can_wait=can_wait) for command in commands]
        _, pending = await asyncio.wait(futures, timeout=timeout_s)
        if pending:
            for future in pending:
                future.cancel()
            raise NoLeaderError("no outcome in time")
        return [future.result() for future in futures]

    async def barrier(self, timeout_s: float) -> None:
        """Concurrent callers share the next commit that has not left yet. Raises NoLeaderError."""
        if self._barrier is None or self._barrier.done():
            self._barrier = self._enqueue(codec.encode_command(Barrier()), Lane.PEOPLE, can_wait=False)
        try:
            async with asyncio.timeout(timeout_s):
                await asyncio.shield(self._barrier)
        except TimeoutError:
            self._forget_abandoned()
            raise NoLeaderError("no leader answered in time, and an up-to-date read needs one") from None

    def resend(self) -> None:
        """The core is a new one (or the first): give it every frame that waits."""
        for sequence, frame in self._frames.items():
            self._send(sequence, frame, False)

    def leader_changed(self) -> None:
        """What waits now waited for an election: its time says nothing of commits. Counted, it would have a
        planner that takes office after a loss decide far ahead for a while, and that leader's heir find
        nothing to decide until its turn comes."""
        self._sent_s.clear()
        self._throughput.begin(asyncio.get_running_loop().time())

    def resolve(self, sequence: int, outcomes: bytes) -> None:
        now_s = asyncio.get_running_loop().time()
        weight = self._weight(sequence)
        found = self._waiting.pop(sequence, None)
        self._frames.pop(sequence, None)
        sent_s = self._sent_s.pop(sequence, None)
        if sent_s is not None:
            self.grid.commit_s += (now_s - sent_s - self.commit_s) * 0.05
        is_backed_up = self._is_due and len(self._waiting) >= IN_FLIGHT_MAX - 1
        self._throughput.done(weight, now_s, is_backed_up=is_backed_up)
        if found is not None:
            for waiting, outcome in zip(found, codec.decode_outcomes(outcomes), strict=True):
                if not waiting.future.done():
                    waiting.future.set_result(outcome)
        self._go_on()

    def refuse(self, sequence: int, reason: str) -> None:
        """The core did not take this frame: it is in no log, and will be in none."""
        self._frames.pop(sequence, None)
        self._sent_s.pop(sequence, None)
        for waiting in self._waiting.pop(sequence, ()):
            if not waiting.future.done():
                waiting.future.set_result(Outcome(Code.TOO_LARGE, reason))
        self._go_on()

    def _admit(self, command: Command, *, can_wait: bool) -> asyncio.Future[Outcome]:
        encoded = sizes.written(command)
        if not isinstance(encoded, Outcome):
            return self._enqueue(encoded, lane_of(command), can_wait=can_wait)
        return known(encoded)

    def _enqueue(
        self, command: bytes, lane: Lane, *, can_wait: bool, timeout_s: float = math.inf
    ) -> asyncio.Future[Outcome]:
        loop = asyncio.get_running_loop()
        future: asyncio.Future[Outcome] = loop.create_future()
        until_s = loop.time() + timeout_s
        self._lanes.add(lane, Waiting(command, future, until_s))
        if until_s < self._look_s:
            self._look_at(until_s)
        wait_s = self.grid.wait_s() if can_wait and not self._is_due else 0.0
        self._hurries = self._hurries or not can_wait
        if not wait_s:
            self._fall_due()
        elif self._instant is None:
            self._instant = loop.call_later(wait_s, self._fall_due)
        return future

    def _fall_due(self) -> None:
        self._is_due = True
        if self._instant is not None:
            self._instant.cancel()
            self._instant = None
        self._plan_flush()

    def _look_at(self, instant_s: float) -> None:
        if self._look is not None:
            self._look.cancel()
        self._look_s = instant_s
        self._look = asyncio.get_running_loop().call_at(instant_s, self._give_up)

    def _give_up(self) -> None:
        """Tell those who waited too long. One timer for all: most are answered long before."""
        self._look, self._look_s = None, math.inf
        now_s, next_s, overdue = asyncio.get_running_loop().time(), math.inf, False
        for waiting in itertools.chain(self._lanes, *self._waiting.values()):
            if waiting.future.done():
                continue
            if waiting.until_s <= now_s:
                overdue = True
                waiting.future.set_exception(NoLeaderError(UNANSWERED))
            else:
                next_s = min(next_s, waiting.until_s)
        if next_s < math.inf:
            self._look_at(next_s)
        if overdue:
            self._forget_abandoned()

    def _forget_abandoned(self) -> None:
        for sequence, found in list(self._waiting.items()):
            if all(waiting.future.done() for waiting in found):
                del self._waiting[sequence]
                self._frames.pop(sequence, None)
                self._sent_s.pop(sequence, None)
                self._abandon(sequence)
        self._go_on()

    def _go_on(self) -> None:
        """There may be room for one more under way."""
        if self._is_due:
            self._plan_flush()

    def _plan_flush(self) -> None:
        if not self._flush_planned and len(self._waiting) < IN_FLIGHT_MAX:
            self._flush_planned = True
            asyncio.get_running_loop().call_soon(self._flush)

    def _flush(self) -> None:
        self._flush_planned = False
        while self._lanes and len(self._waiting) < IN_FLIGHT_MAX:
            taken = self._lanes.take()
            if not taken:
                continue
            self._sequence += 1
            lowest = min(self._waiting, default=self._sequence)
            commands = tuple(waiting.command for waiting in taken)
            frame = codec.encode_frame(codec.Frame(self.front, self._sequence, lowest, commands))
            self._waiting[self._sequence] = taken
            self._frames[self._sequence] = frame
            self._sent_s[self._sequence] = asyncio.get_running_loop().time()
            if self._barrier is not None and any(waiting.future is self._barrier for waiting in taken):
                self._barrier = None  # a later caller needs a later commit
            self._send(self._sequence, frame, not self._hurries)
        self._is_due = len(self._lanes) > 0
        self._hurries = self._hurries and self._is_due
