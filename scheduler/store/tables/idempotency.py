"""Idempotency keys that clients sent, with what came of the request."""

from __future__ import annotations

from scheduler.store.connection import Store


def find(store: Store, key: str) -> tuple[bytes, bytes] | None:
    """(hash of the request, encoded outcome) of a key."""
    row = store.row("SELECT body, outcome FROM idempotency WHERE key = ?", (key,))
    return None if row is None else (row[0], row[1])


def remember(store: Store, key: str, *, body: bytes, outcome: bytes, stamp_ms: int) -> None:
    store.kept.later(
        "idempotency", "INSERT INTO idempotency (key, body, outcome, stamp_ms) VALUES (?, ?, ?, ?)",
        (key, body, outcome, stamp_ms),
    )


def sweep(store: Store, before_ms: int, limit: int) -> int:
    return store.write(
        "DELETE FROM idempotency WHERE key IN"
        " (SELECT key FROM idempotency WHERE stamp_ms < ? ORDER BY stamp_ms, key LIMIT ?)",
        (before_ms, limit),
    )


def oldest_ms(store: Store) -> int | None:
    first: int | None = store.value("SELECT min(stamp_ms) FROM idempotency")
    return first
