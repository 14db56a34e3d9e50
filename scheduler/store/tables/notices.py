"""Notices on boards, in the order in which they were posted: one serial for all boards. What is taken down
goes; the newest of all stays until another is posted, so that no serial comes twice."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store

KIND = "board"  #: of the object that they belong to


class Notice(NamedTuple):
    serial: int
    board: str  #: namespace/name
    key: str
    poster: str
    posted_ms: int
    expires_ms: int
    plan_day: int
    deleted: int  #: 1: the newest of all, which was taken down


COLUMNS = ", ".join(Notice._fields)


def get(store: Store, serial: int) -> Notice | None:
    row = store.row(f"SELECT {COLUMNS} FROM notices WHERE serial = ?", (serial,))
    return None if row is None else Notice._make(row)


def last(store: Store) -> int:
    """The newest serial of all; 0: none was posted."""
    return int(store.value("SELECT max(serial) FROM notices") or 0)


def last_of(store: Store, board: str) -> int:
    found = store.value(
        "SELECT max(serial) FROM notices INDEXED BY notices_board WHERE board = ? AND deleted = 0", (board,)
    )
    return int(found or 0)


def insert(store: Store, notice: Notice) -> None:
    store.write("DELETE FROM notices WHERE serial = ? AND deleted = 1", (notice.serial - 1,))
    marks = ", ".join("?" * len(Notice._fields))
    store.write(f"INSERT INTO notices ({COLUMNS}) VALUES ({marks})", notice)


def take_down(store: Store, serial: int) -> None:
    if serial == last(store):
        store.write("UPDATE notices SET deleted = 1 WHERE serial = ?", (serial,))
    else:
        store.write("DELETE FROM notices WHERE serial = ?", (serial,))


def take_down_all(store: Store, board: str) -> None:
    """The board is no more: as many as may stand on one."""
    newest = last_of(store, board)
    store.write(
        "DELETE FROM notices INDEXED BY notices_board WHERE board = ? AND deleted = 0 AND serial < ?",
        (board, newest),
    )
    if newest:
        take_down(store, newest)


def after(store: Store, board: str, serial: int, limit: int) -> list[Notice]:
    """Those that stand, behind this one, the oldest first."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM notices INDEXED BY notices_board WHERE board = ? AND deleted = 0"
        " AND serial > ? ORDER BY serial LIMIT ?",
        (board, serial, limit),
    )
    return [Notice._make(row) for row in rows]


def newest(store: Store, board: str, before: int | None, limit: int) -> list[Notice]:
    before = (1 << 62) if before is None else before
    rows = store.rows(
        f"SELECT {COLUMNS} FROM notices INDEXED BY notices_board WHERE board = ? AND deleted = 0"
        " AND serial < ? ORDER BY serial DESC LIMIT ?",
        (board, before, limit),
    )
    return [Notice._make(row) for row in rows]


def count(store: Store, board: str, limit: int) -> int:
    """How many stand; not counted beyond `limit`."""
    counted: int = store.value(
        "SELECT count(*) FROM (SELECT 1 FROM notices INDEXED BY notices_board WHERE board = ? AND deleted = 0"
        " LIMIT ?)",
        (board, limit),
    )
    return counted


_SPENT = (
    "SELECT n.serial FROM notices n INDEXED BY notices_expiry WHERE n.expires_ms < ?"
    " AND n.serial < (SELECT max(serial) FROM notices) AND NOT EXISTS (SELECT 1 FROM hearers h"
    " WHERE h.board = n.board AND h.until_serial IS NULL AND h.through < n.serial)"
    " ORDER BY n.expires_ms, n.serial LIMIT ?"
)
"""Expired, and heard by all that were to hear of it."""


def sweep(store: Store, before_ms: int, limit: int) -> int:
    return store.write(f"DELETE FROM notices WHERE serial IN ({_SPENT})", (before_ms, limit))


def oldest_spent_ms(store: Store, before_ms: int) -> int | None:
    """When one expired that can go; None: none can."""
    found = store.rows(_SPENT, (before_ms, 1))
    notice = get(store, found[0][0]) if found else None
    return None if notice is None else notice.expires_ms
