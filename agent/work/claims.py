"""From the assignment to the grant: what this agent claims, and with which words.

Rules: a claim is on disk before it is sent, and is sent again with the same id until it is answered. Nothing
that has ended here, or that is held, is claimed a second time.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from agent.clock import HostClock
from agent.history import Work
from agent.journal import Journal
from agent.spool.client import SpoolerClient
from agent.spool.wire import Secret
from agent.work.claimed import Claimed, Phase
from agent.work.reports import Reports
from agent.work.starting import Starting
from scheduler.protocol import Assign, Claim, Grant, Message, Pong, Refuse, Reserved

CLAIM_AGAIN_MS = 1_000
GRANT_AGAIN_MS = 4_000  #: while a granted attempt waits for its due instant


class Claims:
    def __init__(
        self,
        held: dict[int, Claimed],
        reports: Reports,
        starting: Starting,
        journal: Journal,
        spooler: SpoolerClient,
        clock: HostClock,
        session: str,
        send: Callable[[Message], None],
    ) -> None:
        self._held = held
        self._reports = reports
        self._starting = starting
        self._journal = journal
        self._spooler = spooler
        self._clock = clock
        self._session = session
        self._send = send
        self._count = 0
        self._asked_ms = 0.0  #: sending of the Ping whose Pong was read last from this node
        self.reserved: Callable[[int], Reserved | None] = lambda _: None  #: the tick that an attempt is
        self.leaving = False  #: what is assigned from now on is left to others

    def assign(self, assign: Assign) -> None:
        attempt = assign.attempt
        claimed = self._held.get(attempt)
        if claimed is not None:
            if claimed.phase is Phase.CLAIMED:
                self.claim(claimed)
            return
        given_back = attempt in self._journal.book.unreserved
        if self._reports.has_ended(attempt) or given_back or self.leaving or self._spooler.silent:
            return  # unclaimed, it is given to another agent, or pushed again when this one registers anew
        self._count += 1
        claimed = Claimed(attempt, assign, f"{self._session[:16]}-{self._count}", Phase.CLAIMED)
        claimed.reserved = self.reserved(attempt)
        claimed.journal = self._spooler.journal if self._starting.spools(assign) else ""
        self._held[attempt] = claimed
        release = partial(self._safe, claimed)
        self._journal.claim(attempt, claimed.claim, release, work_of(assign), claimed.journal)

    def _safe(self, claimed: Claimed) -> None:
        claimed.safe = True
        self.claim(claimed)

    def claim(self, claimed: Claimed) -> None:
        if claimed.safe:
            claimed.sent(self._clock.boot_ms())
            self._send(Claim(claimed.attempt, claimed.claim))

    def say_again(self) -> None:
        """What was not answered for long."""
        now_ms = self._clock.boot_ms()
        for claimed in self._held.values():
            again = CLAIM_AGAIN_MS if claimed.phase is Phase.CLAIMED else GRANT_AGAIN_MS
            if claimed.phase is not Phase.STARTED and now_ms - claimed.latest_sent_ms >= again:
                self.claim(claimed)

    def say_all_again(self) -> None:
        """To a node that may know none of it."""
        self._asked_ms = 0.0
        for claimed in self._held.values():
            if claimed.phase is not Phase.STARTED:
                claimed.first_sent_ms = None
                self.claim(claimed)
            else:
                self._reports.running(claimed)

    def waiting(self) -> bool:
        """Whether a claim waits for its answer."""
        return any(claimed.phase is Phase.CLAIMED for claimed in self._held.values())

    def pong(self, pong: Pong) -> None:
        self._asked_ms = pong.sent_ms
        self._journal.seen(pong.index)

    def grant(self, grant: Grant) -> None:
        self._journal.seen(grant.index)
        claimed = self._held.get(grant.attempt)
        if claimed is None or claimed.claim != grant.claim or claimed.assign is None:
            return
        if claimed.phase is not Phase.STARTED:
            claimed.granted(self._asked_ms)
        if claimed.phase is Phase.CLAIMED:
            claimed.phase = Phase.GRANTED
            claimed.fence, claimed.environment = grant.fence, grant.environment
            claimed.before, claimed.after = grant.before, grant.after
            claimed.secrets = tuple(Secret(*each) for each in grant.secrets)
            if claimed.cancelled:
                self._reports.unstarted(claimed.attempt, "cancelled")
            elif grant.unable:
                self._reports.unstarted(claimed.attempt, "start_failed", grant.unable)
            else:
                self._starting.when_due(claimed, claimed.assign)

    def refuse(self, refuse: Refuse) -> None:
        claimed = self._held.get(refuse.attempt)
        # Without a claim: taken back before the node saw one.
        if claimed is None or refuse.claim not in ("", claimed.claim) or claimed.phase is Phase.STARTED:
            return
        del self._held[refuse.attempt]
        self._journal.drop([refuse.attempt])

    def cancel(self, attempt: int, *, at_once: bool) -> None:
        claimed = self._held.get(attempt)
        if claimed is None:
            return
        claimed.cancelled, claimed.at_once = True, at_once
        if claimed.phase is Phase.GRANTED:
            self._reports.unstarted(attempt, "cancelled")
        elif claimed.phase is Phase.STARTED:
            self._starting.cancel(claimed)

    def drop_unstarted(self) -> list[int]:
        """What the old cluster assigned or granted and has not started never starts. Returns it."""
        dropped = [a for a, claimed in self._held.items() if claimed.phase is not Phase.STARTED]
        for attempt in dropped:
            del self._held[attempt]
        return dropped


def work_of(assign: Assign) -> Work:
    """What an attempt is."""
    return Work(
        assign.run, assign.namespace, assign.job, assign.task, assign.member, assign.round, assign.number,
        assign.tick_ms, assign.due_ms,
    )  # fmt: skip
