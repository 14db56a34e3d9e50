"""Claims and reports for attempts that are not the agent's: answered here, and never put into the log.

Rules:

1. Whose an attempt is never changes, so a row that names another agent is certain, however far this node is
   behind. What has no row here may only be unknown here: it is looked for again once this node has caught up
   with the leader, and without a leader it is proposed like anything else. Unknown never means kill.
2. Attempts that were pushed on this socket are not looked up: that is every one of a right agent's.
"""

from __future__ import annotations

from collections.abc import Collection

from api.ports import NoLeaderError, Scheduler
from scheduler.store import attempts as attempt_rows

CATCH_UP_S = 5.0


async def strangers(scheduler: Scheduler, agent: int, attempts: Collection[int]) -> frozenset[int]:
    """Those of the attempts that are surely another agent's, or nobody's any more."""
    owners = _owners(scheduler, attempts)
    unknown = [attempt for attempt in attempts if attempt not in owners]
    if unknown:
        try:
            await scheduler.catch_up(timeout_s=CATCH_UP_S)
        except NoLeaderError:
            return _others(owners, agent)
        owners |= dict.fromkeys(unknown, 0) | _owners(scheduler, unknown)
    return _others(owners, agent)


def _owners(scheduler: Scheduler, attempts: Collection[int]) -> dict[int, int]:
    with scheduler.read() as store:
        return attempt_rows.agents_of(store, attempts)


def _others(owners: dict[int, int], agent: int) -> frozenset[int]:
    return frozenset(attempt for attempt, owner in owners.items() if owner != agent)
