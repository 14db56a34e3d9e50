"""Runs that wait until their namespace may have one more, and where it has a quota of starts those that may
begin, and those that began lately. What the quotas are is said of the namespace (`tables.namespaces`)."""

from __future__ import annotations

from scheduler.store.connection import Store

NOT_YET_MS = 1 << 62


def wait(store: Store, run: int, namespace: str, rank_ms: int) -> None:
    store.write(
        "INSERT OR REPLACE INTO quota_waits (run, namespace, rank_ms) VALUES (?, ?, ?)",
        (run, namespace, rank_ms),
    )


def drop(store: Store, run: int) -> None:
    """It waits no more."""
    store.write("DELETE FROM quota_waits WHERE run = ?", (run,))


def first(store: Store, namespace: str) -> int | None:
    """The run whose turn is next."""
    run: int | None = store.value(
        "SELECT run FROM quota_waits WHERE namespace = ? ORDER BY rank_ms, run LIMIT 1", (namespace,)
    )
    return run


def next_ones(store: Store, namespace: str, most: int) -> list[int]:
    """The runs whose turn is next."""
    rows = store.rows(
        "SELECT run FROM quota_waits WHERE namespace = ? ORDER BY rank_ms, run LIMIT ?", (namespace, most)
    )
    return [row[0] for row in rows]


def waiting(store: Store, namespace: str, most: int) -> int:
    """How many wait, counted up to `most`."""
    number: int = store.value(
        "SELECT count(*) FROM (SELECT 1 FROM quota_waits WHERE namespace = ? LIMIT ?)", (namespace, most)
    )
    return number


def before(store: Store, run: int, most: int) -> int:
    """How many of its namespace are before this one, counted up to `most`."""
    number: int = store.value(
        "SELECT count(*) FROM (SELECT 1 FROM quota_waits o, quota_waits r WHERE r.run = ?"
        " AND o.namespace = r.namespace AND (o.rank_ms, o.run) < (r.rank_ms, r.run) LIMIT ?)",
        (run, most),
    )
    return number


def next_namespace(store: Store, after: str) -> str | None:
    """The next namespace, by name, in which any run waits."""
    name: str | None = store.value("SELECT min(namespace) FROM quota_waits WHERE namespace > ?", (after,))
    return name


def note_start(store: Store, run: int, namespace: str) -> None:
    """It may begin: from now on it counts, and from when it has begun a minute longer."""
    store.write(
        "INSERT INTO quota_starts (run, namespace, at_ms) VALUES (?, ?, ?)", (run, namespace, NOT_YET_MS)
    )


def set_started(store: Store, run: int, at_ms: int) -> None:
    store.write("UPDATE quota_starts SET at_ms = ? WHERE run = ?", (at_ms, run))


def drop_start(store: Store, run: int) -> bool:
    """It will never begin. Whether it counted."""
    counted = store.value("SELECT 1 FROM quota_starts WHERE run = ?", (run,)) is not None
    if counted:
        store.write("DELETE FROM quota_starts WHERE run = ?", (run,))
    return counted


def drop_starts(store: Store, namespace: str, until_ms: int, most: int) -> int:
    """Those of runs that began up to then, the oldest first, `most` of them. How many there were."""
    rows = store.rows(
        "SELECT run FROM quota_starts WHERE namespace = ? AND at_ms <= ? ORDER BY at_ms, run LIMIT ?",
        (namespace, until_ms, most),
    )
    for (run,) in rows:
        store.write("DELETE FROM quota_starts WHERE run = ?", (run,))
    return len(rows)


def nth_start_ms(store: Store, namespace: str, nth: int) -> int | None:
    """When the nth oldest began, counted from 0; NOT_YET_MS: it has not."""
    at_ms: int | None = store.value(
        "SELECT at_ms FROM quota_starts WHERE namespace = ? ORDER BY at_ms, run LIMIT 1 OFFSET ?",
        (namespace, nth),
    )
    return at_ms


def forget_starts(store: Store, namespace: str) -> None:
    store.write("DELETE FROM quota_starts WHERE namespace = ?", (namespace,))
