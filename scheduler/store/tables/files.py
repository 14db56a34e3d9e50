"""Files that agents saw, of each trigger in the order in which the state heard of them.

waiting   for its run: to be made next, or kept back by a pause, a full queue, a rate
fired     it has a run, or ended without one; it is known until it is gone
done      its run succeeded, and an agent is to move or delete it
left      its run failed, or an agent could not move or delete it (`why`)
"""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store

WAITING, FIRED, DONE, LEFT = "waiting", "fired", "done", "left"


class SeenFile(NamedTuple):
    job: int
    key: str
    serial: int
    agent: int
    path: str
    identity: str
    size: int
    modified_ms: int
    changed_ms: int
    seen_ms: int
    state: str
    run: int
    why: str


COLUMNS = ", ".join(SeenFile._fields)
_OF = "job = ? AND key = ?"


def get(store: Store, job: int, key: str, serial: int) -> SeenFile | None:
    row = store.row(f"SELECT {COLUMNS} FROM files WHERE {_OF} AND serial = ?", (job, key, serial))
    return None if row is None else SeenFile._make(row)


def known(store: Store, job: int, key: str, agent: int, path: str, identity: str) -> int | None:
    """The serial of this very file; None: nobody told of it yet."""
    serial: int | None = store.value(
        f"SELECT serial FROM files WHERE {_OF} AND agent = ? AND path = ? AND identity = ?",
        (job, key, agent, path, identity),
    )
    return serial


def insert(store: Store, file: SeenFile) -> None:
    marks = ", ".join("?" * len(SeenFile._fields))
    store.write(f"INSERT INTO files ({COLUMNS}) VALUES ({marks})", file)


def count_waiting(store: Store, job: int, key: str, limit: int) -> int:
    """Not counted beyond `limit`."""
    counted: int = store.value(
        f"SELECT count(*) FROM (SELECT 1 FROM files INDEXED BY files_waiting WHERE {_OF}"
        " AND state = 'waiting' LIMIT ?)",
        (job, key, limit),
    )
    return counted


def count_known(store: Store, job: int, key: str, agent: int, limit: int) -> int:
    """Of one agent's folder, or of one that all see (0); not counted beyond `limit`."""
    counted: int = store.value(
        f"SELECT count(*) FROM (SELECT 1 FROM files INDEXED BY files_identity WHERE {_OF} AND agent = ?"
        " LIMIT ?)",
        (job, key, agent, limit),
    )
    return counted


def waiting(store: Store, job: int, key: str, limit: int) -> list[SeenFile]:
    rows = store.rows(
        f"SELECT {COLUMNS} FROM files INDEXED BY files_waiting WHERE {_OF} AND state = 'waiting'"
        " ORDER BY serial LIMIT ?",
        (job, key, limit),
    )
    return [SeenFile._make(row) for row in rows]


def in_folder(
    store: Store, job: int, key: str, agent: int, after: int, limit: int
) -> list[SeenFile]:
    """Of one agent's folder, or of one that all see (0), behind a serial."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM files WHERE {_OF} AND serial > ? AND agent = ? ORDER BY serial LIMIT ?",
        (job, key, after, agent, limit),
    )
    return [SeenFile._make(row) for row in rows]


def page(store: Store, after: tuple[int, str, int], limit: int) -> list[SeenFile]:
    rows = store.rows(
        f"SELECT {COLUMNS} FROM files WHERE (job, key, serial) > (?, ?, ?) ORDER BY job, key, serial LIMIT ?",
        (*after, limit),
    )
    return [SeenFile._make(row) for row in rows]


def newest(store: Store, job: int, key: str, limit: int) -> list[SeenFile]:
    """Of a trigger, the newest first."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM files WHERE {_OF} ORDER BY serial DESC LIMIT ?", (job, key, limit)
    )
    return [SeenFile._make(row) for row in rows]


def done(store: Store, limit: int) -> list[SeenFile]:
    """Those that an agent is to move or delete."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM files INDEXED BY files_done WHERE state = 'done'"
        " ORDER BY job, key, serial LIMIT ?",
        (limit,),
    )
    return [SeenFile._make(row) for row in rows]


def of_run(store: Store, run: int, limit: int) -> list[SeenFile]:
    rows = store.rows(
        f"SELECT {COLUMNS} FROM files INDEXED BY files_run WHERE run = ? AND run <> 0"
        " ORDER BY job, key, serial LIMIT ?",
        (run, limit),
    )
    return [SeenFile._make(row) for row in rows]


def set_state(store: Store, file: SeenFile, state: str, *, run: int, why: str = "") -> None:
    store.write(
        f"UPDATE files SET state = ?, run = ?, why = ? WHERE {_OF} AND serial = ?",
        (state, run, why, file.job, file.key, file.serial),
    )


def drop(store: Store, file: SeenFile) -> None:
    store.write(f"DELETE FROM files WHERE {_OF} AND serial = ?", (file.job, file.key, file.serial))


_OVER = (
    "SELECT f.job, f.key, f.serial FROM folders d INDEXED BY folders_over JOIN files f"
    " ON f.job = d.job AND f.key = d.key WHERE d.trigger = 0 ORDER BY f.job, f.key, f.serial LIMIT ?"
)
"""Of triggers that are no more."""


def sweep(store: Store, limit: int) -> int:
    return store.write(f"DELETE FROM files WHERE (job, key, serial) IN ({_OVER})", (limit,))


def any_over(store: Store) -> bool:
    return bool(store.rows(_OVER, (1,)))
