"""Who led when: the newest leaderships, for people. Nothing is decided by them."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store

KEPT_MAX = 200


class Leadership(NamedTuple):
    epoch: int
    node: str
    zone: str
    term: int
    began_ms: int
    before_ms: int  #: the stamp before its own: nothing was decided in between
    vacant_ms: int  #: the last sign of the leader before it: in between nobody could decide


COLUMNS = ", ".join(Leadership._fields)


def put(store: Store, leadership: Leadership) -> None:
    """Note it; of the former ones the newest stay."""
    marks = ", ".join("?" * len(Leadership._fields))
    store.write(f"INSERT OR REPLACE INTO leaderships ({COLUMNS}) VALUES ({marks})", leadership)
    store.write("DELETE FROM leaderships WHERE epoch <= ?", (leadership.epoch - KEPT_MAX,))


def newest(store: Store, limit: int) -> list[Leadership]:
    rows = store.rows(f"SELECT {COLUMNS} FROM leaderships ORDER BY epoch DESC LIMIT ?", (limit,))
    return [Leadership._make(row) for row in rows]
