"""What the machine judges by of namespaces that were declared, how many jobs and active runs each namespace
has.

What was written of a namespace, with its revisions, is an object (`tables.objects`) of the kind KIND that has
its own name as its namespace.
"""

from __future__ import annotations

import json
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.kept import Table, while_none
from scheduler.ticks import plan_days
from scheduler.ticks.plan_days import Pieces
from scheduler.words.counted import counted

KIND = "namespace"


class Allowance(NamedTuple):
    name: str
    jobs_max: int | None
    pools: str  #: JSON list; of nothing: any
    active_max: int | None
    starts_max: int | None
    defaults: str  #: JSON, as `model.defaults` reads it; empty: none
    defaults_revision: int  #: with which they became these; 0: it never had any
    revised: str | None  #: jobs up to this name are what they are under these; None: all
    late: int  #: how often one was put that was sent under others: whoever looked before has not seen it
    users: str  #: JSON list of those that its tasks may run as; of nothing: any
    around: str  #: JSON [before, after], for a shell on the agents; empty: nothing runs around attempts
    plan_tz: str  #: the zone of its plan dates; empty: UTC
    plan_begin: str

    @property
    def allowed_pools(self) -> tuple[str, ...]:
        return tuple(json.loads(self.pools))

    @property
    def allowed_users(self) -> tuple[str, ...]:
        return tuple(json.loads(self.users))

    @property
    def limits_runs(self) -> bool:
        return self.active_max is not None or self.starts_max is not None


class Count(NamedTuple):
    namespace: str
    jobs: int
    active: int
    starts: int  #: of `quotas`, the rows about its starts


ALLOWANCE = Table("namespaces", Allowance)
COUNT = Table("counts", Count)
COLUMNS = ", ".join(Allowance._fields)
PLACES = ", ".join("?" * len(Allowance._fields))
_ANY = "SELECT 1 FROM namespaces LIMIT 1"
_DAYS = "SELECT days FROM plans WHERE tz = ? AND begin = ?"


def any_declared(store: Store) -> bool:
    """Whether anything was said of any. Asked again and again, so that there is none is remembered."""
    return store.kept.note("namespaces", _ANY, (), keeps=while_none) is not None


def allowance(store: Store, name: str) -> Allowance | None:
    """None: nothing was said of it, as of most."""
    if store.kept.note("namespaces", _ANY, (), keeps=while_none) is None:
        return None
    return store.kept.get(ALLOWANCE, name)


def allow(store: Store, row: Allowance) -> None:
    before = allowance(store, row.name)
    store.write(f"INSERT OR REPLACE INTO namespaces ({COLUMNS}) VALUES ({PLACES})", row)
    if before is not None:
        _let_go(store, before)


def forget(store: Store, name: str) -> None:
    before = allowance(store, name)
    store.write("DELETE FROM namespaces WHERE name = ?", (name,))
    if before is not None:
        _let_go(store, before)


def _let_go(store: Store, row: Allowance) -> None:
    """The plan dates that it went by stay for others."""
    if row.plan_tz and not planned_by(store, row.plan_tz, row.plan_begin, 1):
        store.write("DELETE FROM plans WHERE tz = ? AND begin = ?", (row.plan_tz, row.plan_begin))


def defaults_revision(store: Store, name: str) -> int:
    row = allowance(store, name)
    return 0 if row is None else row.defaults_revision


def set_revised(store: Store, name: str, through: str | None) -> None:
    """How far its jobs have followed its defaults; None: all have."""
    store.write("UPDATE namespaces SET revised = ? WHERE name = ?", (through, name))


def begin_anew(store: Store, name: str) -> None:
    """A job came that was sent under other defaults: it follows yet."""
    store.write("UPDATE namespaces SET revised = '', late = late + 1 WHERE name = ?", (name,))


def unrevised(store: Store) -> Allowance | None:
    """The first in which jobs have yet to follow its defaults."""
    row = store.row(
        f"SELECT {COLUMNS} FROM namespaces WHERE revised IS NOT NULL ORDER BY name LIMIT 1"
    )
    return None if row is None else Allowance._make(row)


