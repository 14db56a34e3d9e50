"""Ticks to come that are this agent's, and that it starts by itself where it reaches no node.

Rules (docs/decisions/0128-reserved-ticks.md):

1. What is kept here is on disk before it counts. It starts as the attempt that it was reserved as, in the
   same way as any: its claim is on disk first, and what was claimed, or has ended, never starts once more.
2. It starts when its instant has come and no Ping of the last CONTACT_MS was answered by a node that may
   speak for the cluster. Else the cluster fires it, and asks pauses, overlap and the rest: it comes as an
   Assign. One whose Assign or Grant is under way as the contact ends needs neither.
3. What is given back is forgotten, on disk, before that is said, and it is said until it is acknowledged.
   Until then the same tick is not taken again, from a node that has heard less.
4. The clock is the node's as it was known last, carried on by CLOCK_BOOTTIME: no step of the host's clock
   makes a tick early or late. After a new start of the agent it is known from the disk; after one of the
   host it is the host's.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable
from functools import partial

from agent.clock import HostClock, NodeClock
from agent.journal import Journal
from agent.spool.client import SpoolerClient
from agent.work.claimed import Claimed, Phase
from agent.work.claims import work_of
from agent.work.reports import FINISHED_AGAIN_MS, Reports
from agent.work.starting import Starting
from scheduler.protocol import (
    CONTACT_MS,
    GIVEN_BACK_MAX,
    RESERVED_HELD_MAX,
    Ack,
    AllReserved,
    AskBack,
    Assign,
    GivenBack,
    Message,
    Reserved,
)

log = logging.getLogger("agent.reserved")
LOOK_MS = 1_000.0
EVER_MS = 1e15  #: after all boot times: no rule of claims makes what was reserved void
CLAIM = "reserved"


class Reservations:
    def __init__(
        self,
        held: dict[int, Claimed],
        reports: Reports,
        starting: Starting,
        journal: Journal,
        spooler: SpoolerClient,
        clock: HostClock,
        node_clock: NodeClock,
        send: Callable[[Message], None],
        *,
        boot_id: str = "",
    ) -> None:
        self._held = held
        self._reports = reports
        self._starting = starting
        self._journal = journal
        self._spooler = spooler
        self._clock = clock
        self._node_clock = node_clock
        self._send = send
        self._boot_id = boot_id
        self._contact_ms = clock.boot_ms()  #: a process that has just begun may find a node yet
        self._safe = set(journal.book.reserved)  #: on disk
        self._claiming: set[int] = set()  #: their claims are on their way there
        self._sent_ms = dict.fromkeys(journal.book.given_back, 0.0)  #: of what is on disk, by event
        self._timer: asyncio.TimerHandle | None = None
        self.leaving = False  #: this process ends: the next one starts what is due
        if journal.book.clock is not None and journal.book.clock[0] == boot_id:
            node_clock.begin(journal.book.clock[1])

    # -- what nodes say

    def contact(self, asked_ms: float) -> None:
        """A node that may speak for the cluster answered a Ping that was sent then."""
        self._contact_ms = max(self._contact_ms, asked_ms)

    def reserve(self, message: Reserved) -> None:
        book, attempt = self._journal.book, message.attempt
        known = attempt in book.reserved or attempt in self._held or self._reports.has_ended(attempt)
        if known or attempt in book.unreserved or len(book.reserved) >= RESERVED_HELD_MAX:
            return
        self._journal.reserve(message, self._boot_id, self._node_clock.offset, lambda: self._kept(attempt))

    def _kept(self, attempt: int) -> None:
        if attempt in self._journal.book.reserved:
            self._safe.add(attempt)
            self.wake()

    def all_are(self, message: AllReserved) -> None:
        """Of others a person said that this agent is gone for good."""
        gone = self._journal.book.reserved.keys() - set(message.attempts)
        if gone:
            log.warning("%d ticks that it had in advance are no longer its own", len(gone))
            self._forget(sorted(gone))

    def ask_back(self, message: AskBack) -> None:
        """What runs, or has ended, is told anyway; what was given back before is said again."""
        back = [
            attempt
            for attempt in message.attempts
            if attempt not in self._held
            and not self._reports.has_ended(attempt)
            and attempt not in self._claiming
            and attempt not in self._journal.book.unreserved
        ]
        self.give_back(back)

    def leave_cluster(self) -> None:
        """It was restored, and gives anew what is to come."""
        self._forget(sorted(self._journal.book.reserved))
        self._journal.told_back(list(self._journal.book.given_back))

    def acknowledged(self, ack: Ack) -> None:
        events = [event for event in ack.events if event in self._journal.book.given_back]
        if events:
            self._journal.told_back(events)
            for event in events:
                self._sent_ms.pop(event, None)

    def say_again(self, *, all_of_them: bool) -> None:
        now_ms = self._clock.boot_ms()
        for event, message in self._journal.book.given_back.items():
            sent_ms = self._sent_ms.get(event)
            if sent_ms is not None and (all_of_them or now_ms - sent_ms >= FINISHED_AGAIN_MS):
                self._say(message)

    # -- what it does alone

    def cut_off(self) -> bool:
        return self._clock.boot_ms() - self._contact_ms > CONTACT_MS

    def of(self, attempt: int) -> Reserved | None:
        """The reserved tick that this attempt is, if it is kept for sure."""
        return self._journal.book.reserved.get(attempt) if attempt in self._safe else None

    def wake(self) -> None:
        """Look now, and then as long as there is something to look at."""
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(0, self.look)

    def look(self) -> None:
        """Start what is due where no node is reached."""
        if self._timer is not None:
            self._timer.cancel()
        self._timer = None
        reserved = self._journal.book.reserved
        waiting = [each for each in self._held.values() if each.reserved is not None]
        if not reserved and not waiting:
            return
        now_ms = self._node_clock.now_ms()
        if self.cut_off():
            for claimed in waiting:
                if claimed.phase is Phase.CLAIMED and claimed.safe and claimed.reserved is not None:
                    self._grant(claimed, claimed.reserved)
            due = sorted((r.due_ms, r.attempt) for r in reserved.values() if r.due_ms <= now_ms)
            for _, attempt in due:
                if attempt in self._safe:
                    self._begin(reserved[attempt], now_ms)
        first_ms = min((r.due_ms for r in reserved.values() if r.due_ms > now_ms), default=now_ms + LOOK_MS)
        wait_ms = min(LOOK_MS, max(1.0, first_ms - now_ms))
        self._timer = asyncio.get_running_loop().call_later(wait_ms / 1000, self.look)

    def _begin(self, reserved: Reserved, now_ms: float) -> None:
        attempt = reserved.attempt
        if self._journal.full or self._spooler.silent or self.leaving:
            return
        if now_ms - reserved.due_ms > reserved.late_ms:
            self.give_back([attempt])
            return
        other = self._in_the_way(reserved)
        if other is not None:
            self.give_back([attempt], "overlap", other)
            return
        assign = assign_of(reserved)
        claimed = Claimed(attempt, assign, CLAIM, Phase.CLAIMED, reserved=reserved)
        claimed.journal = self._spooler.journal if self._starting.spools(assign) else ""
        self._held[attempt] = claimed
        self._safe.discard(attempt)
        self._claiming.add(attempt)
        log.warning("no node is reached: attempt %d of %s starts as reserved", attempt, reserved.job)

        def safe() -> None:
            self._claiming.discard(attempt)
            claimed.safe = True
            if self._held.get(attempt) is claimed:
                self._grant(claimed, reserved)

        self._journal.claim(attempt, CLAIM, safe, work_of(assign), claimed.journal)

    def _in_the_way(self, reserved: Reserved) -> int | None:
        if not reserved.alone:
            return None
        of = (reserved.namespace, reserved.job)
        works = self._journal.book.works
        for attempt, claimed in self._held.items():
            work = works.get(attempt)
            if claimed.attempt != reserved.attempt and work is not None and (work.namespace, work.job) == of:
                return attempt
        return None

    def _grant(self, claimed: Claimed, reserved: Reserved) -> None:
        """By its own right."""
        if claimed.phase is not Phase.CLAIMED or claimed.cancelled:
            return
        claimed.phase, claimed.fence = Phase.GRANTED, reserved.fence
        claimed.environment = reserved.environment
        claimed.before, claimed.after = reserved.before, reserved.after
        claimed.valid_until_ms = EVER_MS
        self._starting.when_due(claimed, assign_of(reserved))

    # -- giving back

    def give_back(self, attempts: list[int], reason: str = "", behind: int = 0) -> None:
        """The last first: so each goes back to the end of what is left."""
        ordered = sorted(attempts, reverse=True)
        for start in range(0, len(ordered), GIVEN_BACK_MAX):
            part = tuple(ordered[start : start + GIVEN_BACK_MAX])
            message = GivenBack(self._journal.event(), part, reason, behind)
            self._safe.difference_update(part)
            self._journal.give_back(message, partial(self._say, message))

    def _say(self, message: GivenBack) -> None:
        self._sent_ms[message.event] = self._clock.boot_ms()
        self._send(message)

    def _forget(self, attempts: list[int]) -> None:
        self._safe.difference_update(attempts)
        self._journal.forget_reserved(attempts)


def assign_of(reserved: Reserved) -> Assign:
    """The same as an assignment."""
    return Assign(
        attempt=reserved.attempt, run=reserved.run, job=reserved.job, namespace=reserved.namespace,
        task=reserved.task, member="", round=0, number=1, tick_ms=reserved.tick_ms, due_ms=reserved.due_ms,
        work=reserved.work, timeout_ms=reserved.timeout_ms, grace_ms=reserved.grace_ms,
        kill_on_lease_end=False, output_bytes_max=reserved.output_bytes_max,
    )  # fmt: skip
