"""Agents."""

from __future__ import annotations

import json
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.kept import Table, always


class Agent(NamedTuple):
    id: int
    name: str
    installation: str
    session: str
    boot_id: str
    cloud_id: str
    zone: str
    pool: str
    labels: str
    slots: int
    kinds: str  #: of work, that its executors run: JSON, a sorted list
    version: str
    node: str
    busy: int
    draining: int
    drain_reason: str
    drain_until_ms: int | None  #: when it takes work again by itself
    connected_ms: int | None
    disconnected_ms: int | None


FORMER = "#"  #: `name#id`: another installation has the name
COLUMNS = ", ".join(Agent._fields)
TABLE = Table("agents", Agent, large="labels")


# Names are unique, so who changes one does it at once and in order.
_REPLACE = f"UPDATE agents SET {', '.join(f'{name} = ?' for name in Agent._fields[1:])} WHERE id = ?"


def get(store: Store, agent: int) -> Agent | None:
    return store.kept.get(TABLE, agent)


def find(store: Store, name: str) -> Agent | None:
    row = store.row(f"SELECT {COLUMNS} FROM agents WHERE name = ?", (name,))
    return None if row is None else Agent._make(row)


def of_installation(store: Store, installation: str) -> list[Agent]:
    rows = store.rows(f"SELECT {COLUMNS} FROM agents WHERE installation = ? ORDER BY id", (installation,))
    return [Agent._make(row) for row in rows]


def are_so_many(store: Store, number: int) -> bool:
    """Whether there are that many rows, or more: what it costs is bounded by the number."""
    return store.value("SELECT 1 FROM agents ORDER BY name LIMIT 1 OFFSET ?", (number - 1,)) is not None


def former(store: Store, installation: str, name: str, mark: str) -> list[Agent]:
    """Rows of this installation whose name is this one, the mark and more."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM agents WHERE installation = ? AND name > ? AND name < ? ORDER BY id",
        (installation, f"{name}{mark}", f"{name}{chr(ord(mark) + 1)}"),
    )
    return [Agent._make(row) for row in rows]


def insert(store: Store, agent: Agent) -> None:
    store.write(TABLE.insert, agent)
    store.kept.unnote("agents", _FEW_CONNECTED, ())


def replace(store: Store, agent: Agent) -> None:
    store.write(_REPLACE, (*agent[1:], agent.id), row=("agents", agent.id))


def rename(store: Store, agent: int, name: str) -> None:
    store.write("UPDATE agents SET name = ? WHERE id = ?", (name, agent), row=("agents", agent))


def set_session(store: Store, agent: int, session: str) -> None:
    store.kept.update(TABLE, agent, (session, agent), session=session)


def set_draining(store: Store, agent: int, draining: int, reason: str, until_ms: int | None) -> None:
    store.kept.update(
        TABLE, agent, (draining, reason, until_ms, agent), draining=draining, drain_reason=reason,
        drain_until_ms=until_ms,
    )  # fmt: skip


def first_drain_end_ms(store: Store) -> int | None:
    first: int | None = store.value("SELECT min(drain_until_ms) FROM agents WHERE drain_until_ms IS NOT NULL")
    return first


def drained_until(store: Store, now_ms: int, limit: int) -> list[Agent]:
    """Those that take work again by themselves, whose time has come."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM agents WHERE drain_until_ms <= ? ORDER BY drain_until_ms, id LIMIT ?",
        (now_ms, limit),
    )
    return [Agent._make(row) for row in rows]


def occupy(store: Store, agent: int) -> None:
    _count(store, agent, 1)


def release(store: Store, agent: int) -> None:
    _count(store, agent, -1)


def _count(store: Store, agent: int, more: int) -> None:
    row = store.kept.get(TABLE, agent)
    store.kept.update(TABLE, agent, (agent,), busy=more if row is None else row.busy + more)


