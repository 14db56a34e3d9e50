"""Tasks that are divided over members: one row each, from when the members are fixed to the purge of the run.
What belongs to all of them is counted there, so that an end never looks at the others."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.kept import Table


class Fanout(NamedTuple):
    task: int  #: the whole
    run: int
    first_task: int  #: its members have these ids, in their order
    members: int
    unmade: int  #: of them the last ones have no row yet: so many
    next: int = 0  #: place of the first that may have its turn: those before had it, or are passed by
    going: int = 0  #: that had their turn, and have not ended
    ended: int = 0
    succeeded: int = 0
    skipped: int = 0
    open_ms: int = 0  #: when the next one may have its turn (stagger)
    look_ms: int = 0  #: when those are given up whose agents are away; 0: never
    repeats: int = 0  #: the first of the members of another run that these repeat; 0: none

    @property
    def made(self) -> int:
        return self.members - self.unmade

    @property
    def failed(self) -> int:
        """However: one that was cancelled has not done its work either."""
        return self.ended - self.succeeded - self.skipped

    @property
    def ids(self) -> range:
        """Of the members that are made."""
        return range(self.first_task, self.first_task + self.made)


TABLE = Table("fanouts", Fanout)
COLUMNS = ", ".join(Fanout._fields)
_ANY = "SELECT task FROM fanouts LIMIT 1"


def are_any(store: Store) -> bool:
    return store.kept.note("fanouts", _ANY, (), keeps=lambda task: task is None) is not None


def get(store: Store, task: int) -> Fanout | None:
    return store.kept.get(TABLE, task)


def insert(store: Store, row: Fanout, items: Sequence[str]) -> None:
    """`items`: of a list."""
    store.kept.unnote("fanouts", _ANY, ())
    store.kept.insert(TABLE, row)
    if items:
        text = json.dumps(items, separators=(",", ":"))
        store.write("INSERT INTO fanout_lists (task, items) VALUES (?, ?)", (row.task, text))


def change(store: Store, row: Fanout, **changes: int) -> Fanout:
    """The row as it is then."""
    store.kept.update(TABLE, row.task, (*changes.values(), row.task), **changes)
    return row._replace(**changes)


def of_run(store: Store, run: int) -> list[Fanout]:
    """In the order of their members' ids."""
    rows = store.rows(f"SELECT {COLUMNS} FROM fanouts WHERE run = ? ORDER BY first_task", (run,))
    return [Fanout._make(row) for row in rows]


def items_of(store: Store, task: int) -> list[str]:
    """Of a list with members to be made; empty: it is none."""
    text = store.value("SELECT items FROM fanout_lists WHERE task = ?", (task,))
    items: list[str] = [] if text is None else json.loads(text)
    return items


def given(store: Store, members: range) -> list[str]:
    """The items of these members, in their order."""
    rows = store.rows(
        "SELECT item FROM member_items WHERE task BETWEEN ? AND ? ORDER BY task",
        (members.start, members.stop - 1),
    )
    return [row[0] for row in rows]


def drop_items(store: Store, task: int) -> None:
    store.write("DELETE FROM fanout_lists WHERE task = ?", (task,))


def put_item(store: Store, member: int, item: str) -> None:
    store.kept.later("member_items", "INSERT INTO member_items (task, item) VALUES (?, ?)", (member, item))


def purge(store: Store, run: int, limit: int) -> None:
    """Drop items of the first tasks of a run, as many as that, before these go."""
    if are_any(store):
        store.write(
            "DELETE FROM member_items WHERE task IN (SELECT id FROM tasks WHERE run = ? ORDER BY id LIMIT ?)",
            (run, limit),
        )


def purge_run(store: Store, run: int) -> None:
    if not are_any(store):
        store.kept.tell((run,))
        return
    store.write("DELETE FROM fanout_lists WHERE task IN (SELECT task FROM fanouts WHERE run = ?)", (run,))
    store.write("DELETE FROM fanouts WHERE run = ?", (run,))
