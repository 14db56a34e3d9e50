"""How long runs of a job took of late. What is forecast, here and on people's pages, is forecast by this."""

from __future__ import annotations

from statistics import median, quantiles
from typing import NamedTuple

from scheduler.store.connection import Store

MEASURED_MAX = 50  #: runs that tell how long the next will take: the newest that succeeded
LOOKED_MAX = 200  #: runs among which those are looked for

_TOOK = "finished_ms - started_ms"
_ALONE = (
    "coalesce((SELECT max(0, a.finished_ms - a.started_ms) FROM attempts a WHERE a.run = r.id"
    f" AND a.claim = 'reserved' AND a.state = 'succeeded'), {_TOOK})"
)


class Usual(NamedTuple):
    """How long runs of a job took of late."""

    median_ms: int
    p90_ms: int
    runs: int  #: that were measured


def usual(store: Store, job: int) -> Usual | None:
    """None: no run of it has succeeded of late. What its agent began alone took as long as that says."""
    autonomy = store.value("SELECT 1 FROM autonomies WHERE job = ?", (job,))
    rows = store.rows(
        f"SELECT {_ALONE if autonomy else _TOOK} FROM (SELECT id, state, started_ms, finished_ms FROM runs"
        " INDEXED BY runs_job WHERE job = ? ORDER BY id DESC LIMIT ?) r"
        " WHERE state = 'succeeded' AND started_ms IS NOT NULL AND finished_ms IS NOT NULL"
        " ORDER BY id DESC LIMIT ?",
        (job, LOOKED_MAX, MEASURED_MAX),
    )
    took_ms = [row[0] for row in rows]
    if not took_ms:
        return None
    p90 = took_ms[0] if len(took_ms) == 1 else quantiles(took_ms, n=10, method="inclusive")[-1]
    return Usual(round(median(took_ms)), round(p90), len(took_ms))
