"""Jobs that may not start at all times, in a story: one with a window that ends, one with a blackout.

windows   of neither a run starts where it may not, by the stamps of the log; who waits for a window has an
          instant at which it is judged again
"""

from __future__ import annotations

from cluster.simulation.world import EPOCH_MS
from scheduler.model.quantities import format_instant
from scheduler.store.connection import Store

KEPT = {"retention": {"runs": 10_000}}
DARK_MS = (EPOCH_MS + 4_000, EPOCH_MS + 7_000)
OPEN_MS = (22 * 3_600_000, (22 * 60 + 14) * 60_000)
"""Of a day. A story begins at 22:13:20, and clocks are turned by an hour."""
DAY_MS = 86_400_000

_SPAN = {"from": format_instant(DARK_MS[0]), "until": format_instant(DARK_MS[1]), "reason": "a test"}
JOBS: tuple[dict[str, object], ...] = (
    {
        "job": "windowed",
        "noop": True,
        "triggers": [{"every": "1s"}],
        "policies": {"overlap": "allow", "admission": {"windows": ["22:00-22:14"]}, **KEPT},
    },
    {
        "job": "dark",
        "noop": True,
        "triggers": [{"every": "1s"}],
        "policies": {"overlap": "allow", "catchup": {"mode": "all"}, "blackout": [_SPAN], **KEPT},
    },
)


def judge(store: Store) -> list[tuple[str, str]]:
    """What is wrong by this state."""
    found = []
    for run, at_ms in store.rows(
        "SELECT id, started_ms FROM runs WHERE name = 'windowed' AND started_ms IS NOT NULL ORDER BY id"
    ):
        if not OPEN_MS[0] <= at_ms % DAY_MS < OPEN_MS[1]:
            found.append(("windows", f"run {run} started at {format_instant(at_ms)}"))
    for (run,) in store.rows(
        "SELECT id FROM runs WHERE name = 'dark' AND tick_ms >= ? AND tick_ms < ? ORDER BY id",
        DARK_MS,
    ):
        found.append(("windows", f"run {run} was made of a tick in a blackout"))
    lost = "SELECT count(*) FROM runs WHERE waiting = 3 AND id NOT IN (SELECT run FROM run_waits)"
    if number := store.value(lost):
        found.append(("windows", f"{number} runs wait for no instant"))
    return found[:3]
