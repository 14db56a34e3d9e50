"""What a person looks at first. Every read is bounded: it counts up to COUNTED_MAX, and shows few."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.reads.bounds import LOOKED_MAX, among
from scheduler.store.tables import quotas
from scheduler.store.tables import runs as run_rows

COUNTED_MAX = 1_000


def _counted(store: Store, source: str, *values: object) -> int:
    """How many, up to COUNTED_MAX."""
    number: int = store.value(f"SELECT count(*) FROM (SELECT 1 {source} LIMIT ?)", (*values, COUNTED_MAX))
    return number


# -- jobs that fail ---------------------------------------------------------------------------------


class Failing(NamedTuple):
    """A job whose last runs failed."""

    namespace: str
    name: str
    failures: int  #: in a row
    last_run: int
    last_state: str
    state: str


_FAILING = "FROM jobs INDEXED BY jobs_failing WHERE failures > 0"


def failing(store: Store, limit: int) -> list[Failing]:
    """The one that failed last first."""
    rows = store.rows(
        f"SELECT {', '.join(Failing._fields)} {_FAILING} ORDER BY last_run DESC, id DESC LIMIT ?", (limit,)
    )
    return [Failing._make(row) for row in rows]


def count_failing(store: Store) -> int:
    return _counted(store, _FAILING)


# -- what waits -------------------------------------------------------------------------------------


class Queue(NamedTuple):
    """Tasks that wait for an agent which their selector means."""

    selector: str
    size: int
    run: int  #: of the first in the queue
    namespace: str
    name: str
    queued_ms: int | None


def queue(store: Store, selector: str, namespaces: Sequence[str] | None = None) -> Queue | None:
    """Of these namespaces those among the first LOOKED_MAX of the queue."""
    source = "FROM tasks INDEXED BY tasks_queued WHERE state = 'queued' AND selector = ?"
    values: list[object] = [selector]
    if namespaces is not None:
        where, names = among("(SELECT namespace FROM runs WHERE runs.id = q.run)", namespaces)
        first = f"SELECT id, run, queued_ms, rank_ms {source} ORDER BY rank_ms, id LIMIT ?"
        source = f"FROM ({first}) q WHERE 1{where}"
        values += [LOOKED_MAX, *names]
    row = store.row(f"SELECT run, queued_ms {source} ORDER BY rank_ms, id LIMIT 1", values)
    if row is None:
        return None
    run = store.row("SELECT namespace, name FROM runs WHERE id = ?", (row[0],)) or ("", "")
    return Queue(selector, _counted(store, source, *values), row[0], run[0], run[1], row[1])


class Overlap(NamedTuple):
    """Runs of a job that wait behind another of its runs."""

    job: int
    namespace: str
    name: str
    run: int  #: the first of them
    created_ms: int
    size: int
    behind: int | None  #: the job's oldest run that goes on


def overlapping(store: Store, limit: int, namespaces: Sequence[str] | None = None) -> list[Overlap]:
    """By job: one step of the index each, however many wait. Of COUNTED_MAX jobs at most."""
    found: list[Overlap] = []
    job = looked = 0
    while len(found) < limit and looked < COUNTED_MAX:
        looked += 1
        source = "FROM runs INDEXED BY runs_waiting WHERE waiting = 1 AND job"
        row = store.row(
            f"SELECT job, namespace, name, id, created_ms {source} > ? ORDER BY job, id LIMIT 1", (job,)
        )
        if row is None:
            break
        job = row[0]
        if namespaces is not None and row[1] not in namespaces:
            continue
        behind = store.value(
            "SELECT id FROM runs INDEXED BY runs_active WHERE job = ? AND finished_ms IS NULL"
            " AND waiting <> 1 ORDER BY id LIMIT 1",
            (job,),
        )
        found.append(Overlap._make((*row, _counted(store, f"{source} = ?", job), behind)))
    return found


class Kept(NamedTuple):
    """Runs of a namespace that wait until it may have one more."""

    namespace: str
    run: int  #: the first of them
    name: str  #: its job's
    created_ms: int
    size: int


def kept_back(store: Store, limit: int, namespaces: Sequence[str] | None = None) -> list[Kept]:
    """By namespace: two steps of the index each, however many wait. Of COUNTED_MAX namespaces at most."""
    found: list[Kept] = []
    namespace: str | None = ""
    for _ in range(COUNTED_MAX):
        namespace = quotas.next_namespace(store, namespace or "")
        if namespace is None or len(found) >= limit:
            break
        first = None
        if namespaces is None or namespace in namespaces:
            first = quotas.first(store, namespace)
        run = None if first is None else run_rows.get(store, first)
        if run is not None:
            size = quotas.waiting(store, namespace, COUNTED_MAX)
            found.append(Kept(namespace, run.id, run.name, run.created_ms, size))
    return found


# -- what is out of reach ---------------------------------------------------------------------------


class Unreachable(NamedTuple):
    """An attempt that was granted, and of which its agent tells nothing."""

    attempt: int
    run: int
    namespace: str
    name: str
    task: str
    agent: str
    zone: str
    node: str  #: that the agent hangs on; empty: none
    started_ms: int | None
    disconnected_ms: int | None


_UNREACHABLE = "FROM attempts a INDEXED BY attempts_unreachable"


def unreachable(store: Store, limit: int) -> list[Unreachable]:
    """The oldest first."""
    rows = store.rows(
        "SELECT a.id, a.run, r.namespace, r.name, t.name, coalesce(g.name, ''), coalesce(g.zone, ''),"
        f" coalesce(g.node, ''), a.started_ms, g.disconnected_ms {_UNREACHABLE}"
        " CROSS JOIN runs r ON r.id = a.run CROSS JOIN tasks t ON t.id = a.task"
        " LEFT JOIN agents g ON g.id = a.agent"
        " WHERE a.unreachable = 1 ORDER BY a.id LIMIT ?",
        (limit,),
    )
    return [Unreachable._make(row) for row in rows]


def count_unreachable(store: Store) -> int:
    return _counted(store, f"{_UNREACHABLE} WHERE a.unreachable = 1")


# -- what goes on -----------------------------------------------------------------------------------


def count_runs(store: Store, state: str, namespaces: Sequence[str] | None = None) -> int:
    """Of a state other than succeeded; of these namespaces those among the first LOOKED_MAX of it."""
    source = "FROM runs INDEXED BY runs_state WHERE state = ? AND state <> 'succeeded'"
    if namespaces is None:
        return _counted(store, source, state)
    where, names = among("namespace", namespaces)
    first = f"FROM (SELECT namespace {source} ORDER BY id LIMIT ?) WHERE 1{where}"
    return _counted(store, first, state, LOOKED_MAX, *names)


class ZoneLoad(NamedTuple):
    """The agents of a zone, added up."""

    zone: str
    agents: int
    connected: int
    draining: int
    slots: int  #: of those that are connected and drain not
    busy: int


def zones(store: Store) -> list[ZoneLoad]:
    """Of all agents, which are 20,000 at most."""
    rows = store.rows(
        "SELECT zone, count(*), sum(node <> ''), sum(draining),"
        " sum(CASE WHEN node <> '' AND draining = 0 THEN slots ELSE 0 END), sum(busy)"
        " FROM agents GROUP BY zone ORDER BY zone"
    )
    return [ZoneLoad._make(row) for row in rows]
