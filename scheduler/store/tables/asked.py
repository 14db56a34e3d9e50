"""How many ticks are asked for, by namespace and in all, and how many may be.

Counted in instants of a day on which a trigger is due, so that sums are whole numbers.
"""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.kept import Table, while_none

DAY_S = 86_400
WHOLE = ""  #: in place of a namespace: the whole cluster


class Limits(NamedTuple):
    """Ticks a second, on the average of a day: of one job, of all jobs of a namespace, of all jobs."""

    job: int = 100
    namespace: int = 2_000
    cluster: int = 5_000


class Asked(NamedTuple):
    namespace: str
    per_day: int


TABLE = Table("asked", Asked)
_USUAL = Limits()
_LIMITED = "SELECT 1 FROM tick_limits LIMIT 1"


def add(store: Store, namespace: str, per_day: int) -> None:
    """Count what is asked for from now on; less than nothing takes away."""
    if per_day:
        for scope in (WHOLE, namespace):
            row = store.kept.get(TABLE, scope)
            if row is None:
                store.kept.insert(TABLE, Asked(scope, per_day))
            else:
                store.kept.update(TABLE, scope, (scope, per_day), per_day=row.per_day + per_day)
            if per_day < 0:
                store.write("DELETE FROM asked WHERE namespace = ? AND per_day <= 0", (scope,))


def of(store: Store, namespace: str = WHOLE) -> int:
    """Instants a day that the live triggers of this namespace ask for."""
    row = store.kept.get(TABLE, namespace)
    return 0 if row is None else row.per_day


def of_job(store: Store, job: int) -> int:
    per_day: int | None = store.value(
        "SELECT sum(per_day) FROM triggers WHERE job = ? AND until_ms IS NULL", (job,)
    )
    return per_day or 0


def limits(store: Store) -> Limits:
    if store.kept.note("tick_limits", _LIMITED, (), keeps=while_none) is None:
        return _USUAL
    rows = store.rows("SELECT scope, per_second FROM tick_limits ORDER BY scope")
    return Limits(**{scope: per_second for scope, per_second in rows if scope in Limits._fields})


def set_limits(store: Store, given: Limits) -> None:
    for scope, per_second in given._asdict().items():
        store.write(
            "INSERT OR REPLACE INTO tick_limits (scope, per_second) VALUES (?, ?)", (scope, per_second)
        )
