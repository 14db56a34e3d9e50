"""Bearer tokens, by the hash of their secret."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store


class Token(NamedTuple):
    name: str
    sha256: bytes
    role: str
    created_ms: int


def find(store: Store, name: str) -> Token | None:
    row = store.row("SELECT name, sha256, role, created_ms FROM tokens WHERE name = ?", (name,))
    return None if row is None else Token._make(row)


def all_tokens(store: Store) -> list[Token]:
    rows = store.rows("SELECT name, sha256, role, created_ms FROM tokens ORDER BY name")
    return [Token._make(row) for row in rows]


def any_token(store: Store) -> bool:
    return store.value("SELECT 1 FROM tokens LIMIT 1") is not None


def count(store: Store) -> int:
    number: int = store.value("SELECT count(*) FROM tokens")
    return number


def insert(store: Store, token: Token) -> None:
    store.write("INSERT INTO tokens (name, sha256, role, created_ms) VALUES (?, ?, ?, ?)", token)
