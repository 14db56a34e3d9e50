"""The leader looks through the ledger, all the time and never hastily: is what was due decided, once?

Rules:

1. Every PERIOD_S it looks at the last RECENT_MS, and from the beginning to now: `scheduler.verify`, on a
   thread of its own. A whole look that takes longer than the period is interrupted for the recent ones.
2. SHARE of one processor is what it takes: after each slice it rests for a multiple of the processor time
   that the slice took. So a whole look over much history takes long, and nobody waits for it.
3. A difference is looked at again, by itself, before it is told: `TellProof` is committed, so every node
   shows it, whoever leads by then. Only a whole look without any takes it back.
4. It looks while it holds the office, from PERIOD_S on: who has just taken it has other things to do. What
   cannot be read now is tried again.
"""

from __future__ import annotations

import asyncio
import logging
import threading
import time
from collections.abc import Awaitable, Callable, Sequence

from api.ports import NoLeaderError, OverloadedError, Proved, UnavailableError
from scheduler.store.connection import QueryTooLongError, Store
from scheduler.store.tables import differences
from scheduler.store.tables.differences import Difference
from scheduler.verify import Problem, Verification, verify
from scheduler.words.commands import Command, TellProof
from scheduler.words.outcomes import Outcome

PERIOD_S = 60.0
RECENT_MS = 3_600_000
SHARE = 0.05
REST_MOST_S = 10.0  #: at once, before it looks whether it still holds the office
BEFORE_ALL_MS = 0
DETAIL_MAX = 300
AGAIN_MAX = 10  #: differences that are looked at again, until one is still there

log = logging.getLogger("cronclave.watch")


class _GivenUp(Exception):
    """The office is over, the node ends, or what was found does not stay."""


class Watch:
    """Of one front."""

    def __init__(
        self,
        *,
        epoch_held: Callable[[], int | None],
        open_store: Callable[[], Store],
        now_ms: Callable[[], int],
        propose: Callable[[Sequence[Command]], Awaitable[list[Outcome]]],
        proved: Proved,
        period_s: float = PERIOD_S,
        share: float = SHARE,
    ) -> None:
        self._epoch_held, self._open_store, self._now_ms = epoch_held, open_store, now_ms
        self._propose, self._proved = propose, proved
        self._period_s, self._share = period_s, share
        self._ends = threading.Event()
        self._recent_s = 0.0

    async def run(self) -> None:
        """For the life of the front."""
        try:
            while True:
                await asyncio.sleep(self._period_s)
                if (epoch := self._epoch_held()) is not None:
                    await self._look(epoch)
        finally:
            self._ends.set()

    async def _look(self, epoch: int) -> None:
        try:
            found, is_whole = await asyncio.to_thread(self._whole, epoch)
            await self._tell(epoch, found, is_whole=is_whole)
        except (QueryTooLongError, UnavailableError, NoLeaderError, OverloadedError, _GivenUp) as error:
            log.info("the look through the ledger ended early: %r", error)

    async def _tell(self, epoch: int, found: Verification, *, is_whole: bool) -> None:
        known = differences.get(self._open_store())
        if found.ok and (known is None or not is_whole):
            return
        command = TellProof(epoch, 0) if found.ok else _told(epoch, found)
        if known is not None and _is_told(known, command):
            return
        if not found.ok:
            first = found.problems[0]
            log.error("the ledger differs from what was due: %d times, first %s", found.problem_count, first)
        await self._propose([command])

    # -- on the thread ----------------------------------------------------------------------------

    def _whole(self, epoch: int) -> tuple[Verification, bool]:
        """From the beginning to now; of less where the last hour alone shows a difference."""
        self._recent_s = 0.0
        recent: list[Verification] = []
        spent = _Spent(self._share, self._ends)

        def look_up(_: Verification) -> None:
            spent.rest()
            if self._ends.is_set() or self._epoch_held() != epoch:
                raise _GivenUp
            now_s = time.monotonic()
            if now_s - self._recent_s >= self._period_s:
                self._recent_s = now_s
                found = self._verified(self._now_ms() - RECENT_MS, lambda _: None)
                self._proved.recent_ms = self._now_ms()
                if not found.ok:
                    recent.append(found)
                    raise _Found

        begun_s, now_ms = time.monotonic(), self._now_ms()
        try:
            found = self._verified(BEFORE_ALL_MS, look_up)
        except _Found:
            return recent[-1], False
        self._proved.whole_ms, self._proved.took_s = now_ms, time.monotonic() - begun_s
        self._proved.due, self._proved.entries = found.due, found.entries
        return found, True

    def _verified(self, from_ms: int, look_up: Callable[[Verification], None]) -> Verification:
        """What is found is looked at a second time, alone: what is gone by then does not count, and says
        nothing of what was found behind it."""
        store, now_ms = self._open_store(), self._now_ms()
        found = verify(store, from_ms, now_ms, now_ms=now_ms, look_up=look_up)
        if found.ok or any(each.kind == "chain" for each in found.problems):
            return found
        gone = 0
        for problem in found.problems[:AGAIN_MAX]:
            at_ms = problem.instant_ms
            again = verify(store, at_ms - 1, at_ms, now_ms=self._now_ms(), look_up=look_up)
            if _is_in(problem, again):
                break
            gone += 1
        found.problems, found.problem_count = found.problems[gone:], found.problem_count - gone
        if gone == AGAIN_MAX and not found.ok:
            raise _GivenUp(f"{gone} differences were gone when they were looked at again, and there are more")
        return found


class _Found(Exception):
    """The last hour differs: the whole need not be waited for."""


def _is_in(problem: Problem, again: Verification) -> bool:
    seen = {(each.kind, each.trigger, each.instant_ms) for each in again.problems}
    return (problem.kind, problem.trigger, problem.instant_ms) in seen


def _is_told(known: Difference, command: TellProof) -> bool:
    return known[1:] == (command.problems, command.kind, command.job, command.at_ms, command.detail)


def _told(epoch: int, found: Verification) -> TellProof:
    first = found.problems[0]
    return TellProof(
        epoch,
        found.problem_count,
        first.kind,
        max(0, first.job),
        max(0, first.instant_ms),
        first.detail[:DETAIL_MAX],
    )


class _Spent:
    """Rests so long that the share holds."""

    def __init__(self, share: float, ends: threading.Event) -> None:
        self._rests, self._ends = 1 / share - 1, ends
        self._worked_s = time.thread_time()
        self._owed_s = 0.0

    def rest(self) -> None:
        now_s = time.thread_time()
        self._owed_s += (now_s - self._worked_s) * self._rests
        while self._owed_s > 0 and not self._ends.is_set():
            part_s = min(REST_MOST_S, self._owed_s)
            self._ends.wait(part_s)
            self._owed_s -= part_s
        self._worked_s = time.thread_time()
