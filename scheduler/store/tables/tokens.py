"""Bearer tokens, by the hash of their secret, and the limits of those that have any."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from scheduler.store.connection import Store


class Token(NamedTuple):
    name: str
    sha256: bytes
    role: str  #: in all namespaces; empty: in none but those of `roles`
    created_ms: int


class Limits(NamedTuple):
    """What a token may be used for. The defaults say nothing."""

    expires_ms: int = 0
    uses: int = 0
    holder: str = ""
    pool: str = ""


class Credential(NamedTuple):
    """A token as a request finds it."""

    name: str
    role: str
    expires_ms: int
    holder: str
    pool: str
    roles: Mapping[str, str] = {}  #: by namespace, beside `role`


UNLIMITED = Limits()


def find(store: Store, name: str) -> Token | None:
    row = store.row("SELECT name, sha256, role, created_ms FROM tokens WHERE name = ?", (name,))
    return None if row is None else Token._make(row)


def limits(store: Store, name: str) -> Limits:
    row = store.row("SELECT expires_ms, uses, holder, pool FROM token_limits WHERE name = ?", (name,))
    return UNLIMITED if row is None else Limits._make(row)


def roles(store: Store, name: str) -> dict[str, str]:
    """What the token is in single namespaces, by their names."""
    return dict(
        store.rows("SELECT namespace, role FROM token_roles WHERE name = ? ORDER BY namespace", (name,))
    )


def by_digest(store: Store, sha256: bytes) -> Credential | None:
    """Of equal hashes the first by name."""
    row = store.row(
        "SELECT t.name, t.role, coalesce(l.expires_ms, 0), coalesce(l.holder, ''), coalesce(l.pool, '') "
        "FROM tokens t LEFT JOIN token_limits l ON l.name = t.name WHERE t.sha256 = ? "
        "ORDER BY t.name LIMIT 1",
        (sha256,),
    )
    return None if row is None else Credential._make((*row, roles(store, row[0])))


def any_token(store: Store) -> bool:
    return store.value("SELECT 1 FROM tokens LIMIT 1") is not None


def administrators(store: Store) -> list[str]:
    """Names of the tokens that rule for good, the first two by name."""
    rows = store.rows(
        "SELECT t.name FROM tokens t LEFT JOIN token_limits l ON l.name = t.name "
        "WHERE t.role = 'admin' AND coalesce(l.expires_ms, 0) = 0 ORDER BY t.name LIMIT 2"
    )
    return [row[0] for row in rows]


def expired(store: Store, before_ms: int, limit: int) -> list[str]:
    """Names of tokens that ended before that, the oldest first."""
    rows = store.rows(
        "SELECT name FROM token_limits WHERE expires_ms > 0 AND expires_ms <= ? "
        "ORDER BY expires_ms, name LIMIT ?",
        (before_ms, limit),
    )
    return [row[0] for row in rows]


def count(store: Store) -> int:
    number: int = store.value("SELECT count(*) FROM tokens")
    return number


def insert(
    store: Store, token: Token, limits: Limits = UNLIMITED, roles: Sequence[tuple[str, str]] = ()
) -> None:
    store.write("INSERT INTO tokens (name, sha256, role, created_ms) VALUES (?, ?, ?, ?)", token)
    if limits != UNLIMITED:
        store.write(
            "INSERT INTO token_limits (name, expires_ms, uses, holder, pool) VALUES (?, ?, ?, ?, ?)",
            (token.name, *limits),
        )


    for namespace, role in roles:
        store.write(
            "INSERT INTO token_roles (name, namespace, role) VALUES (?, ?, ?)", (token.name, namespace, role)
        )


def take_use(store: Store, name: str) -> None:
    store.write("UPDATE token_limits SET uses = uses - 1 WHERE name = ?", (name,))


def delete(store: Store, name: str) -> None:
    store.write("DELETE FROM tokens WHERE name = ?", (name,))
    store.write("DELETE FROM token_limits WHERE name = ?", (name,))
    store.write("DELETE FROM token_roles WHERE name = ?", (name,))
