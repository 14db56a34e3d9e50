"""Agents, as people and their own sessions ask for them."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.reads.bounds import LOOKED_MAX, asked
from scheduler.store.tables.agents import COLUMNS, FORMER, Agent


def all_by_name(store: Store) -> list[Agent]:
    return [Agent._make(row) for row in store.rows(f"SELECT {COLUMNS} FROM agents ORDER BY name")]


class Wanted(NamedTuple):
    """Which agents of a list."""

    connected: bool | None = None
    draining: bool | None = None
    zone: str | None = None
    pool: str | None = None
    text: str | None = None  #: a part of the name

    def conditions(self) -> tuple[str, list[object]]:
        return asked(
            ("(node <> '') = ?", self.connected),
            ("draining = ?", self.draining),
            ("zone = ?", self.zone),
            ("pool = ?", self.pool),
            ("instr(lower(name), lower(?)) > 0", self.text or None),
        )


def page(
    store: Store, wanted: Wanted, *, after: str, limit: int, looked_max: int = LOOKED_MAX
) -> tuple[list[Agent], str | None]:
    """By name, and the name to go on from, None at the end. No more than `looked_max` are looked at."""
    conditions, values = wanted.conditions()
    last: str | None = store.value(
        "SELECT name FROM agents WHERE name > ? ORDER BY name LIMIT 1 OFFSET ?",
        (after, max(limit, looked_max) - 1),
    )
    upto = "" if last is None else " AND name <= ?"
    rows = store.rows(
        f"SELECT {COLUMNS} FROM agents WHERE name > ?{upto}{conditions} ORDER BY name LIMIT ?",
        (after, *(() if last is None else (last,)), *values, limit + 1),
    )
    found = [Agent._make(row) for row in rows]
    return found[:limit], found[limit - 1].name if len(found) > limit else last


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
