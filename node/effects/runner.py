"""The runner of the leader's front: sends what waits in the outbox, and reports what became of it.

Rules of this file:

1. Only what is in the state is sent: it was committed. Only while this node leads in the stored epoch; a try
   that is under way when the office is lost comes to its end, and its report counts all the same.
2. At least once: a row goes when its report is committed, not before. Between the two a leader may die, and
   the next one sends it again, under the same id.
3. At most SENDING_MAX at a time, and TARGET_MAX of them to one target. A target that failed rests, longer
   each time, then is tried with one: a dead receiver costs the others nothing. When a row is tried again is
   the state's word (`machine.rules.sending`), not this file's.
4. What an effect raises is a failure of that try and nothing else.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass

from api.ports import NoLeaderError, OverloadedError, StorageLowError, UnavailableError
from node.effects.contract import SEND_S, Effect, Parcel, UnsentError
from scheduler.store.connection import Store
from scheduler.store.reads import outbox as outbox_reads
from scheduler.store.tables import outbox, restores
from scheduler.words.commands import Command, ReportSent, ReportUnsent
from scheduler.words.outcomes import Outcome

log = logging.getLogger("cronclave.effects")

SENDING_MAX = 32
TARGET_MAX = 4
LOOK_S = 1.0  #: between two looks, when no event says that there is something to send
REPORT_S = 30.0  #: a report that nobody takes is given up, and the effect sent again
REPORT_PAUSE_S = 0.5
REST_FIRST_S = 2.0
REST_LONGEST_S = 300.0
TARGETS_KEPT = 1_000
EXPIRED = "its time was over before a try came to it"


@dataclass(slots=True)
class _Target:
    """What is known of where things go. Lost with the office: then it is asked anew."""

    sending: int = 0
    failures: int = 0  #: in a row
    rests_until_s: float = 0.0

    def takes(self, now_s: float) -> int:
        """How many more may be sent there now."""
        if now_s < self.rests_until_s:
            return 0
        return (1 if self.failures else TARGET_MAX) - self.sending

    def tried(self, is_sent: bool, now_s: float) -> None:
        """What fails together counts once."""
        if is_sent:
            self.failures = 0
        elif now_s >= self.rests_until_s:
            self.failures += 1
            rest_s = min(REST_LONGEST_S, REST_FIRST_S * 2 ** min(self.failures - 1, 20))
            self.rests_until_s = now_s + rest_s


class Runner:
    def __init__(
        self,
        effects: Mapping[str, Effect],
        *,
        holds_office: Callable[[], bool],
        open_store: Callable[[], Store],
        propose: Callable[[Command], Awaitable[Outcome]],
        now_ms: Callable[[], int],
        send_s: float = SEND_S,
    ) -> None:
        self._effects = effects
        self._holds_office = holds_office
        self._open_store = open_store
        self._propose = propose
        self._now_ms = now_ms
        self._send_s = send_s
        self._targets: dict[str, _Target] = {}
        self._sending: dict[int, asyncio.Task[None]] = {}
        self._poked = asyncio.Event()

    def poke(self) -> None:
        """There may be something to send."""
        self._poked.set()

    async def run(self) -> None:
        """For the life of the front."""
        try:
            while True:
                self._poked.clear()
                if self._holds_office():
                    self._begin_due()
                elif not self._sending:
                    self._targets.clear()
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(LOOK_S):  # wait_for of 3.11 may swallow a cancellation
                        await self._poked.wait()
        finally:
            for task in self._sending.values():
                task.cancel()

    def _begin_due(self) -> None:
        """Begin as many as there is room for; of targets that take nothing now no row is looked at."""
        now_s = asyncio.get_running_loop().time()
        self._forget_idle(now_s)
        store = self._open_store()
        with store.snapshot():
            now_ms, source = self._now_ms(), restores.lineage(store)
            cluster: str = store.value("SELECT cluster FROM state WHERE id = 1")
            while (room := SENDING_MAX - len(self._sending)) > 0:
                busy = [name for name, target in self._targets.items() if target.takes(now_s) <= 0]
                due = outbox_reads.due(store, now_ms, room + len(self._sending), except_for=busy)
                begun = 0
                for row in due:
                    target = self._targets.setdefault(row.target, _Target())
                    if len(self._sending) >= SENDING_MAX:
                        break
                    if row.id in self._sending or target.takes(now_s) <= 0:
                        continue
                    parcel = Parcel(
                        f"{source}-{row.id}", row.target, row.about, cluster, row.created_ms,
                        json.loads(row.payload), row.channel,
                    )  # fmt: skip
                    target.sending += 1
                    task = self._send(row, parcel, target, is_over=row.until_ms <= now_ms)
                    self._sending[row.id] = asyncio.create_task(task, name=f"effect {row.id}")
                    begun += 1
                if not begun:
                    return

    def _forget_idle(self, now_s: float) -> None:
        """Of targets that nothing is wrong with nothing need be known; of the others not without end."""
        idle = [
            name
            for name, target in self._targets.items()
            if not target.sending and (not target.failures or len(self._targets) > TARGETS_KEPT)
        ]
        for name in idle:
            del self._targets[name]

    async def _send(self, row: outbox.Effect, parcel: Parcel, target: _Target, *, is_over: bool) -> None:
        try:
            if is_over:
                failure: UnsentError | None = UnsentError(row.reason or EXPIRED, is_final=True)
            else:
                failure = await self._try(row, parcel)
                target.tried(failure is None, asyncio.get_running_loop().time())
            target.sending -= 1
            if failure is None:
                await self._report(ReportSent(row.id))
                return
            log.info("effect %d (%s) was not sent: %s", row.id, row.kind, failure.reason)
            wait_ms = int(failure.wait_s * 1000)
            await self._report(
                ReportUnsent(row.id, row.attempts + 1, failure.reason, failure.is_final, wait_ms)
            )
        finally:
            del self._sending[row.id]
            self._poked.set()

    async def _try(self, row: outbox.Effect, parcel: Parcel) -> UnsentError | None:
        effect = self._effects.get(row.kind)
        if effect is None:
            return UnsentError(f"this version sends no {row.kind}", is_final=True)
        try:
            async with asyncio.timeout(self._send_s):
                await effect.send(parcel)
        except UnsentError as error:
            return error
        except TimeoutError:
            return UnsentError(f"no answer within {self._send_s:g} s")
        except Exception as error:  # an effect's defect must not end the front
            log.exception("effect %d (%s)", row.id, row.kind)
            return UnsentError(f"a defect: {error!r:.200}")
        return None

    async def _report(self, report: Command) -> None:
        """Until the log has it. One that nobody takes is dropped: the row is still there, and sent again."""
        give_up_s = asyncio.get_running_loop().time() + REPORT_S
        while True:
            try:
                await self._propose(report)
                return
            except (NoLeaderError, OverloadedError, StorageLowError, UnavailableError) as error:
                if asyncio.get_running_loop().time() >= give_up_s:
                    log.warning("%s could not be reported: %s", report, error)
                    return
            await asyncio.sleep(REPORT_PAUSE_S)
