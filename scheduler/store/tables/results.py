"""What an `after` trigger has heard of its jobs and not consumed: of each the newest end, and for how many
ends that stands. A run that the trigger makes consumes all of its rows."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store


class Result(NamedTuple):
    trigger: int
    parent: str  #: namespace/name
    run: int
    state: str
    exit_code: int | None
    warned: int
    at_ms: int
    plan_day: int
    ends: int  #: it is the newest of so many


COLUMNS = ", ".join(Result._fields)


_RESULTS = frozenset({"results"})


def of(store: Store, trigger: int) -> dict[str, Result]:
    """By its jobs, in the order of their names."""
    if store.kept.are_empty(_RESULTS):
        return {}
    rows = store.rows(f"SELECT {COLUMNS} FROM results WHERE trigger = ? ORDER BY parent", (trigger,))
    return {row[1]: Result._make(row) for row in rows}


def put(store: Store, result: Result) -> None:
    """In place of the one that was known of this job."""
    store.write(f"INSERT OR REPLACE INTO results ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)", result)


def hand_on(store: Store, trigger: int, heir: int, parents: Sequence[str]) -> None:
    """The trigger goes on as `heir`, which hears of these jobs."""
    for parent in parents:
        store.write(
            "UPDATE results SET trigger = ? WHERE trigger = ? AND parent = ?", (heir, trigger, parent)
        )


def drop(store: Store, trigger: int) -> None:
    store.write("DELETE FROM results WHERE trigger = ?", (trigger,))
