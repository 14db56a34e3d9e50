"""What an earlier session of this agent left, and a spooler that came anew: taken over, reported, or gone.

Rules:

1. Gone is said only of what surely runs no more, and for ever. A claim of an earlier session that neither the
   spooler nor an executor has is none's, and will not be: its process was to be made by them.
2. That it never started is said of what the spooler alone was to start, and whose start would be in that
   journal of the spooler's that is there now. An executor's own word is none: its process died.
"""

from __future__ import annotations

from agent.exits import SPOOLER_DIED, UNSTARTED, Exit
from agent.journal import Journal
from agent.spool.client import SpoolerState
from agent.work.claimed import Claimed, Phase
from agent.work.reports import Reports
from agent.work.starting import Starting


class Recovery:
    def __init__(
        self, held: dict[int, Claimed], reports: Reports, starting: Starting, journal: Journal
    ) -> None:
        self._held = held
        self._reports = reports
        self._starting = starting
        self._journal = journal
        self.gone: dict[int, str] = {}  #: claims of an earlier session that nobody has: gone | unstarted

    def spooler_state(self, state: SpoolerState) -> None:
        """What a spooler, the old one or a new one, runs and has ends of."""
        for attempt, started_ms in state.running.items():
            if attempt not in self._held and not self._reports.has_ended(attempt):
                self._adopt(attempt, self._journal.book.claims.get(attempt, ""))
            self._reports.started(attempt, started_ms)
        exited = {end.attempt for end in state.exits}
        left = [attempt for attempt in self._journal.book.claims if attempt not in self._held]
        for attempt in left:
            if attempt in exited:
                self._adopt(attempt, "")
        nobodys = [attempt for attempt in left if attempt not in exited and attempt not in self.gone]
        self._recover(nobodys, state.journal)
        for end in state.exits:
            self.spooled_exit(end)
        for claimed in list(self._held.values()):
            if claimed.phase is not Phase.STARTED or not claimed.spooled:
                continue
            if claimed.attempt not in state.running and proves(state.journal, claimed.journal):
                self._reports.unstarted(claimed.attempt, UNSTARTED, "its spooler died before the start")
            elif claimed.attempt not in state.running:
                self._reports.unseen(claimed.attempt, SPOOLER_DIED)
            elif claimed.cancelled:
                self._starting.cancel_spooled(claimed.attempt)

    def _adopt(self, attempt: int, claim: str) -> None:
        self._held[attempt] = Claimed(attempt, None, claim, Phase.STARTED, safe=True, spooled=True)

    def _recover(self, attempts: list[int], journal: str) -> None:
        owners = self._starting.recover(attempts)
        for attempt in attempts:
            if attempt in owners:
                claim = self._journal.book.claims[attempt]
                self._held[attempt] = Claimed(
                    attempt, None, claim, Phase.STARTED, safe=True, executor=owners[attempt]
                )
            else:
                never = proves(journal, self._journal.book.spoolers.get(attempt, ""))
                self.gone[attempt] = UNSTARTED if never else "gone"

    def spooled_exit(self, end: Exit) -> None:
        if end.attempt in self._held:
            self._reports.finished(end)
        else:
            self._reports.told_before(end.attempt)

    def forget_gone(self) -> None:
        """The cluster has heard of them."""
        self._journal.drop(sorted(self.gone))
        self.gone.clear()


def proves(journal: str, claimed: str) -> bool:
    """Whether the spooler's journal of this name knows all starts of what was claimed under that one."""
    return journal == claimed != ""
