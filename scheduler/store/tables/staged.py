"""The items of staged applies, in the order of their turns; and what those that were checked ask for."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store


class Item(NamedTuple):
    stage: int
    turn: int
    place: int  #: among all of its stage, in the order in which they came
    kind: str
    namespace: str
    name: str
    is_deletion: int
    size: int
    body: bytes


COLUMNS = ", ".join(Item._fields)
_INSERT = f"INSERT INTO staged ({COLUMNS}) VALUES ({', '.join('?' * len(Item._fields))})"
_NAMED = f"SELECT {COLUMNS} FROM staged WHERE stage = ? AND kind = ? AND namespace = ? AND name = ?"
_AFTER = "FROM staged WHERE stage = ? AND (turn, place) > (?, ?)"
Place = tuple[int, int]
"""An item's turn, and its place among those of that turn."""
FIRST: Place = (-1, 0)  #: before every item
UNBOUNDED = "\U0010ffff"  #: behind every kind
_REFERRERS = (
    "SELECT kind, namespace, name FROM refs r WHERE to_kind = ? AND to_namespace = ? AND to_name = ?"
    " AND (kind, namespace, name) > (?, ?, ?)"
)
_BY_NAME = "ORDER BY kind, namespace, name"


def insert(store: Store, item: Item) -> None:
    store.kept.later("staged", _INSERT, item)


def find(store: Store, stage: int, kind: str, namespace: str, name: str) -> Item | None:
    row = store.row(_NAMED, (stage, kind, namespace, name))
    return None if row is None else Item._make(row)


def has_kind(store: Store, stage: int, kind: str) -> bool:
    """Whether any object of this kind is yet to have its turn."""
    found = store.value("SELECT 1 FROM staged WHERE stage = ? AND kind = ? LIMIT 1", (stage, kind))
    return found is not None


def of_kind(store: Store, stage: int, kind: str, namespace: str, limit: int) -> list[Item]:
    """Those of a namespace, by name."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM staged WHERE stage = ? AND kind = ? AND namespace = ? ORDER BY name LIMIT ?",
        (stage, kind, namespace, limit),
    )
    return [Item._make(row) for row in rows]


def all_of_kind(store: Store, stage: int, kind: str, limit: int) -> list[Item]:
    """Those of all namespaces, by namespace and name."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM staged WHERE stage = ? AND kind = ? ORDER BY namespace, name LIMIT ?",
        (stage, kind, limit),
    )
    return [Item._make(row) for row in rows]


def first_of(store: Store, stage: int, names: Sequence[tuple[str, str, str]]) -> int | None:
    """The place of the first of these (kind, namespace, name) that is staged already."""
    place: int | None = store.value(
        "SELECT n.key FROM json_each(?) n WHERE EXISTS (SELECT 1 FROM staged WHERE stage = ?"
        " AND kind = n.value ->> 0 AND namespace = n.value ->> 1 AND name = n.value ->> 2)"
        " ORDER BY n.key LIMIT 1",
        (json.dumps(names), stage),
    )
    return place


def deletes(store: Store, stage: int, kind: str, namespace: str, name: str) -> bool | None:
    """Whether it is a deletion; None: nothing of this name is staged."""
    found: int | None = store.value(
        "SELECT is_deletion FROM staged WHERE stage = ? AND kind = ? AND namespace = ? AND name = ?",
        (stage, kind, namespace, name),
    )
    return None if found is None else bool(found)


def reach(store: Store, stage: int, after: Place, *, limit: int, bytes_max: int) -> Place | None:
    """The place of the last of the next items: so many at most, of so many bytes, but one at least. None:
    there is none."""
    last: Place | None = None
    for turn, place, size in store.rows(
        f"SELECT turn, place, size {_AFTER} ORDER BY turn, place LIMIT ?", (stage, *after, limit)
    ):
        bytes_max -= size
        if last is not None and bytes_max < 0:
            break
        last = turn, place
    return last


def between(store: Store, stage: int, after: Place, last: Place) -> list[Item]:
    """The items behind a place up to another, in the order of their turns."""
    rows = store.rows(
        f"SELECT {COLUMNS} {_AFTER} AND (turn, place) <= (?, ?) ORDER BY turn, place", (stage, *after, *last)
    )
    return [Item._make(row) for row in rows]


def drop(store: Store, item: Item) -> None:
    place = (item.stage, item.turn, item.place)
    store.write("DELETE FROM staged WHERE stage = ? AND turn = ? AND place = ?", place)


def drop_through(store: Store, stage: int, last: Place) -> int:
    """That at this place and all before it; how many."""
    return store.write("DELETE FROM staged WHERE stage = ? AND (turn, place) <= (?, ?)", (stage, *last))


def referrers(
    store: Store, stage: int, what: tuple[str, str, str], after: tuple[str, str, str], limit: int
) -> tuple[list[tuple[str, str, str]], tuple[str, str, str] | None]:
    """Of the next that refer to it those that are not staged themselves, and the last that was looked at;
    None: that were all."""
    last = store.row(f"{_REFERRERS} {_BY_NAME} LIMIT 1 OFFSET ?", (*what, *after, limit - 1))
    upto = last or (UNBOUNDED, "", "")
    rows = store.rows(
        f"{_REFERRERS} AND (kind, namespace, name) <= (?, ?, ?) AND NOT EXISTS (SELECT 1 FROM staged s"
        " WHERE s.stage = ? AND s.kind = r.kind AND s.namespace = r.namespace AND s.name = r.name)"
        f" {_BY_NAME}",
        (*what, *after, *upto, stage),
    )
    return [(row[0], row[1], row[2]) for row in rows], None if last is None else (last[0], last[1], last[2])


# -- what was checked -----------------------------------------------------------------------------


class Asked(NamedTuple):
    """How much more than before a namespace asks for by a stage; the empty name: all of them."""

    stage: int
    namespace: str
    per_day: int
    jobs: int
    routes: int = 0


def ask(store: Store, asked: Asked) -> None:
    store.write(
        "INSERT INTO staged_asks (stage, namespace, per_day, jobs, routes) VALUES (?, ?, ?, ?, ?)"
        " ON CONFLICT (stage, namespace)"
        " DO UPDATE SET per_day = per_day + excluded.per_day, jobs = jobs + excluded.jobs,"
        " routes = routes + excluded.routes",
        asked,
    )


def asks(store: Store, stage: int) -> Sequence[Asked]:
    rows = store.rows(
        "SELECT stage, namespace, per_day, jobs, routes FROM staged_asks WHERE stage = ? ORDER BY namespace",
        (stage,),
    )
    return [Asked._make(row) for row in rows]


def asks_of_more_than(store: Store, stage: int, namespaces: int) -> bool:
    sql = "SELECT 1 FROM staged_asks WHERE stage = ? LIMIT 1 OFFSET ?"
    return store.value(sql, (stage, namespaces + 1)) is not None


def forget_asks(store: Store, stage: int) -> None:
    store.write("DELETE FROM staged_asks WHERE stage = ?", (stage,))
