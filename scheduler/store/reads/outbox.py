"""The outbox, of whoever sends and of whoever looks at it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.reads.bounds import among, asked
from scheduler.store.tables.mutes import COLUMNS as MUTE
from scheduler.store.tables.mutes import Mute
from scheduler.store.tables.outbox import COLUMNS, Effect, given_up
from scheduler.store.tables.receivers import COLUMNS as RECEIVER
from scheduler.store.tables.receivers import Receiver


def due(store: Store, now_ms: int, limit: int, *, except_for: Sequence[str] = ()) -> list[Effect]:
    """What is to be sent now, to other targets than these; what waits longest first."""
    marks = ", ".join("?" * len(except_for))
    rows = store.rows(
        f"SELECT {COLUMNS} FROM outbox WHERE state = 'waiting' AND next_ms <= ?"
        f" AND target NOT IN ({marks}) ORDER BY next_ms, id LIMIT ?",
        (now_ms, *except_for, limit),
    )
    return [Effect._make(row) for row in rows]


class Depth(NamedTuple):
    waiting: int
    given_up: int
    oldest_ms: int | None  #: when the oldest of those that wait was written; None: none waits


def depth(store: Store, namespaces: Sequence[str] | None = None) -> Depth:
    if namespaces is not None:
        where, names = among("namespace", namespaces)
        rows = store.rows(
            f"SELECT state, count(*), min(created_ms) FROM outbox WHERE 1{where} GROUP BY state"
            " ORDER BY state",
            names,
        )
        counts = {state: count for state, count, _ in rows}
        oldest = {state: oldest_ms for state, _, oldest_ms in rows}
        waits = counts.get("waiting", 0) + counts.get("gathered", 0)
        return Depth(waits, counts.get("given_up", 0), oldest.get("waiting"))
    waiting: int = store.value("SELECT outbox_waiting FROM state WHERE id = 1")
    # Ids go up with the time of writing.
    oldest = store.value(
        "SELECT created_ms FROM outbox WHERE id = (SELECT min(id) FROM outbox WHERE state = 'waiting')"
    )
    return Depth(waiting, given_up(store), oldest if waiting else None)


def page(
    store: Store, *, after: int, limit: int, states: Sequence[str] | None = None,
    namespaces: Sequence[str] | None, run: int | None = None, newest: bool = False,
) -> list[Effect]:  # fmt: skip
    """The oldest first, from behind the id `after`; `newest`: those first, from before it."""
    of_state, wanted = among("state", states)
    of_run, runs = asked(("run = ? AND run > 0", run))
    of_namespaces, names = among("namespace", namespaces)
    rows = store.rows(
        f"SELECT {COLUMNS} FROM outbox WHERE id {'<' if newest else '>'} ?{of_state}{of_run}{of_namespaces}"
        f" ORDER BY id{' DESC' if newest else ''} LIMIT ?",
        (after, *wanted, *runs, *names, limit),
    )
    return [Effect._make(row) for row in rows]


def failing(store: Store, namespaces: Sequence[str] | None, least: int, limit: int) -> list[Receiver]:
    """Receivers of which so many tries in a row failed; those of others' notices are not shown."""
    where, names = among("namespace", namespaces)
    rows = store.rows(
        f"SELECT {RECEIVER} FROM receivers WHERE failures >= ?{where} ORDER BY since_ms, target LIMIT ?",
        (least, *names, limit),
    )
    return [Receiver._make(row) for row in rows]


def muted(store: Store, namespaces: Sequence[str] | None, now_ms: int, limit: int) -> list[Mute]:
    """Mutes that stand, those of everything too."""
    where, names = among("namespace", namespaces if namespaces is None else (*namespaces, ""))
    rows = store.rows(
        f"SELECT {MUTE} FROM mutes WHERE until_ms > ?{where} ORDER BY until_ms, id LIMIT ?",
        (now_ms, *names, limit),
    )
    return [Mute._make(row) for row in rows]


def of_run(store: Store, run: int, limit: int) -> list[Effect]:
    """Who was told of it, or is to be, or is not."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM outbox WHERE run = ? AND run > 0 ORDER BY id LIMIT ?", (run, limit)
    )
    return [Effect._make(row) for row in rows]
