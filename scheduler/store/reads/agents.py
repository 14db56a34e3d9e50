"""Agents, as people and their own sessions ask for them."""

from __future__ import annotations

from scheduler.store.connection import Store
from scheduler.store.tables.agents import COLUMNS, FORMER, Agent


def all_by_name(store: Store) -> list[Agent]:
    return [Agent._make(row) for row in store.rows(f"SELECT {COLUMNS} FROM agents ORDER BY name")]


def page(store: Store, *, after: str, limit: int) -> list[Agent]:
    rows = store.rows(f"SELECT {COLUMNS} FROM agents WHERE name > ? ORDER BY name LIMIT ?", (after, limit))
    return [Agent._make(row) for row in rows]


def is_known(store: Store, installation: str, name: str) -> bool:
    """Whether this installation has a row under this name, or has one of its former ones."""
    rows = store.rows(
        "SELECT id, name FROM agents WHERE installation = ? AND name >= ? AND name < ?",
        (installation, name, f"{name}{chr(ord(FORMER) + 1)}"),
    )
    return any(found in (name, f"{name}{FORMER}{agent}") for agent, found in rows)


def sessions_on(store: Store, node: str) -> list[tuple[int, str]]:
    """(agent, session) of every agent that the state has on this node."""
    return store.rows("SELECT id, session FROM agents WHERE node = ? ORDER BY id", (node,))
