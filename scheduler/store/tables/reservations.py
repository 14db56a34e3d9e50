"""Ticks that an agent has in advance, each as an attempt to come, and the jobs that may have some.

A tick that is reserved has left the sequence of its trigger: it is pending by itself until its row goes,
which is when it makes its run, or is given back."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store

RESERVED_MAX = 1_000  #: ticks of one job at a time
TABLES = frozenset({"reservations"})  #: hardly any cluster has some
BY_ITSELF = "reserved"
"""In place of the claim of an attempt that no agent has claimed: its agent had it before."""


class Reservation(NamedTuple):
    attempt: int
    run: int
    job: int
    trigger: int
    revision: int
    at_ms: int
    due_ms: int
    plan_day: int
    agent: int
    installation: str
    fence: int
    asked_back: int


class Autonomy(NamedTuple):
    job: int
    window_ms: int
    held_ms: int  #: nothing is reserved up to then


COLUMNS = ", ".join(Reservation._fields)
_MARKS = ", ".join("?" * len(Reservation._fields))


def any_of_all(store: Store) -> bool:
    return not store.kept.are_empty(TABLES)


def get(store: Store, attempt: int) -> Reservation | None:
    if not any_of_all(store):
        return None
    row = store.row(f"SELECT {COLUMNS} FROM reservations WHERE attempt = ?", (attempt,))
    return None if row is None else Reservation._make(row)


def own_times(store: Store, run: int) -> tuple[int | None, int | None]:
    """When the run's agent says that it began it alone, and that it ended; None: it did not, or the cluster
    knows itself."""
    rows = store.rows("SELECT claim, started_ms, finished_ms FROM attempts WHERE run = ? ORDER BY id", (run,))
    if not rows:
        return None, None
    (first, started_ms, _), (last, _, finished_ms) = rows[0], rows[-1]
    return started_ms if first == BY_ITSELF else None, finished_ms if last == BY_ITSELF else None


def insert(store: Store, row: Reservation) -> None:
    store.write(f"INSERT INTO reservations ({COLUMNS}) VALUES ({_MARKS})", row)


def drop(store: Store, attempt: int) -> None:
    store.write("DELETE FROM reservations WHERE attempt = ?", (attempt,))


def ask_back(store: Store, attempt: int) -> None:
    store.write("UPDATE reservations SET asked_back = 1 WHERE attempt = ?", (attempt,))


def ask_all_back(store: Store, job: int) -> int:
    """Returns how many were not asked back before."""
    return store.write("UPDATE reservations SET asked_back = 1 WHERE job = ? AND asked_back = 0", (job,))


def _rows(store: Store, where: str, *of: object) -> list[Reservation]:
    if not any_of_all(store):
        return []
    rows = store.rows(f"SELECT {COLUMNS} FROM reservations {where}", of)
    return [Reservation._make(row) for row in rows]


def of_job(store: Store, job: int, limit: int) -> list[Reservation]:
    """The first by their instants."""
    return _rows(store, "WHERE job = ? ORDER BY at_ms, attempt LIMIT ?", job, limit)


def of_agent(store: Store, agent: int, limit: int) -> list[Reservation]:
    return _rows(
        store, "INDEXED BY reservations_agent WHERE agent = ? ORDER BY due_ms, attempt LIMIT ?", agent, limit
    )


def last_ones(store: Store, agent: int | None, limit: int) -> list[Reservation]:
    """Those of an agent (None: of all), the last first: so each goes back to the end of what is left."""
    return _rows(
        store, "WHERE ? IS NULL OR agent = ? ORDER BY at_ms DESC, attempt DESC LIMIT ?", agent, agent, limit
    )


def count_of(store: Store, job: int) -> int:
    if not any_of_all(store):
        return 0
    return int(store.value("SELECT count(*) FROM reservations WHERE job = ?", (job,)))


def pending(store: Store, trigger: int, after_ms: int, until_ms: int) -> list[int]:
    """The instants of (after_ms, until_ms] that an agent has."""
    if not any_of_all(store):
        return []
    rows = store.rows(
        "SELECT at_ms FROM reservations WHERE trigger = ? AND at_ms > ? AND at_ms <= ? ORDER BY at_ms",
        (trigger, after_ms, until_ms),
    )
    return [row[0] for row in rows]


def of_tick(store: Store, trigger: int, at_ms: int) -> Reservation | None:
    found = _rows(store, "WHERE trigger = ? AND at_ms = ? ORDER BY attempt LIMIT 1", trigger, at_ms)
    return found[0] if found else None


def next_of(store: Store, trigger: int, after_ms: int) -> int | None:
    """The first instant of the trigger behind this one that an agent has."""
    first: int | None = store.value(
        "SELECT min(at_ms) FROM reservations WHERE trigger = ? AND at_ms > ?", (trigger, after_ms)
    )
    return first


def last_of(store: Store, trigger: int) -> int | None:
    if not any_of_all(store):
        return None
    last: int | None = store.value("SELECT max(at_ms) FROM reservations WHERE trigger = ?", (trigger,))
    return last


def due(store: Store, until_ms: int, limit: int) -> list[tuple[int, int]]:
    """Attempts and their jobs, whose instant has come, of agents that are connected, soonest first."""
    rows = store.rows(
        "SELECT r.attempt, r.job FROM reservations r INDEXED BY reservations_due"
        " CROSS JOIN agents g ON g.id = r.agent AND g.node <> '' AND g.installation = r.installation"
        " WHERE r.asked_back = 0 AND r.due_ms <= ? ORDER BY r.due_ms, r.attempt LIMIT ?",
        (until_ms, limit),
    )
    return [(attempt, job) for attempt, job in rows]


def next_ms(store: Store) -> int | None:
    """When the next comes due whose agent is connected."""
    first: int | None = store.value(
        "SELECT r.due_ms FROM reservations r INDEXED BY reservations_due"
        " CROSS JOIN agents g ON g.id = r.agent AND g.node <> '' AND g.installation = r.installation"
        " WHERE r.asked_back = 0 ORDER BY r.due_ms, r.attempt LIMIT 1"
    )
    return first


def to_ask_back(store: Store, limit: int) -> list[tuple[int, int]]:
    """Job and agent, where what is reserved should not be: the job was edited, paused, deleted or does not
    have the policy any more, or its agent takes no work."""
    rows = store.rows(
        "SELECT DISTINCT r.job, r.agent FROM reservations r LEFT JOIN jobs j ON j.id = r.job"
        " LEFT JOIN autonomies a ON a.job = r.job JOIN agents g ON g.id = r.agent"
        " WHERE r.asked_back = 0 AND (j.id IS NULL OR a.job IS NULL OR j.state <> 'active'"
        " OR j.revision <> r.revision OR g.draining = 1) ORDER BY r.job, r.agent LIMIT ?",
        (limit,),
    )
    return [(job, agent) for job, agent in rows]


# -- jobs that may have some --------------------------------------------------------------------


def any_open(store: Store) -> bool:
    """Whether ticks of any job may be reserved."""
    return not store.kept.are_empty(frozenset({"autonomies"}))


def autonomy(store: Store, job: int) -> Autonomy | None:
    row = store.row("SELECT job, window_ms, held_ms FROM autonomies WHERE job = ?", (job,))
    return None if row is None else Autonomy._make(row)


def set_autonomy(store: Store, job: int, window_ms: int | None) -> None:
    """None: it may have none."""
    before = autonomy(store, job)
    if window_ms is None:
        if before is not None:
            store.write("DELETE FROM autonomies WHERE job = ?", (job,))
    elif before is None:
        store.write("INSERT INTO autonomies (job, window_ms, held_ms) VALUES (?, ?, 0)", (job, window_ms))
    elif before.window_ms != window_ms or before.held_ms:  # the edit that it was held for is made
        store.write("UPDATE autonomies SET window_ms = ?, held_ms = 0 WHERE job = ?", (window_ms, job))


def hold(store: Store, job: int, until_ms: int) -> None:
    store.write("UPDATE autonomies SET held_ms = ? WHERE job = ?", (until_ms, job))


class Open(NamedTuple):
    """A trigger whose next tick may be reserved."""

    trigger: int
    key: str
    job: int
    namespace: str
    name: str
    revision: int
    spec: bytes
    jitter_ms: int
    next_due_ms: int
    window_ms: int
    agent: int  #: that has other ticks of the job; 0: none


def open_triggers(store: Store, now_ms: int, limit: int) -> list[Open]:
    """Of active jobs, those whose next instant lies within the window, soonest first."""
    rows = store.rows(
        "SELECT t.id, t.key, t.job, j.namespace, j.name, j.revision, t.spec, t.jitter_ms, t.next_due_ms,"
        " a.window_ms, coalesce((SELECT r.agent FROM reservations r WHERE r.job = a.job"
        " ORDER BY r.at_ms, r.attempt LIMIT 1), 0)"
        " FROM autonomies a CROSS JOIN jobs j ON j.id = a.job CROSS JOIN triggers t ON t.job = a.job"
        " WHERE a.held_ms <= ? AND j.state = 'active' AND t.until_ms IS NULL AND t.event = ''"
        " AND t.next_due_ms > t.from_ms AND t.next_due_ms + t.jitter_ms <= ? + a.window_ms"
        " AND NOT EXISTS (SELECT 1 FROM reservations o WHERE o.job = a.job"
        " AND (o.asked_back = 1 OR o.revision <> j.revision))"
        " ORDER BY t.next_due_ms, t.id LIMIT ?",
        (now_ms, now_ms, limit),
    )
    return [Open._make((*row[:6], bytes(row[6]), *row[7:])) for row in rows]


def wanted_ms(store: Store) -> int | None:
    """When the next tick comes into a window."""
    first: int | None = store.value(
        "SELECT min(max(t.next_due_ms + t.jitter_ms - a.window_ms, a.held_ms)) FROM autonomies a"
        " CROSS JOIN jobs j ON j.id = a.job AND j.state = 'active' CROSS JOIN triggers t ON t.job = a.job"
        " AND t.until_ms IS NULL AND t.event = '' AND t.next_due_ms IS NOT NULL"
    )
    return first
