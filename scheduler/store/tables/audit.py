"""The audit: what people decided, and whoever came through the API. Only ever appended to; the oldest go."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store

ROWS_MAX = 500_000
KEPT_MS = 400 * 86_400_000


class Entry(NamedTuple):
    id: int  #: without a gap: one that is missing was dropped for its age, or somebody took it away
    idx: int
    stamp_ms: int
    actor: str
    address: str
    by_session: int
    action: str
    kind: str
    namespace: str
    name: str
    run: int
    before: int | str | None  #: a revision is a number, a small value a text
    after: int | str | None
    reason: str


COLUMNS = ", ".join(Entry._fields)
_INSERT = f"INSERT INTO audit ({COLUMNS}) VALUES ({', '.join('?' * len(Entry._fields))})"


def append(store: Store, entry: Entry) -> None:
    store.kept.later("audit", _INSERT, entry)


def has_surplus(store: Store, now_ms: int) -> bool:
    """Whether the oldest entry is one too many, or too old."""
    row = store.row("SELECT id, (SELECT max(id) FROM audit), stamp_ms FROM audit ORDER BY id LIMIT 1")
    return row is not None and (row[0] <= row[1] - ROWS_MAX or row[2] < now_ms - KEPT_MS)


def drop_surplus(store: Store, last: int, now_ms: int, limit: int) -> int:
    return store.write(
        "DELETE FROM audit WHERE id IN (SELECT id FROM"
        " (SELECT id, stamp_ms FROM audit ORDER BY id LIMIT ?) WHERE id <= ? OR stamp_ms < ?)",
        (limit, last - ROWS_MAX, now_ms - KEPT_MS),
    )
