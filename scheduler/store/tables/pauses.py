"""Pauses of everything, and of single namespaces: those that stand, and the latest of those that are over.

A pause that is over stays: what came due in it and is not decided yet, since nobody led, is skipped as well.
`State.paused_through_ms` says up to which instant any can be in the way, so that who asks for a later one
reads nothing here.
"""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store

ALL = ""  #: in place of a namespace
NEVER_MS = 1 << 62
KEPT_MAX = 1_000


class Pause(NamedTuple):
    namespace: str
    since_ms: int
    until_ms: int | None
    lifted_ms: int | None  #: None: it stands
    reason: str
    actor: str

    @property
    def end_ms(self) -> int:
        """When it ended, or will by what is known."""
        if self.lifted_ms is not None:
            return self.lifted_ms
        return NEVER_MS if self.until_ms is None else self.until_ms

    def stands(self, now_ms: int) -> bool:
        return self.lifted_ms is None and now_ms < self.end_ms

    def covers(self, due_ms: int, now_ms: int) -> bool:
        """Whether a tick that is due then is skipped: it came due in the pause, or before one that stands."""
        return due_ms < self.end_ms and (self.since_ms <= due_ms or self.stands(now_ms))


COLUMNS = ", ".join(Pause._fields)


def put(store: Store, pause: Pause) -> None:
    store.write(f"INSERT OR REPLACE INTO pauses ({COLUMNS}) VALUES (?, ?, ?, ?, ?, ?)", pause)


def of(store: Store, namespace: str) -> list[Pause]:
    """Of this namespace and of everything, the newest first."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM pauses WHERE namespace IN ('', ?) ORDER BY since_ms DESC, namespace LIMIT ?",
        (namespace, 2 * KEPT_MAX),
    )
    return [Pause._make(row) for row in rows]


def standing(store: Store) -> list[Pause]:
    """Those that nobody has lifted, in the order of their names: of everything first."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM pauses WHERE lifted_ms IS NULL ORDER BY namespace LIMIT ?", (KEPT_MAX,)
    )
    return [Pause._make(row) for row in rows]


def standing_of(store: Store, namespace: str) -> Pause | None:
    row = store.row(f"SELECT {COLUMNS} FROM pauses WHERE lifted_ms IS NULL AND namespace = ?", (namespace,))
    return None if row is None else Pause._make(row)


def stands(store: Store, namespace: str, now_ms: int) -> bool:
    """Whether nothing new starts in this namespace now."""
    row = store.row(
        "SELECT 1 FROM pauses WHERE lifted_ms IS NULL AND namespace IN ('', ?)"
        " AND (until_ms IS NULL OR until_ms > ?) LIMIT 1",
        (namespace, now_ms),
    )
    return row is not None


def lift(store: Store, pause: Pause, lifted_ms: int) -> None:
    store.write(
        "UPDATE pauses SET lifted_ms = ? WHERE namespace = ? AND since_ms = ?",
        (lifted_ms, pause.namespace, pause.since_ms),
    )


def forget(store: Store) -> None:
    """Of those that are over the latest KEPT_MAX stay."""
    store.write(
        "DELETE FROM pauses WHERE (since_ms, namespace) IN (SELECT since_ms, namespace FROM pauses"
        " WHERE lifted_ms IS NOT NULL ORDER BY since_ms DESC, namespace LIMIT -1 OFFSET ?)",
        (KEPT_MAX,),
    )


def through_ms(store: Store) -> int:
    """Up to which instant any can be in the way; 0: there was none."""
    return store.value("SELECT max(coalesce(lifted_ms, ?)) FROM pauses", (NEVER_MS,)) or 0


def kept_back_ms(store: Store, namespace: str, from_ms: int, to_ms: int) -> int:
    """For how long of this time pauses kept back what there is of the namespace."""
    spans = sorted(
        (max(from_ms, pause.since_ms), min(to_ms, pause.end_ms))
        for pause in of(store, namespace)
        if pause.since_ms < to_ms and pause.end_ms > from_ms
    )
    total_ms, counted_ms = 0, from_ms
    for begin_ms, end_ms in spans:
        total_ms += max(0, end_ms - max(begin_ms, counted_ms))
        counted_ms = max(counted_ms, end_ms)
    return total_ms
