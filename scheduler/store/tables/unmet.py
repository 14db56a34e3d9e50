"""What was expected and did not hold, told once each. A run's go with it, of a job the newest stay."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store

KEPT_MAX = 200
"""Of each job."""
_HERE = frozenset({"unmet"})


class Unmet(NamedTuple):
    id: int
    job: int
    namespace: str
    name: str
    run: int
    what: str
    part: int
    limit_ms: int
    at_ms: int
    over_ms: int | None
    found: int
    wanted: int
    actor: str
    acknowledged_ms: int | None
    acknowledged_until_ms: int | None
    reason: str

    def is_acknowledged(self, now_ms: int) -> bool:
        return self.acknowledged_until_ms is not None and self.acknowledged_until_ms > now_ms


COLUMNS = ", ".join(Unmet._fields)
_PUT = f"INSERT OR REPLACE INTO unmet ({COLUMNS}) VALUES ({', '.join('?' * len(Unmet._fields))})"


def put(store: Store, row: Unmet) -> None:
    store.write(_PUT, row)


def get(store: Store, unmet: int) -> Unmet | None:
    row = store.row(f"SELECT {COLUMNS} FROM unmet WHERE id = ?", (unmet,))
    return None if row is None else Unmet._make(row)


def find(store: Store, job: int, what: str, run: int, part: int) -> Unmet | None:
    if store.kept.are_empty(_HERE):
        return None
    row = store.row(
        f"SELECT {COLUMNS} FROM unmet WHERE job = ? AND what = ? AND run = ? AND part = ?",
        (job, what, run, part),
    )
    return None if row is None else Unmet._make(row)


def newest_of(store: Store, job: int, what: str) -> Unmet | None:
    """The one that was told last."""
    if store.kept.are_empty(_HERE):
        return None
    row = store.row(
        f"SELECT {COLUMNS} FROM unmet WHERE job = ? AND what = ? ORDER BY id DESC LIMIT 1", (job, what)
    )
    return None if row is None else Unmet._make(row)


def of_job(store: Store, job: int) -> list[Unmet]:
    if store.kept.are_empty(_HERE):
        return []
    rows = store.rows(f"SELECT {COLUMNS} FROM unmet WHERE job = ? ORDER BY id LIMIT ?", (job, KEPT_MAX))
    return [Unmet._make(row) for row in rows]


def make_room(store: Store, job: int) -> None:
    """For one more of the job: the oldest goes where there are as many as are kept."""
    found = of_job(store, job)
    if len(found) >= KEPT_MAX:
        store.write("DELETE FROM unmet WHERE id = ?", (found[0].id,))


def purge(store: Store, run: int) -> None:
    """At most `KEPT_MAX`, as its job has."""
    if not store.kept.are_empty(_HERE):
        store.write("DELETE FROM unmet WHERE run = ? AND run > 0", (run,))


def of_run(store: Store, run: int) -> list[Unmet]:
    """What does not hold of it yet."""
    if store.kept.are_empty(_HERE):
        return []
    rows = store.rows(
        f"SELECT {COLUMNS} FROM unmet WHERE run = ? AND run > 0 AND over_ms IS NULL ORDER BY id LIMIT ?",
        (run, KEPT_MAX),
    )
    return [Unmet._make(row) for row in rows]


def open_through(store: Store, job: int, run: int) -> list[Unmet]:
    """What does not hold yet of the job and of its runs up to this one."""
    return [row for row in of_job(store, job) if row.over_ms is None and row.run <= run]
