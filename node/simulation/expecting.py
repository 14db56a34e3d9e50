"""A job of which something is expected, in a story.

expected  what did not hold by the stamps of the log is told, and nothing else; what a success met is open no
          more, and no clock of it goes on
"""

from __future__ import annotations

from scheduler.store.connection import Store
from scheduler.store.tables.unmet import KEPT_MAX

START_MS, END_MS, LONG_MS = 500, 3_000, 400
JOBS: tuple[dict[str, object], ...] = (
    {
        "job": "expected",
        "noop": True,
        "triggers": [{"every": "2s"}],
        "policies": {"overlap": "allow", "retention": {"runs": 10_000}},
        "expect": {
            "start_by": f"{START_MS}ms", "end_by": f"{END_MS}ms", "duration": {"max": f"{LONG_MS}ms"},
            "at_least": {"n": 1_000, "per": "1m"},
        },
    },
)  # fmt: skip
_OF_TICKS = "runs r WHERE r.name = 'expected' AND r.cause IN ('tick', 'catchup')"
_UNTOLD = "NOT EXISTS (SELECT 1 FROM unmet u WHERE u.run = r.id AND u.what = '{what}')"
_TOLD = "unmet u JOIN runs r ON r.id = u.run WHERE r.name = 'expected' AND u.what = '{what}'"
_WRONG = {
    "late_start": ("started_ms > due_ms + {start}", "started_ms <= u.limit_ms"),
    "late_end": (
        "state = 'succeeded' AND finished_ms > due_ms + {end}",
        "state = 'succeeded' AND finished_ms < u.limit_ms",
    ),
    "long": ("finished_ms > started_ms + {long}", "finished_ms < u.limit_ms"),
}  # fmt: skip


class Expecting:
    def __init__(self) -> None:
        self.met: dict[str, int] = dict.fromkeys(_WRONG, 0)  #: how many were told, as much as a node knows

    def judge(self, store: Store) -> list[tuple[str, str]]:
        """What is wrong by this state."""
        found = []
        has_all = store.value("SELECT count(*) FROM unmet WHERE name = 'expected'") < KEPT_MAX
        for what, (misses, holds) in _WRONG.items():
            told = _TOLD.format(what=what)
            self.met[what] = max(self.met[what], store.value(f"SELECT count(*) FROM {told}"))
            for (run,) in store.rows(f"SELECT r.id FROM {told} AND r.{holds} ORDER BY r.id LIMIT 3"):
                found.append(("expected", f"{what} is told of run {run}, and it was not"))
            missed = misses.format(start=START_MS, end=END_MS, long=LONG_MS)
            untold = f"SELECT r.id FROM {_OF_TICKS} AND r.{missed} AND {_UNTOLD.format(what=what)}"
            for (run,) in store.rows(f"{untold} ORDER BY r.id LIMIT 3") if has_all else ():
                found.append(("expected", f"{what} is not told of run {run}"))
        met = "r.finished_ms IS NOT NULL AND r.state = 'succeeded'"
        for (run,) in store.rows(
            f"SELECT r.id FROM runs r JOIN unmet u ON u.run = r.id WHERE {met} AND u.over_ms IS NULL"
            f" UNION SELECT r.id FROM runs r JOIN watches w ON w.run = r.id WHERE {met} ORDER BY 1 LIMIT 3"
        ):
            found.append(("expected", f"run {run} succeeded, and something of it is waited for"))
        return found
