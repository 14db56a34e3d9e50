"""What happens inside runs without an agent, in a story.

finally   what a run does finally began when all the rest of it had ended, in each run that had begun: after a
          failure, a cancellation by a newer tick or a person, over every change of leader

nested    a task that waits for a run of another job ends as that, which is made once

Asked of rows alone.
"""

from __future__ import annotations

from collections.abc import Iterator

from scheduler.store.connection import Store

LAST = "tidy"
_KEPT = {"retention": {"runs": 10_000}, "overlap": "allow"}
NESTED: dict[str, object] = {"job": "nested", "tasks": {"doze": {"sleep": "300ms"}}, "policies": _KEPT}
NESTS: dict[str, object] = {
    "job": "nests",
    "policies": _KEPT,
    "triggers": [{"iso8601": "R//PT3S"}],
    "tasks": {"child": {"job": {"name": "nested"}}, "free": {"job": {"name": "nested", "wait": False}}},
}
_TWICE = (
    "SELECT min(id) FROM runs WHERE cause = 'nested' GROUP BY job, cause_key HAVING count(*) > 1"
    " ORDER BY 1 LIMIT 3"
)
_OTHERWISE = (
    "SELECT t.run FROM tasks t JOIN nested n ON n.task = t.id LEFT JOIN runs c ON c.id = n.run"
    " WHERE t.name = 'child' AND t.finished_ms IS NOT NULL AND (c.finished_ms IS NULL OR c.state <> t.state)"
    " ORDER BY t.run LIMIT 3"
)
_WAITED = "SELECT count(*) FROM tasks WHERE name = 'child' AND state = 'succeeded'"
_OF = f"FROM tasks t JOIN runs r ON r.id = t.run WHERE t.name = '{LAST}' AND r.cause <> 'orphan'"
_TOO_EARLY = (
    f"SELECT r.id {_OF} AND t.queued_ms IS NOT NULL AND EXISTS (SELECT 1 FROM tasks o WHERE o.run = r.id"
    f" AND o.name <> '{LAST}' AND (o.finished_ms IS NULL OR o.finished_ms > t.queued_ms))"
    " ORDER BY r.id LIMIT 3"
)
_NEVER = (
    f"SELECT r.id {_OF} AND r.finished_ms IS NOT NULL AND r.started_ms IS NOT NULL AND t.queued_ms IS NULL"
    " AND t.reason NOT IN ('job deleted', 'restored') ORDER BY r.id LIMIT 3"
)
_DONE = f"SELECT r.state, count(*) {_OF} AND t.state = 'succeeded' GROUP BY r.state ORDER BY r.state"


def faults(store: Store) -> Iterator[str]:
    for what, sql in {"began before the rest had ended": _TOO_EARLY, "was never begun": _NEVER}.items():
        if found := store.rows(sql):
            yield f"what runs {[row[0] for row in found]} do finally {what}"
    for what, sql in {"begun twice": _TWICE, "ended otherwise than what it waited for": _OTHERWISE}.items():
        if found := store.rows(sql):
            yield f"runs {[row[0] for row in found]}: {what}"


def done(store: Store) -> dict[str, int]:
    """By state: how many runs did it."""
    return dict(store.rows(_DONE))


def waited(store: Store) -> int:
    """Tasks that waited for a run, and ended well as it did."""
    return int(store.value(_WAITED))
