"""Reserved ticks with the names of what they belong to: for their agents, and for people."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.reads.bounds import chunks, marks


class ReservedRow(NamedTuple):
    """What a front needs to tell an agent of a tick that it has."""

    attempt: int
    run: int
    agent: int
    asked_back: int
    job: int
    revision: int
    namespace: str
    name: str
    key: str  #: of the trigger
    at_ms: int
    due_ms: int
    plan_day: int
    fence: int


_ROWS = (
    "SELECT r.attempt, r.run, r.agent, r.asked_back, r.job, r.revision, v.namespace, v.name, t.key, r.at_ms,"
    " r.due_ms, r.plan_day, r.fence FROM reservations r"
    " JOIN revisions v ON v.job = r.job AND v.revision = r.revision JOIN triggers t ON t.id = r.trigger"
    " JOIN agents g ON g.id = r.agent AND g.installation = r.installation"
)


def of_attempts(store: Store, attempts: Iterable[int]) -> list[ReservedRow]:
    found: list[ReservedRow] = []
    for ids in chunks(attempts):
        rows = store.rows(f"{_ROWS} WHERE r.attempt IN ({marks(len(ids))}) ORDER BY r.due_ms, r.attempt", ids)
        found += [ReservedRow._make(row) for row in rows]
    return found


def of_agent(store: Store, agent: int, limit: int) -> list[ReservedRow]:
    """The soonest."""
    rows = store.rows(f"{_ROWS} WHERE r.agent = ? ORDER BY r.due_ms, r.attempt LIMIT ?", (agent, limit))
    return [ReservedRow._make(row) for row in rows]


class OfJob(NamedTuple):
    """What of a job is reserved: by whom, how much, and until when."""

    agent: str
    connected: bool
    ticks: int
    first_ms: int
    until_ms: int
    asked_back: int


_OF_JOB = (
    "SELECT g.name, g.node <> '' AND g.installation = r.installation, count(*), min(r.due_ms), max(r.due_ms),"
    " sum(r.asked_back) FROM reservations r JOIN agents g ON g.id = r.agent"
)


def of_job(store: Store, job: int) -> OfJob | None:
    row = store.row(f"{_OF_JOB} WHERE r.job = ? GROUP BY g.id ORDER BY g.id LIMIT 1", (job,))
    return None if row is None else OfJob(row[0], bool(row[1]), *row[2:])


def jobs(store: Store, limit: int) -> list[tuple[str, str]]:
    """Those of which something is reserved: namespace and name."""
    return store.rows(
        "SELECT j.namespace, j.name FROM autonomies a CROSS JOIN jobs j ON j.id = a.job"
        " WHERE EXISTS (SELECT 1 FROM reservations r WHERE r.job = a.job) ORDER BY a.job LIMIT ?",
        (limit,),
    )


def any_of_all(store: Store) -> bool:
    return store.value("SELECT 1 FROM reservations LIMIT 1") is not None


class Counts(NamedTuple):
    """Ticks that agents have, here and away: also of one that came back as another installation."""

    connected: int
    away: int
    agents_away: int
    first_away_ms: int | None  #: the oldest tick of those that are away


def counts(store: Store) -> Counts:
    """A job has RESERVED_MAX at most, and few have any."""
    if not any_of_all(store):
        return Counts(0, 0, 0, None)
    rows = store.rows(
        "SELECT g.node <> '' AND g.installation = r.installation, count(*), count(DISTINCT r.agent),"
        " min(r.due_ms) FROM reservations r JOIN agents g ON g.id = r.agent GROUP BY 1"
    )
    told = {bool(here): rest for here, *rest in rows}
    ticks, agents, first_ms = told.get(False, (0, 0, None))
    return Counts(told.get(True, (0,))[0], ticks, agents, first_ms)


def of_named(store: Store, namespace: str, name: str) -> OfJob | None:
    """None as well where there is no such job."""
    if not any_of_all(store):
        return None
    job = store.value("SELECT id FROM jobs WHERE namespace = ? AND name = ?", (namespace, name))
    return None if job is None else of_job(store, job)
