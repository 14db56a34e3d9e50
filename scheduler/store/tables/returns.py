"""Agents that came back and for which more members wait than one command lets go (`steps.spreading`)."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store


class Return(NamedTuple):
    agent: int
    after: int  #: the last member that was looked at


def get(store: Store, agent: int) -> Return | None:
    row = store.row("SELECT agent, after FROM returns WHERE agent = ?", (agent,))
    return None if row is None else Return._make(row)


def put(store: Store, found: Return) -> None:
    """In place of an earlier return of this agent, if there is one."""
    store.write("INSERT OR REPLACE INTO returns (agent, after) VALUES (?, ?)", found)


def drop(store: Store, agent: int) -> None:
    store.write("DELETE FROM returns WHERE agent = ?", (agent,))


def first(store: Store, limit: int) -> list[Return]:
    rows = store.rows("SELECT agent, after FROM returns ORDER BY agent LIMIT ?", (limit,))
    return [Return._make(row) for row in rows]
