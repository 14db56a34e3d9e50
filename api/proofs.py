"""Proofs of the ledger: the one read that may take minutes, bounded in number, length and what it disturbs.

1. One is at work at a time, on a thread of its own (`threads.LONG_READS`); PROOFS_MAX are at work or in line,
   whoever asks. Who comes beyond them is told to come again (429).
2. Who asks for the range of a proof that has not begun, or that began with the state as he may see it, gets
   that one: ten who ask the same are one proof.
3. Between two slices it looks up: it ends when nobody waits for it any more, and when the range turns out to
   hold more than TICKS_MAX. Then it rests for a share of what the slice took, since it holds the interpreter
   that answers everybody else.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from typing import Any

from api.connection import LOOK_S, forget_client, leave_if_gone
from api.ports import Scheduler
from api.problems import Problem, query_problem
from api.threads import LONG_READS, encode
from scheduler.store.connection import Store
from scheduler.verify import Verification, verify

PROOFS_MAX = 4
TICKS_MAX = 5_000_000  #: due instants and ledger entries of one proof
REST_OF_WORK = 0.25
REST_MOST_S = 0.1
RETRY_AFTER_S = 10

Range = tuple[int, int]
Say = Callable[[Store, Verification], dict[str, Any]]


class _NobodyWaits(Exception):
    """All who asked have gone."""


class Proof:
    """One proof, for all who asked for its range."""

    __slots__ = ("due", "entries", "entries_of", "index", "readers", "task")

    def __init__(self) -> None:
        self.readers = 0
        self.entries = self.entries_of = self.due = 0  #: as `Verification` has them so far
        self.index: int | None = None  #: of the state as it began with; None: it stands in line
        self.task: asyncio.Task[bytes]

    def serves(self, index: int) -> bool:
        return self.index is None or self.index >= index


def _take_error(task: asyncio.Task[bytes]) -> None:
    """Who waits is told of it; where nobody does, nobody need be."""
    if not task.cancelled():
        task.exception()


class Proofs:
    """Those of one node. Called in the loop."""

    def __init__(self) -> None:
        self.begun = 0  #: in all, for the curious and for tests
        self._present: list[tuple[Range, Proof]] = []

    def present(self) -> list[tuple[Range, Proof]]:
        """Those that are at work or in line, in this order."""
        return list(self._present)

    async def of(
        self, scheduler: Scheduler, range_: Range, index: int, say: Say
    ) -> bytes:
        """The verification of (from, to] as JSON; the state is at `index` or beyond. Raises Problem."""
        proof = next((p for found, p in self._present if found == range_ and p.serves(index)), None)
        if proof is None:
            if len(self._present) >= PROOFS_MAX:
                raise Problem(
                    "too-many-requests", f"{PROOFS_MAX} other ranges of the ledger are being verified here",
                    hint="Wait for them, or ask another node.", headers={"Retry-After": str(RETRY_AFTER_S)},
                )  # fmt: skip
            proof = Proof()
            self._present.append((range_, proof))
            proof.task = asyncio.create_task(self._made(scheduler, range_, proof, say))
            proof.task.add_done_callback(_take_error)
        proof.readers += 1
        try:
            while not (await asyncio.wait({proof.task}, timeout=LOOK_S))[0]:
                leave_if_gone()
            return proof.task.result()
        finally:
            proof.readers -= 1

    async def _made(
        self, scheduler: Scheduler, range_: Range, proof: Proof, say: Say
    ) -> bytes:
        forget_client()  # it works for all who ask
        try:
            return await LONG_READS.run(lambda: self._prove(scheduler, range_, proof, say))
        except _NobodyWaits:
            return b""
        finally:
            self._present = [(found, p) for found, p in self._present if p is not proof]

    def _prove(
        self, scheduler: Scheduler, range_: Range, proof: Proof, say: Say
    ) -> bytes:
        """On the thread."""
        slice_began_s = time.monotonic()

        def look_up(result: Verification) -> None:
            nonlocal slice_began_s
            proof.entries, proof.entries_of, proof.due = result.entries, result.entries_of, result.due
            if not proof.readers:
                raise _NobodyWaits
            if result.due + result.entries > TICKS_MAX:
                detail = f"more than {TICKS_MAX} ticks and ledger entries are in this range"
                raise query_problem("from", detail, "Verify it in parts.")
            time.sleep(min(REST_MOST_S, REST_OF_WORK * (time.monotonic() - slice_began_s)))
            slice_began_s = time.monotonic()

        if not proof.readers:
            raise _NobodyWaits
        self.begun += 1
        proof.index = scheduler.index
        reader = scheduler.reader()
        found = verify(reader, *range_, now_ms=scheduler.now_ms(), look_up=look_up)
        return encode(say(reader, found))
