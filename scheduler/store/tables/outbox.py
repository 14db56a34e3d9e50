"""The outbox: what is to leave the cluster, what could not, and the newest of what did."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store

WAITING, GATHERED, SENT, GIVEN_UP = "waiting", "gathered", "sent", "given_up"
MUTED, TOGETHER = "muted", "together"
STATES = (WAITING, GATHERED, SENT, GIVEN_UP, MUTED, TOGETHER)
TO_SEND = (WAITING, GATHERED)
OPEN = (*TO_SEND, GIVEN_UP)
"""Of which somebody may still do something."""
TOLD_MAX = 10_000
"""So many ids back, what needs nobody any more is dropped: no count is kept for it."""
_TOLD = "state IN ('sent', 'muted', 'together')"


class Effect(NamedTuple):
    id: int
    kind: str
    target: str
    about: str
    namespace: str
    name: str
    run: int
    payload: bytes
    state: str
    created_ms: int
    attempts: int
    next_ms: int
    until_ms: int
    reason: str
    channel: str = ""
    route: str = ""
    escalate_ms: int | None = None
    acknowledged_ms: int | None = None
    actor: str = ""


COLUMNS = ", ".join(Effect._fields)
_INSERT = f"INSERT INTO outbox ({COLUMNS}) VALUES ({', '.join('?' * len(Effect._fields))})"


def get(store: Store, effect: int) -> Effect | None:
    row = store.row(f"SELECT {COLUMNS} FROM outbox WHERE id = ?", (effect,))
    return None if row is None else Effect._make(row)


def insert(store: Store, effect: Effect) -> None:
    """The one that is too long ago goes."""
    store.write(_INSERT, effect)
    store.write(f"DELETE FROM outbox WHERE id = ? AND {_TOLD}", (effect.id - TOLD_MAX,))


def delete(store: Store, effect: int) -> None:
    store.write("DELETE FROM outbox WHERE id = ?", (effect,))


def wait(store: Store, effect: int, *, attempts: int, next_ms: int, until_ms: int, reason: str) -> None:
    store.write(
        "UPDATE outbox SET state = 'waiting', attempts = ?, next_ms = ?, until_ms = ?, reason = ?"
        " WHERE id = ?",
        (attempts, next_ms, until_ms, reason, effect),
    )


def give_up(store: Store, effect: int, *, attempts: int, until_ms: int, reason: str) -> None:
    store.write(
        "UPDATE outbox SET state = 'given_up', attempts = ?, until_ms = ?, reason = ? WHERE id = ?",
        (attempts, until_ms, reason, effect),
    )


def tell(store: Store, effect: int, *, state: str, until_ms: int, reason: str = "") -> None:
    """It was sent, or goes with others. What it said is kept only while others may have to be told."""
    store.write(
        "UPDATE outbox SET state = ?, until_ms = ?, reason = ?,"
        " payload = CASE WHEN escalate_ms IS NULL THEN x'7b7d' ELSE payload END WHERE id = ?",
        (state, until_ms, reason, effect),
    )


def see(store: Store, effect: int, *, at_ms: int, actor: str) -> None:
    """Somebody saw it: nobody else is told."""
    store.write(
        "UPDATE outbox SET escalate_ms = NULL, acknowledged_ms = ?, actor = ? WHERE id = ?",
        (at_ms, actor, effect),
    )


def escalate(store: Store, effect: int) -> None:
    store.write("UPDATE outbox SET escalate_ms = NULL WHERE id = ?", (effect,))


def of_same(store: Store, effect: Effect, within: int) -> list[int]:
    """Those that tell of the same thing to others, this one too: they were written one after the other."""
    rows = store.rows(
        "SELECT id FROM outbox WHERE id BETWEEN ? AND ? AND namespace = ? AND name = ? AND run = ?"
        " AND about = ? AND created_ms = ? ORDER BY id",
        (
            effect.id - within, effect.id + within, effect.namespace, effect.name, effect.run, effect.about,
            effect.created_ms,
        ),
    )  # fmt: skip
    return [id for (id,) in rows]


def waiting_for(store: Store, target: str) -> int:
    """How many wait to be sent there."""
    count: int = store.value("SELECT count(*) FROM outbox WHERE target = ? AND state = 'waiting'", (target,))
    return count


def nth_newest_ms(store: Store, target: str, route: str, n: int) -> int | None:
    """When the n-th newest of those was written that went there by this route, each alone."""
    found: int | None = store.value(
        "SELECT created_ms FROM outbox WHERE target = ? AND route = ?"
        " AND state IN ('waiting', 'sent', 'given_up') ORDER BY id DESC LIMIT 1 OFFSET ?",
        (target, route, n - 1),
    )
    return found


def gathered_until_ms(store: Store, target: str, route: str) -> int | None:
    """When what is gathered for it is told; None: nothing is."""
    found: int | None = store.value(
        "SELECT next_ms FROM outbox WHERE target = ? AND route = ? AND state = 'gathered'"
        " ORDER BY id LIMIT 1",
        (target, route),
    )
    return found


def gathered(store: Store, target: str, route: str, limit: int) -> list[Effect]:
    """The oldest of what is gathered."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM outbox WHERE target = ? AND route = ? AND state = 'gathered'"
        " ORDER BY id LIMIT ?",
        (target, route, limit),
    )
    return [Effect._make(row) for row in rows]


def first_gathered(store: Store) -> tuple[int, int] | None:
    """Id of the one that is told next together with others, and when."""
    row = store.row("SELECT id, next_ms FROM outbox WHERE state = 'gathered' ORDER BY next_ms, id LIMIT 1")
    return None if row is None else (row[0], row[1])


def to_escalate(store: Store, now_ms: int, limit: int) -> list[int]:
    rows = store.rows(
        "SELECT id FROM outbox WHERE escalate_ms IS NOT NULL AND escalate_ms <= ?"
        " ORDER BY escalate_ms, id LIMIT ?",
        (now_ms, limit),
    )
    return [id for (id,) in rows]


def next_escalation_ms(store: Store) -> int | None:
    first: int | None = store.value("SELECT min(escalate_ms) FROM outbox WHERE escalate_ms IS NOT NULL")
    return first


def given_up(store: Store) -> int:
    """How many were given up and are still kept: bounded by the machine."""
    count: int = store.value("SELECT count(*) FROM outbox WHERE state = 'given_up'")
    return count


def drop_given_up(store: Store, limit: int, before_ms: int | None = None) -> int:
    """Of those that were given up the ones with the least time left; `before_ms`: only if it is over by
    then."""
    return _drop(store, "state = 'given_up'", limit, before_ms)


def drop_told(store: Store, limit: int, before_ms: int) -> int:
    """Of those that were sent or that nobody was told of, whose time is over."""
    return _drop(store, _TOLD, limit, before_ms)


def _drop(store: Store, which: str, limit: int, before_ms: int | None) -> int:
    until, values = ("", ()) if before_ms is None else (" AND until_ms < ?", (before_ms,))
    return store.write(
        f"DELETE FROM outbox WHERE id IN (SELECT id FROM outbox WHERE {which}"
        f"{until} ORDER BY until_ms, id LIMIT ?)",
        (*values, limit),
    )


def first_end_ms(store: Store) -> int | None:
    """When the first of those is kept no longer that are only looked at."""
    ends = [
        store.value(f"SELECT min(until_ms) FROM outbox WHERE {which}")
        for which in ("state = 'given_up'", _TOLD)
    ]
    return min([end for end in ends if end is not None], default=None)
