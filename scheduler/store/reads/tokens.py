"""Tokens and browser sessions, as requests come with them and as people list them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.tables.tokens import Credential, Limits, Token, roles

_LIMITS = "coalesce(l.expires_ms, 0), coalesce(l.uses, 0), coalesce(l.holder, ''), coalesce(l.pool, '')"


class Listed(NamedTuple):
    token: Token
    limits: Limits
    roles: dict[str, str]  #: by namespace, beside its role in all


def listed(store: Store, within: Sequence[str] | None = None) -> list[Listed]:
    """By name; those whose roles are all in these namespaces, or all tokens."""
    found: dict[str, dict[str, str]] = {}
    for name, namespace, role in store.rows(
        "SELECT name, namespace, role FROM token_roles ORDER BY name, namespace"
    ):
        found.setdefault(name, {})[namespace] = role
    rows = store.rows(
        f"SELECT t.name, t.sha256, t.role, t.created_ms, {_LIMITS} "
        "FROM tokens t LEFT JOIN token_limits l ON l.name = t.name ORDER BY t.name"
    )
    tokens = [Listed(Token._make(row[:4]), Limits._make(row[4:]), found.get(row[0], {})) for row in rows]
    if within is None:
        return tokens
    return [each for each in tokens if not each.token.role and each.roles.keys() <= set(within)]


def bound_to(store: Store, agent: str) -> str | None:
    """The token that only this agent may use, the first by name. Without an index: it is asked for agents
    alone whose own token is bound to nobody."""
    name: str | None = store.value(
        "SELECT t.name FROM token_limits l JOIN tokens t ON t.name = l.name "
        "WHERE l.holder = ? AND l.holder <> '' AND t.role = 'agent' ORDER BY t.name LIMIT 1",
        (agent,),
    )
    return name


class Session(NamedTuple):
    """A session as a request finds it, with its token as that is now."""

    expires_ms: int
    credential: Credential


def session(store: Store, sha256: bytes) -> Session | None:
    """The browser session whose secret has this hash."""
    row = store.row(
        "SELECT s.expires_ms, t.name, t.role, coalesce(l.expires_ms, 0), coalesce(l.holder, ''),"
        " coalesce(l.pool, '') FROM sessions s JOIN tokens t ON t.name = s.token"
        " LEFT JOIN token_limits l ON l.name = t.name WHERE s.sha256 = ?",
        (sha256,),
    )
    return None if row is None else Session(row[0], Credential._make((*row[1:], roles(store, row[1]))))
