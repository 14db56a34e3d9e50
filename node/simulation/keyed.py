"""Runs that are in each other's way by a key, and such as end others by force, in a story.

keyed  of a key no more runs have begun and not ended than may; who waits is behind one that goes on
dates  each run has the dates of its own plan date
"""

from __future__ import annotations

from datetime import date

from scheduler.store.connection import Store

DAY_MS = 86_400_000
EPOCH_DAY = date(1970, 1, 1).toordinal()
KEPT = {"retention": {"runs": 10_000}}
MOST = 2
JOBS: tuple[dict[str, object], ...] = (
    {
        "job": "keyed",
        "noop": True,
        "params": {
            "region": {"type": "string", "default": "eu"},
            "day": {"type": "date", "default": "plan_date - 3 days"},
        },
        "policies": {"overlap": {"max": MOST, "key": "{params.region}", "then": "queue_all"}, **KEPT},
        "triggers": [
            {"every": "1s", "id": "eu"},
            {"every": "2s", "id": "us", "params": {"region": "us", "day": "tick + 24 hours"}},
        ],
    },
    {
        "job": "forced",
        "noop": True,
        "policies": {"overlap": "terminate_running", **KEPT},
        "triggers": [{"every": "1s"}],
    },
)


def judge(store: Store) -> list[tuple[str, str]]:
    """What is wrong by this state."""
    found = []
    for key, number in store.rows(
        "SELECT k.key, count(*) FROM overlap_keys k JOIN runs r ON r.id = k.run"
        " WHERE r.name = 'keyed' AND r.started_ms IS NOT NULL AND r.finished_ms IS NULL"
        f" GROUP BY k.key HAVING count(*) > {MOST} ORDER BY k.key"
    ):
        found.append(("keyed", f"{number} runs of {key} go on at once"))
    for name, number in store.rows(
        "SELECT name, count(*) FROM runs WHERE name = 'forced' AND started_ms IS NOT NULL"
        " AND finished_ms IS NULL AND cause <> 'backfill' GROUP BY name HAVING count(*) > 1"
    ):
        found.append(("keyed", f"{number} runs of {name} go on at once"))
    for (run,) in store.rows(
        "SELECT k.run FROM overlap_keys k JOIN runs r ON r.id = k.run WHERE r.name = 'keyed'"
        " AND r.waiting = 1 AND NOT EXISTS (SELECT 1 FROM overlap_keys o JOIN runs q ON q.id = o.run"
        " WHERE o.job = k.job AND o.key = k.key AND q.waiting <> 1) ORDER BY k.run LIMIT 3"
    ):
        found.append(("keyed", f"run {run} waits behind nobody"))
    for run, region, day, plan_day, tick_ms in store.rows(
        "SELECT id, params ->> 'region', params ->> 'day', plan_day, tick_ms FROM runs"
        " WHERE name = 'keyed' AND params <> '{}' AND tick_ms IS NOT NULL ORDER BY id"
    ):
        counted = tick_ms // DAY_MS + 1 if region == "us" else plan_day - 3
        if day != date.fromordinal(EPOCH_DAY + counted).isoformat():
            found.append(("dates", f"run {run} of plan date {plan_day} has the day {day}"))
    for (run,) in store.rows(
        "SELECT k.run FROM overlap_keys k LEFT JOIN runs r ON r.id = k.run"
        " WHERE r.id IS NULL OR r.finished_ms IS NOT NULL ORDER BY k.run LIMIT 3"
    ):
        found.append(("keyed", f"run {run} is over, and has a key"))
    return found
