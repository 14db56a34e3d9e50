"""A group of tasks that is begun anew, in a story: after failures, and until a condition holds.

groups    what catches a failure began in a round that had one alone; a group that ended well had none, or one
          that was caught; no round began before all of the one before it had ended; no more of it is on
          agents at once than may be, and all of that on one

Asked of rows, and nothing of the machine.
"""

from __future__ import annotations

from collections.abc import Iterator

from cluster.simulation.world import BEGIN_MS
from scheduler.model.quantities import format_instant
from scheduler.store.connection import Store

PARTS = ("part-0", "part-1", "part-2")
ROUNDS_MAX = 4
PARALLEL_MAX = 2
AGAIN = [format_instant(BEGIN_MS + number * 1_000) for number in (3, 6)]
"""Ticks after which the group is done as often as it may be."""
JOB: dict[str, object] = {
    "job": "grouped",
    "policies": {"overlap": "allow", "timeout": "60s", "retention": {"runs": 10_000}},
    "triggers": [{"every": "1s"}],
    "tasks": {
        **{part: {"noop": True} for part in PARTS},
        "join": {"noop": True, "needs": list(PARTS), "rule": "all_done"},
        "fix": {"noop": True, "when": "join.ended"},
        "last": {"noop": True, "needs": ["block"], "rule": "all_done"},
    },
    "groups": {
        "block": {
            "tasks": [*PARTS, "join"], "catch": ["fix"], "retry": {"max": 1, "first": "100ms"},
            "repeat": {"until": f"tick not in {AGAIN}", "max": 2, "pause": "100ms"},
            "max_parallel": PARALLEL_MAX, "sticky": True,
        },
    },
}  # fmt: skip
"""More tasks than a frame has room for here: rounds are made, told and stopped in slices."""

_FAILED = "('failed', 'timed_out', 'lost', 'expired')"
_INSIDE = "t.run = g.run AND t.of_group = g.id"
_RUNS = "(SELECT id FROM runs WHERE name = 'grouped' AND cause <> 'orphan')"
_WRONG = {
    "caught without a failure": (
        f"SELECT f.id FROM tasks f WHERE f.run IN {_RUNS} AND f.name = 'fix' AND f.attempts > 0"
        " AND NOT EXISTS (SELECT 1 FROM tasks t WHERE t.run = f.run AND t.round = f.round"
        " AND t.of_group = f.of_group"
        f" AND t.id <> f.id AND t.state IN {_FAILED}) ORDER BY f.id LIMIT 3"
    ),
    "ended well with a failure that nothing caught": (
        f"SELECT g.id FROM tasks g WHERE g.run IN {_RUNS} AND g.name = 'block' AND g.state = 'succeeded'"
        f" AND EXISTS (SELECT 1 FROM tasks t WHERE {_INSIDE} AND t.state IN {_FAILED}"
        f" AND t.round = (SELECT max(round) FROM tasks t WHERE {_INSIDE})) AND NOT EXISTS"
        f" (SELECT 1 FROM tasks t WHERE {_INSIDE} AND t.name = 'fix' AND t.state = 'succeeded'"
        f" AND t.round = (SELECT max(round) FROM tasks t WHERE {_INSIDE})) ORDER BY g.id LIMIT 3"
    ),
    "begun anew while it went on": (
        f"SELECT t.id FROM tasks t WHERE t.run IN {_RUNS} AND t.finished_ms IS NULL AND EXISTS"
        " (SELECT 1 FROM tasks n WHERE n.run = t.run AND n.name = t.name AND n.round > t.round)"
        " ORDER BY t.id LIMIT 3"
    ),
    "begun too often": (
        f"SELECT id FROM tasks WHERE run IN {_RUNS} AND round >= {ROUNDS_MAX} ORDER BY id LIMIT 3"
    ),
    "beyond its places": (
        f"SELECT t.of_group FROM attempts a JOIN tasks t ON t.id = a.task WHERE t.run IN {_RUNS}"
        f" AND a.live = 1 AND t.of_group > 0 GROUP BY t.of_group HAVING count(*) > {PARALLEL_MAX}"
        " OR count(DISTINCT a.agent) > 1 ORDER BY t.of_group LIMIT 3"
    ),
    "open behind their group": (
        f"SELECT t.id FROM tasks t JOIN tasks g ON g.id = t.of_group WHERE t.run IN {_RUNS}"
        " AND t.finished_ms IS NULL AND g.finished_ms IS NOT NULL AND t.open_needs = 0 AND NOT EXISTS"
        " (SELECT 1 FROM runs r WHERE r.id = t.run AND r.unfinished = 1) ORDER BY t.id LIMIT 3"
    ),
}
_REPEATED = f"SELECT count(*) FROM rounds WHERE run IN {_RUNS} AND repeats > 0"


class Groups:
    def __init__(self) -> None:
        self.anew = 0  #: rounds that were not the first, as many as a node knows
        self.caught = 0
        self.repeated = 0  #: groups whose condition did not hold

    def judge(self, store: Store) -> Iterator[tuple[str, str]]:
        for what, sql in _WRONG.items():
            if found := store.rows(sql):
                yield "groups", f"{what}: {found}"
        anew = store.value(f"SELECT count(*) FROM tasks WHERE run IN {_RUNS} AND name = 'join' AND round > 0")
        caught = store.value(
            f"SELECT count(*) FROM tasks WHERE run IN {_RUNS} AND name = 'fix' AND state = 'succeeded'"
        )
        self.anew, self.caught = max(self.anew, anew), max(self.caught, caught)
        self.repeated = max(self.repeated, store.value(_REPEATED))
