"""How far each trigger that waits for files has come with those of its folder, and whose eyes count."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.kept import always


class Folder(NamedTuple):
    job: int
    key: str
    trigger: int
    pool: str
    shared: int
    agent: int
    last: int
    recent: str
    at_ms: int | None
    is_full: int


COLUMNS = ", ".join(Folder._fields)
_FULL = "SELECT 1 FROM folders WHERE job = ? AND is_full = 1 LIMIT 1"


def get(store: Store, job: int, key: str) -> Folder | None:
    row = store.row(f"SELECT {COLUMNS} FROM folders WHERE job = ? AND key = ?", (job, key))
    return None if row is None else Folder._make(row)


def put(store: Store, folder: Folder) -> None:
    """In place of what was there of this trigger."""
    if folder.is_full:
        store.kept.unnote("folders", _FULL, (folder.job,))
    marks = ", ".join("?" * len(Folder._fields))
    store.write(f"INSERT OR REPLACE INTO folders ({COLUMNS}) VALUES ({marks})", folder)


def of_trigger(store: Store, trigger: int) -> Folder | None:
    row = store.row(
        f"SELECT {COLUMNS} FROM folders INDEXED BY folders_trigger WHERE trigger = ? AND trigger <> 0",
        (trigger,),
    )
    return None if row is None else Folder._make(row)


def of_job(store: Store, job: int) -> list[Folder]:
    rows = store.rows(f"SELECT {COLUMNS} FROM folders WHERE job = ? ORDER BY key", (job,))
    return [Folder._make(row) for row in rows]


def wake(store: Store, job: int, at_ms: int) -> None:
    """A run of the job has ended. Asked each time, so that there is none is remembered."""
    if store.kept.note("folders", _FULL, (job,), keeps=always) is not None:
        store.write("UPDATE folders SET at_ms = ?, is_full = 0 WHERE job = ? AND is_full = 1", (at_ms, job))


def hurry(store: Store, job: int, at_ms: int) -> None:
    """The job is resumed: what waited for that goes on."""
    store.write("UPDATE folders SET at_ms = ? WHERE job = ? AND at_ms > ?", (at_ms, job, at_ms))


def due(store: Store, now_ms: int, limit: int) -> list[Folder]:
    rows = store.rows(
        f"SELECT {COLUMNS} FROM folders WHERE at_ms <= ? ORDER BY at_ms, job, key LIMIT ?", (now_ms, limit)
    )
    return [Folder._make(row) for row in rows]


def next_ms(store: Store) -> int | None:
    first: int | None = store.value("SELECT min(at_ms) FROM folders WHERE at_ms IS NOT NULL")
    return first


def any_shared(store: Store) -> bool:
    """Whether all agents see one."""
    found = store.value(
        "SELECT 1 FROM folders INDEXED BY folders_shared WHERE shared = 1 AND trigger <> 0 LIMIT 1"
    )
    return found is not None


def unwatched(store: Store, limit: int) -> list[Folder]:
    """Those that all agents see, and of which none is connected whose eyes count."""
    rows = store.rows(
        f"SELECT {', '.join(f'd.{name}' for name in Folder._fields)}"
        " FROM folders d INDEXED BY folders_shared LEFT JOIN agents a ON a.id = d.agent"
        " WHERE d.shared = 1 AND d.trigger <> 0 AND (a.id IS NULL OR a.node = '')"
        " ORDER BY d.agent, d.job, d.key LIMIT ?",
        (limit,),
    )
    return [Folder._make(row) for row in rows]


def page(store: Store, after: tuple[int, str], limit: int) -> list[Folder]:
    rows = store.rows(
        f"SELECT {COLUMNS} FROM folders WHERE (job, key) > (?, ?) ORDER BY job, key LIMIT ?", (*after, limit)
    )
    return [Folder._make(row) for row in rows]