def plans(store: Store, limit: int) -> list[tuple[str, str]]:
    """By which zones, and from when on of a day, namespaces are planned: each pair once, in order."""
    rows = store.rows("SELECT tz, begin FROM plans ORDER BY tz, begin LIMIT ?", (limit,))
    return [(tz, begin) for tz, begin in rows]


def planned_by(store: Store, plan_tz: str, plan_begin: str, limit: int) -> list[str]:
    """Namespaces that are, by name."""
    rows = store.rows(
        "SELECT name FROM namespaces WHERE plan_tz = ? AND plan_begin = ? AND plan_tz <> ''"
        " ORDER BY name LIMIT ?",
        (plan_tz, plan_begin, limit),
    )
    return [row[0] for row in rows]


def plan(store: Store, plan_tz: str, plan_begin: str, pieces: Pieces) -> None:
    """Whatever is planned by these has these plan dates: one row, however many namespaces that are."""
    days = json.dumps(pieces, separators=(",", ":"))
    row = (plan_tz, plan_begin, days)
    store.write("INSERT OR REPLACE INTO plans (tz, begin, days) VALUES (?, ?, ?)", row)


def plan_days_of(store: Store, name: str) -> Pieces:
    row = allowance(store, name)
    if row is None or not row.plan_tz:
        return ()
    days = store.kept.note("plans", _DAYS, (row.plan_tz, row.plan_begin), keeps=bool)
    return plan_days.read(days) if days else ()


def count(store: Store, most: int) -> int:
    """How many were declared, up to `most`."""
    number: int = store.value("SELECT count(*) FROM (SELECT 1 FROM namespaces LIMIT ?)", (most,))
    return number


def jobs(store: Store, namespace: str) -> int:
    row = store.kept.get(COUNT, namespace)
    return 0 if row is None else row.jobs


def active(store: Store, namespace: str) -> int:
    """Runs that count for its quota and have not ended; where it has none, none are counted."""
    row = store.kept.get(COUNT, namespace)
    return 0 if row is None else row.active


def starts(store: Store, namespace: str) -> int:
    """Rows of `quotas` about its starts."""
    row = store.kept.get(COUNT, namespace)
    return 0 if row is None else row.starts


def count_job(store: Store, namespace: str, change: int) -> None:
    """One more, or one less."""
    _count(store, namespace, jobs=change)


def count_active(store: Store, namespace: str, change: int, *, starts: int = 0) -> None:
    """One more, or one less; and of those that may begin or began lately."""
    _count(store, namespace, active=change, starts=starts)


def _count(store: Store, namespace: str, *, jobs: int = 0, active: int = 0, starts: int = 0) -> None:
    row = store.kept.get(COUNT, namespace)
    if row is None:
        store.kept.insert(COUNT, Count(namespace, jobs, active, starts))
        return
    changed = Count(namespace, row.jobs + jobs, row.active + active, row.starts + starts)
    store.kept.update(
        COUNT, namespace, (jobs, active, starts, namespace), jobs=changed.jobs, active=changed.active,
        starts=changed.starts,
    )  # fmt: skip
    if not any(changed[1:]):
        store.write("DELETE FROM counts WHERE namespace = ?", (namespace,))


def contents(store: Store, namespace: str, most: int) -> str:
    """What is in it, in words: jobs and objects; empty: nothing."""
    found = [(jobs(store, namespace), "job"), (objects(store, namespace, most), "object")]
    return " and ".join(counted(number, what) for number, what in found if number)


def objects(store: Store, namespace: str, most: int) -> int:
    """How many objects are in it, counted up to `most`: a step of the index for each kind."""
    found, kind = 0, ""
    while (kind := store.value("SELECT min(kind) FROM objects WHERE kind > ?", (kind,))) and found < most:
        if kind != KIND:
            found += store.value(
                "SELECT count(*) FROM (SELECT 1 FROM objects WHERE kind = ? AND namespace = ? LIMIT ?)",
                (kind, namespace, most - found),
            )
    return found
