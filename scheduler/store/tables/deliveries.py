"""Deliveries that hooks took, and what came of each. Of one hook they are numbered without a gap, since the
oldest go first: so how many there are is a difference, and nothing is counted."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.words.json_text import json_text


class Firing(NamedTuple):
    """What a trigger made of a delivery."""

    job: int
    name: str  #: of the job, in the hook's namespace
    trigger: str  #: its key
    run: int  #: 0: none was made, and none was in the way
    outcome: str  #: empty: it made a run
    reason: str


class Delivery(NamedTuple):
    namespace: str
    hook: str
    serial: int
    delivery: str
    at_ms: int
    safe_ms: int
    firings: str  #: `text_of`


def text_of(firings: Sequence[Firing]) -> str:
    return json_text([list(each) for each in firings]).decode()


def firings_of(text: str) -> list[Firing]:
    return [Firing._make(each) for each in json.loads(text)]


COLUMNS = ", ".join(Delivery._fields)
_OF = "namespace = ? AND hook = ?"


def find(store: Store, namespace: str, hook: str, delivery: str) -> Delivery | None:
    row = store.row(
        f"SELECT {COLUMNS} FROM deliveries WHERE {_OF} AND delivery = ?", (namespace, hook, delivery)
    )
    return None if row is None else Delivery._make(row)


def oldest(store: Store, namespace: str, hook: str) -> Delivery | None:
    row = store.row(
        f"SELECT {COLUMNS} FROM deliveries WHERE {_OF} ORDER BY serial LIMIT 1", (namespace, hook)
    )
    return None if row is None else Delivery._make(row)


def newest(store: Store, namespace: str, hook: str, before: int | None, limit: int) -> list[Delivery]:
    """The newest first, those before the serial `before`; None: from the last one on."""
    before = (1 << 62) if before is None else before
    rows = store.rows(
        f"SELECT {COLUMNS} FROM deliveries WHERE {_OF} AND serial < ? ORDER BY serial DESC LIMIT ?",
        (namespace, hook, before, limit),
    )
    return [Delivery._make(row) for row in rows]


def insert(store: Store, delivery: Delivery) -> None:
    marks = ", ".join("?" * len(Delivery._fields))
    store.write(f"INSERT INTO deliveries ({COLUMNS}) VALUES ({marks})", delivery)


def drop(store: Store, delivery: Delivery) -> None:
    store.write(
        f"DELETE FROM deliveries WHERE {_OF} AND serial = ?",
        (delivery.namespace, delivery.hook, delivery.serial),
    )


def sweep(store: Store, before_ms: int, limit: int) -> int:
    """Drop the oldest that were taken before then."""
    return store.write(
        "DELETE FROM deliveries WHERE (namespace, hook, serial) IN (SELECT namespace, hook, serial"
        " FROM deliveries WHERE at_ms < ? ORDER BY at_ms, namespace, hook, serial LIMIT ?)",
        (before_ms, limit),
    )


def oldest_ms(store: Store) -> int | None:
    first: int | None = store.value("SELECT min(at_ms) FROM deliveries")
    return first


def between(
    store: Store, after: tuple[int, str, str, int], until_ms: int, limit: int
) -> list[Delivery]:
    """Those that were taken up to then, by their stamps, after (stamp, namespace, hook, serial)."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM deliveries WHERE (at_ms, namespace, hook, serial) > (?, ?, ?, ?)"
        " AND at_ms <= ? ORDER BY at_ms, namespace, hook, serial LIMIT ?",
        (*after, until_ms, limit),
    )
    return [Delivery._make(row) for row in rows]
