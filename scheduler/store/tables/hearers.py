"""How far each trigger has heard of the notices of its board, or of each of its boards. Rows stay, as eras of
triggers do, so that verify can recompute what was heard."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.kept import always


class Hearer(NamedTuple):
    trigger: int
    board: str  #: namespace/name
    job: int
    from_serial: int
    until_serial: int | None
    through: int
    at_ms: int | None
    is_full: int


COLUMNS = ", ".join(Hearer._fields)
_FULL = "SELECT 1 FROM hearers WHERE job = ? AND until_serial IS NULL AND is_full = 1 LIMIT 1"


def get(store: Store, trigger: int, board: str) -> Hearer | None:
    row = store.row(f"SELECT {COLUMNS} FROM hearers WHERE trigger = ? AND board = ?", (trigger, board))
    return None if row is None else Hearer._make(row)


def insert(store: Store, hearer: Hearer) -> None:
    marks = ", ".join("?" * len(Hearer._fields))
    store.write(f"INSERT INTO hearers ({COLUMNS}) VALUES ({marks})", hearer)


def close(store: Store, trigger: int) -> None:
    """Its era ends: it hears of no more."""
    store.write(
        "UPDATE hearers SET until_serial = through, at_ms = NULL, is_full = 0"
        " WHERE trigger = ? AND until_serial IS NULL",
        (trigger,),
    )


def move(store: Store, hearer: Hearer, through: int, at_ms: int | None, *, is_full: bool) -> None:
    if is_full:
        store.kept.unnote("hearers", _FULL, (hearer.job,))
    store.write(
        "UPDATE hearers SET through = ?, at_ms = ?, is_full = ? WHERE trigger = ? AND board = ?",
        (through, at_ms, int(is_full), hearer.trigger, hearer.board),
    )


def tell(store: Store, board: str, at_ms: int) -> None:
    """A notice was posted. Who waits for room goes on waiting."""
    store.write(
        "UPDATE hearers SET at_ms = ? WHERE board = ? AND until_serial IS NULL AND at_ms IS NULL"
        " AND is_full = 0",
        (at_ms, board),
    )


def wake(store: Store, job: int, at_ms: int) -> None:
    """A run of the job has ended. Asked each time, so that there is none is remembered."""
    if store.kept.note("hearers", _FULL, (job,), keeps=always) is not None:
        store.write(
            "UPDATE hearers SET at_ms = ?, is_full = 0"
            " WHERE job = ? AND until_serial IS NULL AND is_full = 1",
            (at_ms, job),
        )


def hurry(store: Store, job: int, at_ms: int) -> None:
    """The job is resumed: what waited for that goes on."""
    store.write(
        "UPDATE hearers SET at_ms = ? WHERE job = ? AND until_serial IS NULL AND at_ms > ?",
        (at_ms, job, at_ms),
    )


def due(store: Store, now_ms: int, limit: int) -> list[Hearer]:
    rows = store.rows(
        f"SELECT {COLUMNS} FROM hearers WHERE at_ms <= ? ORDER BY at_ms, trigger, board LIMIT ?",
        (now_ms, limit),
    )
    return [Hearer._make(row) for row in rows]


def next_ms(store: Store) -> int | None:
    first: int | None = store.value("SELECT min(at_ms) FROM hearers")
    return first


def count(store: Store, board: str, limit: int, *, but: Sequence[int]) -> int:
    """Triggers that hear of the board, but for those of these jobs; not counted beyond `limit`."""
    rows = store.rows(
        "SELECT job FROM hearers INDEXED BY hearers_board WHERE board = ? AND until_serial IS NULL"
        " ORDER BY through, trigger LIMIT ?",
        (board, limit),
    )
    return sum(row[0] not in but for row in rows)


def goes_on(store: Store, trigger: int) -> bool:
    """Whether it is yet to hear of what was posted."""
    row = store.row("SELECT 1 FROM hearers WHERE trigger = ? AND at_ms IS NOT NULL LIMIT 1", (trigger,))
    return row is not None


def page(store: Store, after: tuple[int, str], limit: int) -> list[Hearer]:
    rows = store.rows(
        f"SELECT {COLUMNS} FROM hearers WHERE (trigger, board) > (?, ?) ORDER BY trigger, board LIMIT ?",
        (*after, limit),
    )
    return [Hearer._make(row) for row in rows]
