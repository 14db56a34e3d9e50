"""Plan dates for which a trigger waits until several things have all come (`model.all_of`), and what has come
of each. Rows stay when they are over, as ends do: a date is gathered once, and verify asks what became of
it."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store

FIRED, MISSED, DROPPED = "fired", "missed", "dropped"
"""How one ended."""


class Gathering(NamedTuple):
    job: int
    key: str  #: of the trigger
    plan_day: int
    trigger: int  #: the era that goes on with it, or ended it
    opened_ms: int
    floor_ms: int
    until_ms: int
    due_ms: int | None
    missed: str
    at_ms: int | None
    ended: str  #: empty: it goes on
    lacked: str

    @property
    def is_over(self) -> bool:
        return self.ended in (FIRED, MISSED)


COLUMNS = ", ".join(Gathering._fields)
_MARKS = ", ".join("?" * len(Gathering._fields))
_OPEN = f"SELECT {COLUMNS} FROM gatherings INDEXED BY gatherings_open WHERE trigger = ? AND at_ms IS NOT NULL"


def get(store: Store, job: int, key: str, plan_day: int) -> Gathering | None:
    row = store.row(
        f"SELECT {COLUMNS} FROM gatherings WHERE job = ? AND key = ? AND plan_day = ?", (job, key, plan_day)
    )
    return None if row is None else Gathering._make(row)


def put(store: Store, gathering: Gathering) -> None:
    store.write(f"INSERT OR REPLACE INTO gatherings ({COLUMNS}) VALUES ({_MARKS})", gathering)


def open_of(store: Store, trigger: int, limit: int) -> list[Gathering]:
    """Those that are to be given up first, first."""
    rows = store.rows(f"{_OPEN} ORDER BY until_ms, plan_day LIMIT ?", (trigger, limit))
    return [Gathering._make(row) for row in rows]


def hand_on(store: Store, trigger: int, heir: int) -> None:
    """The trigger goes on as `heir`."""
    store.write(
        "UPDATE gatherings SET trigger = ? WHERE trigger = ? AND at_ms IS NOT NULL", (heir, trigger)
    )


def drop(store: Store, trigger: int) -> None:
    """Nothing goes on with what it gathers."""
    store.write(
        "UPDATE gatherings SET ended = ?, at_ms = NULL WHERE trigger = ? AND at_ms IS NOT NULL",
        (DROPPED, trigger),
    )


def due(store: Store, now_ms: int, limit: int) -> list[Gathering]:
    rows = store.rows(
        f"SELECT {COLUMNS} FROM gatherings WHERE at_ms <= ? ORDER BY at_ms, trigger, plan_day LIMIT ?",
        (now_ms, limit),
    )
    return [Gathering._make(row) for row in rows]


def next_ms(store: Store) -> int | None:
    first: int | None = store.value("SELECT min(at_ms) FROM gatherings")
    return first


def last_over(store: Store, job: int, key: str) -> Gathering | None:
    """Of the last date that is."""
    row = store.row(
        f"SELECT {COLUMNS} FROM gatherings WHERE job = ? AND key = ? AND ended IN (?, ?)"
        " ORDER BY plan_day DESC LIMIT 1",
        (job, key, FIRED, MISSED),
    )
    return None if row is None else Gathering._make(row)


def of_trigger(store: Store, trigger: int, after_day: int, limit: int) -> list[Gathering]:
    rows = store.rows(
        f"SELECT {COLUMNS} FROM gatherings INDEXED BY gatherings_trigger WHERE trigger = ? AND plan_day > ?"
        " ORDER BY plan_day LIMIT ?",
        (trigger, after_day, limit),
    )
    return [Gathering._make(row) for row in rows]


# -- what has come of it -------------------------------------------------------------------------------


def parts(store: Store, gathering: Gathering) -> dict[str, int]:
    """Of each part the number of its newest end, or the serial of its newest notice."""
    rows = store.rows(
        "SELECT part, number FROM gathered WHERE job = ? AND key = ? AND plan_day = ? ORDER BY part",
        gathering[:3],
    )
    return {part: number for part, number in rows}


def note(store: Store, gathering: Gathering, part: str, number: int) -> None:
    store.write(
        "INSERT OR REPLACE INTO gathered (job, key, plan_day, part, number) VALUES (?, ?, ?, ?, ?)",
        (*gathering[:3], part, number),
    )


def forget(store: Store, gathering: Gathering) -> None:
    store.write("DELETE FROM gathered WHERE job = ? AND key = ? AND plan_day = ?", gathering[:3])
