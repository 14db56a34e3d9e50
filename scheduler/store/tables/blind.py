"""Agents that cannot look into the folder of a trigger, and why."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store


class Blind(NamedTuple):
    agent: int
    trouble: str
    since_ms: int


def put(store: Store, job: int, key: str, blind: Blind) -> None:
    store.write(
        "INSERT OR REPLACE INTO blind (job, key, agent, trouble, since_ms) VALUES (?, ?, ?, ?, ?)",
        (job, key, *blind),
    )


def drop(store: Store, job: int, key: str, agent: int) -> None:
    store.write("DELETE FROM blind WHERE job = ? AND key = ? AND agent = ?", (job, key, agent))


def trouble(store: Store, job: int, key: str, agent: int) -> str:
    """Empty: none."""
    found: str | None = store.value(
        "SELECT trouble FROM blind WHERE job = ? AND key = ? AND agent = ?", (job, key, agent)
    )
    return found or ""


def of(store: Store, job: int, key: str, limit: int) -> list[Blind]:
    rows = store.rows(
        "SELECT agent, trouble, since_ms FROM blind WHERE job = ? AND key = ? ORDER BY agent LIMIT ?",
        (job, key, limit),
    )
    return [Blind._make(row) for row in rows]


_OVER = (
    "SELECT b.job, b.key, b.agent FROM folders d INDEXED BY folders_over JOIN blind b"
    " ON b.job = d.job AND b.key = d.key WHERE d.trigger = 0 ORDER BY b.job, b.key, b.agent LIMIT ?"
)


def sweep(store: Store, limit: int) -> int:
    """Of triggers that are no more."""
    return store.write(f"DELETE FROM blind WHERE (job, key, agent) IN ({_OVER})", (limit,))


def any_over(store: Store) -> bool:
    return bool(store.rows(_OVER, (1,)))
