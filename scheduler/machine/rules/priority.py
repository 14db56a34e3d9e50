"""What priority and waiting come to: of pools' queues, of locks, of a namespace's quota, and of what people
are told, one function.

Rules of this file:

1. Effective priority is a job's, and one more for each POINT_MS of waiting, MOST at most: whoever waits long
   enough is before all that come later, so nothing starves.
2. Place in a queue is one number that never changes while something waits, the instant at which it would have
   had priority 0. So the queue is an index. Of those that have reached MOST the first to reach it is first.
3. What catches up, or fills what is past, waits as if it had come CATCHUP_LATER_MS later.
"""

from __future__ import annotations

from scheduler.words.causes import Kind

POINT_MS = 30_000
MOST = 100
CATCHUP_LATER_MS = 600_000
_LATER = frozenset({Kind.CATCHUP, Kind.BACKFILL})


def rank(since_ms: int, priority: int, cause: str) -> int:
    """The place of what waits since then: who has the least is first."""
    later_ms = CATCHUP_LATER_MS if cause in _LATER else 0
    return since_ms - priority * POINT_MS + later_ms


def effective(rank_ms: int, now_ms: int) -> int:
    """Of what has this place. Below 0: of what catches up and waits for those that come alive."""
    return min(MOST, (now_ms - rank_ms) // POINT_MS)


def words(rank_ms: int, priority: int, now_ms: int) -> str:
    now = effective(rank_ms, now_ms)
    if now == priority:
        return f"priority {priority}"
    why = "it has waited" if now > priority else "it catches up"
    return f"priority {now} ({priority} of its job; {why})"
