"""Browser sessions, by the hash of their secret: each belongs to one token and ends with it."""

from __future__ import annotations

from scheduler.store.connection import Store


def find(store: Store, sha256: bytes) -> str | None:
    """The token of a session."""
    token: str | None = store.value("SELECT token FROM sessions WHERE sha256 = ?", (sha256,))
    return token


def insert(store: Store, sha256: bytes, token: str, *, created_ms: int, expires_ms: int) -> None:
    store.write(
        "INSERT INTO sessions (sha256, token, created_ms, expires_ms) VALUES (?, ?, ?, ?)",
        (sha256, token, created_ms, expires_ms),
    )


def delete(store: Store, sha256: bytes) -> None:
    store.write("DELETE FROM sessions WHERE sha256 = ?", (sha256,))


def delete_of(store: Store, token: str) -> None:
    store.write("DELETE FROM sessions WHERE token = ?", (token,))


def count(store: Store, token: str | None = None) -> int:
    """Of one token, or all."""
    number: int = (
        store.value("SELECT count(*) FROM sessions")
        if token is None
        else store.value("SELECT count(*) FROM sessions WHERE token = ?", (token,))
    )
    return number


def drop_oldest(store: Store, token: str | None = None) -> None:
    """Of one token, or of all."""
    where, values = ("", ()) if token is None else ("WHERE token = ?", (token,))
    store.write(
        "DELETE FROM sessions WHERE sha256 IN"
        f" (SELECT sha256 FROM sessions {where} ORDER BY created_ms, sha256 LIMIT 1)",
        values,
    )


def sweep(store: Store, before_ms: int, limit: int) -> int:
    """Those that ended before that."""
    return store.write(
        "DELETE FROM sessions WHERE sha256 IN"
        " (SELECT sha256 FROM sessions WHERE expires_ms < ? ORDER BY expires_ms, sha256 LIMIT ?)",
        (before_ms, limit),
    )


def oldest_ms(store: Store) -> int | None:
    """When the first of them ends, or has ended."""
    first: int | None = store.value("SELECT min(expires_ms) FROM sessions")
    return first