def disconnect(store: Store, agent: int, disconnected_ms: int) -> None:
    store.kept.unnote("agents", _FEW_CONNECTED, ())
    store.kept.update(TABLE, agent, (disconnected_ms, agent), node="", disconnected_ms=disconnected_ms)


def connected(store: Store) -> list[Agent]:
    rows = store.rows(f"SELECT {COLUMNS} FROM agents WHERE node <> '' ORDER BY id")
    return [Agent._make(row) for row in rows]


def least_loaded(store: Store, pool: str, after: tuple[float, int], limit: int) -> list[Agent]:
    """Those of a pool that are connected, do not drain and have a free slot, by the share of their slots that
    is taken, then by id, behind such a pair."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM agents INDEXED BY agents_load WHERE node <> '' AND draining = 0"
        " AND busy < slots AND pool = ?1 AND load >= ?2 AND (load > ?2 OR id > ?3)"
        " ORDER BY load, id LIMIT ?4",
        (pool, *after, limit),
    )
    return [Agent._make(row) for row in rows]


_POOLS = """
WITH RECURSIVE names(name) AS (
  SELECT min(pool) FROM agents INDEXED BY agents_load WHERE node <> '' AND draining = 0 AND busy < slots
  UNION ALL
  SELECT (SELECT min(pool) FROM agents INDEXED BY agents_load WHERE node <> '' AND draining = 0
    AND busy < slots AND pool > names.name) FROM names WHERE name IS NOT NULL
)
SELECT name FROM names WHERE name IS NOT NULL ORDER BY name
"""


def pools(store: Store) -> list[str]:
    """Those in which an agent has a free slot: a step of the index each."""
    return [row[0] for row in store.rows(_POOLS)]


FEW = 16
_FEW_CONNECTED = (
    "SELECT json_group_array(id) FROM"
    f" (SELECT id FROM agents WHERE node <> '' ORDER BY id LIMIT {FEW + 1})"
)


def few_connected(store: Store) -> list[int] | None:
    """Those that are, where they are FEW at most; None: there are more. Asked at each end, so remembered."""
    found: list[int] = json.loads(store.kept.note("agents", _FEW_CONNECTED, (), keeps=always))
    return found if len(found) <= FEW else None


class Meant(NamedTuple):
    """An agent, as selectors ask for it."""

    id: int
    name: str
    pool: str
    labels: str
    zone: str


def known(store: Store, pool: str, limit: int, *, connected: bool) -> list[Meant]:
    """Those of a pool (empty: of any), by name; whose name another installation took are known no more."""
    rows = store.rows(
        "SELECT id, name, pool, labels, zone FROM agents WHERE name NOT LIKE '%#%' AND (? = '' OR pool = ?)"
        f" {'AND node <> ' + repr('') if connected else ''} ORDER BY name LIMIT ?",
        (pool, pool, limit),
    )
    return [Meant._make(row) for row in rows]


def newest(store: Store, limit: int = 20_000) -> list[Agent]:
    """Agents, connected or not, the newest first."""
    rows = store.rows(f"SELECT {COLUMNS} FROM agents ORDER BY id DESC LIMIT ?", (limit,))
    return [Agent._make(row) for row in rows]


def on_node(store: Store, node: str, limit: int) -> list[Agent]:
    rows = store.rows(f"SELECT {COLUMNS} FROM agents WHERE node = ? ORDER BY id LIMIT ?", (node, limit))
    return [Agent._make(row) for row in rows]


def drop_former(store: Store, before_ms: int, limit: int) -> int:
    """Forget agents whose name another installation took, once nothing is bound to them."""
    return store.write(
        "DELETE FROM agents WHERE id IN (SELECT id FROM agents WHERE name LIKE '%#%' AND busy = 0"
        " AND node = ''"
        " AND disconnected_ms < ? AND id NOT IN (SELECT agent FROM reservations) ORDER BY id LIMIT ?)",
        (before_ms, limit),
    )


def any_on_node(store: Store, node: str) -> bool:
    return store.value("SELECT 1 FROM agents WHERE node = ? LIMIT 1", (node,)) is not None
