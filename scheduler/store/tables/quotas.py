"""Runs that wait until their namespace may have one more, and when the latest were admitted where it has a
quota of starts. What the quotas are is said of the namespace (`tables.namespaces`)."""

from __future__ import annotations

from scheduler.store.connection import Store


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


def note_start(store: Store, namespace: str, at_ms: int, most: int) -> None:
    """A run was admitted. `most`: so many of the latest are kept."""
    last: int = store.value("SELECT max(seq) FROM quota_starts WHERE namespace = ?", (namespace,)) or 0
    store.write(
        "INSERT INTO quota_starts (namespace, seq, at_ms) VALUES (?, ?, ?)", (namespace, last + 1, at_ms)
    )
    store.write("DELETE FROM quota_starts WHERE namespace = ? AND seq <= ?", (namespace, last + 1 - most))


def nth_start_ms(store: Store, namespace: str, nth: int) -> int | None:
    """When the nth latest was admitted; None: there were not so many."""
    at_ms: int | None = store.value(
        "SELECT at_ms FROM quota_starts WHERE namespace = ? AND seq ="
        " (SELECT max(seq) FROM quota_starts WHERE namespace = ?) + 1 - ?",
        (namespace, namespace, nth),
    )
    return at_ms


def forget_starts(store: Store, namespace: str) -> None:
    store.write("DELETE FROM quota_starts WHERE namespace = ?", (namespace,))
