"""The triggers that are due, as one plan looks at them: those whose ticks are live, and those behind.

Rules of this file:

1. A tick is live until it is `catchup.grace` overdue (counted from its jittered instant); older ones are a
   backlog.
2. Where more is due than a plan holds, shares.py says whose turn it is.
3. A plan reads so many jobs for the first time: a trigger of another has its turn in one of the next plans,
   which follow at once. A new leader knows no job, and a thousand large ones in one plan would leave its
   front silent for as long as it takes to be deposed.
4. A job whose pause ends with this plan is still paused in what the plan sees: its triggers have their turn
   in the next one, which follows at once. What is due after the end of a pause was not in it.
"""

from __future__ import annotations

from scheduler.model.compiled import CompiledJob
from scheduler.plan import shares
from scheduler.plan.hold import RestoreHold
from scheduler.plan.lookahead import PlanCache
from scheduler.store.connection import Store
from scheduler.store.tables import job_pauses
from scheduler.store.tables.triggers import BEHIND, DueTrigger

RECENT_MS = 60_000
"""Where the search for overdue triggers is cut in two, so that a large backlog never stands before what is
due now.
"""


class Due:
    """What fires up to `fire_ms` (now plus the lead). Read when it is first asked for."""

    def __init__(
        self, store: Store, cache: PlanCache, hold: RestoreHold, now_ms: int, fire_ms: int, *, limit: int
    ) -> None:
        self._store = store
        self._cache = cache
        self._hold = hold
        self._now_ms = now_ms
        self._limit = limit
        self._live: list[DueTrigger] = []
        self._behind: list[DueTrigger] | None = None
        self.fire_ms = fire_ms

    @property
    def live(self) -> list[DueTrigger]:
        self._look()
        return self._live

    @property
    def behind(self) -> list[DueTrigger]:
        """Of those found with the live ones. The older are `overdue`."""
        return self._look()

    def overdue(self, limit: int) -> list[DueTrigger]:
        """Triggers so old that they are not looked at with what is due now."""
        hold = self._hold
        old_ms = self._now_ms - RECENT_MS
        first_ms = hold.taken_ms if hold.holding else -(1 << 62)
        last_ms = max(old_ms, hold.taken_ms) if hold.settling else old_ms
        found = shares.due(self._store, self._cache, first_ms, last_ms, limit)
        return [trigger for trigger in found if not self._resumes(trigger)]

    def _resumes(self, trigger: DueTrigger) -> bool:
        """Whether the pause of its job ends with this plan (rule 4)."""
        if trigger.state != "paused":
            return False
        until_ms = job_pauses.until_ms(self._store, trigger.job)
        return until_ms is not None and until_ms <= self._now_ms

    def is_readable(self, trigger: DueTrigger) -> bool:
        """Whether this plan may read the trigger's job (rule 3)."""
        return trigger.revision is None or self._cache.has_room(trigger.job, trigger.revision)

    def job(self, trigger: DueTrigger) -> CompiledJob:
        assert trigger.namespace is not None
        assert trigger.name is not None
        assert trigger.revision is not None
        return self._cache.outline(
            self._store, trigger.job, trigger.namespace, trigger.name, trigger.revision
        )

    def _look(self) -> list[DueTrigger]:
        if self._behind is None:
            self._behind = []
            edge_ms = max(self._now_ms - RECENT_MS, self._hold.taken_ms)
            for trigger in shares.due(self._store, self._cache, edge_ms, self.fire_ms, self._limit):
                if self.is_readable(trigger) and not self._resumes(trigger):
                    (self._behind if self.is_behind(trigger) else self._live).append(trigger)
            due_ms = [trigger.next_due_ms + trigger.jitter_ms for trigger in self._live]
            self._cache.late_ms = max(0, self._now_ms - min(due_ms, default=self._now_ms))
        return self._behind

    def is_behind(self, trigger: DueTrigger) -> bool:
        """Whether what is due of it is no live tick (rule 1)."""
        if trigger.is_over or trigger.closed == BEHIND or trigger.next_due_ms <= trigger.from_ms:
            return True
        grace_ms = self.job(trigger).catchup_grace_ms
        return trigger.next_due_ms + trigger.jitter_ms < self._now_ms - grace_ms
