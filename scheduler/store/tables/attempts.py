"""Attempts: what is claimed, granted, reported."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypedDict, Unpack

from scheduler.store.connection import Store
from scheduler.store.kept import Table
from scheduler.words.lifecycle import ATTEMPT, ATTEMPT_ENDS, AWAITING, AttemptEvent


class Attempt(NamedTuple):
    id: int
    task: int
    run: int
    number: int
    agent: int
    state: str
    live: int
    unreachable: int
    assigned_ms: int
    due_ms: int
    claim: str
    session: str
    fence: int | None
    granted_ms: int | None
    started_ms: int | None
    finished_ms: int | None
    exit_code: int | None
    signal: int | None
    reason: str
    tail: bytes
    output_bytes: int | None  #: where its output ends; the tail is the end of it; None: nobody knows
    late: str


COLUMNS = ", ".join(Attempt._fields)
TABLE = Table("attempts", Attempt, ends="finished_ms")


def get(store: Store, attempt: int) -> Attempt | None:
    return store.kept.get(TABLE, attempt)


def insert(store: Store, attempt: Attempt) -> None:
    store.kept.insert(TABLE, attempt)


def of_run(store: Store, run: int) -> list[Attempt]:
    rows = store.rows(f"SELECT {COLUMNS} FROM attempts WHERE run = ? ORDER BY id", (run,))
    return [Attempt._make(row) for row in rows]


class Written(NamedTuple):
    """What an attempt wrote, as far as the state has it."""

    task: int
    output_bytes: int
    tail: bytes


def written_of_run(store: Store, run: int, limit: int) -> list[Written]:
    """Of the attempts that wrote something the newest, in their order."""
    rows = store.rows(
        "SELECT task, coalesce(output_bytes, length(tail)), tail FROM attempts"
        " WHERE run = ? AND (output_bytes > 0 OR length(tail) > 0) ORDER BY id DESC LIMIT ?",
        (run, limit),
    )
    return [Written._make(row) for row in reversed(rows)]


def live_of_run(store: Store, run: int) -> list[Attempt]:
    rows = store.rows(f"SELECT {COLUMNS} FROM attempts WHERE run = ? AND live = 1 ORDER BY id", (run,))
    return [Attempt._make(row) for row in rows]


def last_agent(store: Store, task: int) -> int:
    """The agent that the newest attempt of a task was given to, those left out that never started; 0: there
    is none."""
    agent: int | None = store.value(
        "SELECT agent FROM attempts WHERE task = ? AND state NOT IN ('revoked', 'unstarted')"
        " ORDER BY id DESC LIMIT 1",
        (task,),
    )
    return agent or 0


def unstarted(store: Store, task: int, limit: int) -> int:
    """How many attempts of a task never started, counted up to the limit."""
    found: int = store.value(
        "SELECT count(*) FROM (SELECT 1 FROM attempts WHERE task = ? AND state = 'unstarted' LIMIT ?)",
        (task, limit),
    )
    return found


def any_begun(store: Store, run: int) -> bool:
    """Whether a run has an attempt that is live, or was granted."""
    found = store.value(
        "SELECT 1 FROM attempts WHERE run = ? AND (live = 1 OR fence IS NOT NULL) LIMIT 1", (run,)
    )
    return found is not None


def any_begun_of(store: Store, tasks: range) -> bool:
    """Whether an attempt of one of the tasks with these ids is live, or was granted and may have started."""
    found = store.value(
        "SELECT 1 FROM attempts WHERE task BETWEEN ? AND ?"
        " AND (live = 1 OR (fence IS NOT NULL AND state <> 'unstarted')) LIMIT 1",
        (tasks.start, tasks.stop - 1),
    )
    return found is not None


def live_of_task(store: Store, task: int) -> Attempt | None:
    row = store.row(
        f"SELECT {COLUMNS} FROM attempts WHERE task = ? AND live = 1 ORDER BY id DESC LIMIT 1", (task,)
    )
    return None if row is None else Attempt._make(row)


def awaiting_of_task(store: Store, task: int) -> Attempt | None:
    """The one that somebody outside is to complete."""
    newest = newest_of_task(store, task)
    return newest if newest is not None and newest.state == AWAITING else None


def newest_of_task(store: Store, task: int) -> Attempt | None:
    row = store.row(f"SELECT {COLUMNS} FROM attempts WHERE task = ? ORDER BY id DESC LIMIT 1", (task,))
    return None if row is None else Attempt._make(row)


def live_of_agent(store: Store, agent: int) -> list[Attempt]:
    rows = store.rows(
        f"SELECT {COLUMNS} FROM attempts INDEXED BY attempts_live WHERE agent = ? AND live = 1 ORDER BY id",
        (agent,),
    )
    return [Attempt._make(row) for row in rows]


class Changes(TypedDict, total=False):
    """What an event changes beside the state."""

    live: int
    unreachable: int
    claim: str
    session: str
    fence: int
    granted_ms: int
    started_ms: int | None
    finished_ms: int
    exit_code: int | None
    signal: int | None
    reason: str
    tail: bytes
    output_bytes: int | None


_ENDED: Changes = {"live": 0, "unreachable": 0}
"""Of every attempt that has no process."""


def move(store: Store, attempt: Attempt, event: AttemptEvent, **changes: Unpack[Changes]) -> str:
    """Something happened to the attempt: its state after it, which the table says."""
    state = ATTEMPT.after(attempt.state, event)
    told = (state, *changes.values(), attempt.id)
    if state in ATTEMPT_ENDS or state == AWAITING:
        changes |= _ENDED
    store.kept.update(TABLE, attempt.id, told, state=state, **changes)
    return state


def set_unreachable(store: Store, attempt: int, unreachable: int) -> None:
    store.kept.update(TABLE, attempt, (unreachable, attempt), unreachable=unreachable)


def set_claim(store: Store, attempt: int, claim: str, session: str) -> None:
    store.kept.update(TABLE, attempt, (claim, session, attempt), claim=claim, session=session)


def set_late(store: Store, attempt: int, late: str) -> None:
    store.kept.update(TABLE, attempt, (late, attempt), late=late)


class CutOffAttempt(NamedTuple):
    """A live attempt of a disconnected agent."""

    id: int
    agent: int
    run: int
    task: int
    state: str
    unreachable: int
    started_ms: int | None
    granted_ms: int | None
    due_ms: int
    since_ms: int  #: when its agent was disconnected


def of_disconnected_agents(store: Store, limit: int) -> list[CutOffAttempt]:
    """Live attempts whose agent no node holds: by agent, then id."""
    rows = store.rows(
        "SELECT a.id, a.agent, a.run, a.task, a.state, a.unreachable, a.started_ms, a.granted_ms, a.due_ms,"
        " coalesce(g.disconnected_ms, 0)"
        " FROM agents g CROSS JOIN attempts a INDEXED BY attempts_live ON a.agent = g.id AND a.live = 1"
        " WHERE g.node = '' AND g.busy > 0 ORDER BY g.id, a.id LIMIT ?",
        (limit,),
    )
    return [CutOffAttempt._make(row) for row in rows]


def without_grant(store: Store) -> list[Attempt]:
    """Of all agents."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM attempts INDEXED BY attempts_live WHERE live = 1 AND fence IS NULL"
        " ORDER BY id"
    )
    return [Attempt._make(row) for row in rows]


def drop(store: Store, attempt: int) -> None:
    store.write("DELETE FROM attempts WHERE id = ?", (attempt,))


def without_grant_on_draining(store: Store, limit: int) -> list[int]:
    """Assigned attempts of agents that are to start nothing more."""
    rows = store.rows(
        "SELECT a.id FROM agents g INDEXED BY agents_draining"
        " CROSS JOIN attempts a INDEXED BY attempts_live ON a.agent = g.id AND a.live = 1"
        " WHERE g.draining = 1 AND a.state = 'assigned' ORDER BY g.id, a.id LIMIT ?",
        (limit,),
    )
    return [row[0] for row in rows]


def unclaimed_since(store: Store, before_ms: int, limit: int) -> list[int]:
    """Assigned attempts, without a grant, from before `before_ms`."""
    rows = store.rows(
        "SELECT id FROM attempts WHERE state = 'assigned' AND assigned_ms < ?"
        " ORDER BY assigned_ms, id LIMIT ?",
        (before_ms, limit),
    )
    return [row[0] for row in rows]


def unclaimed_on(store: Store, nodes: Sequence[str], due_ms: int, limit: int) -> list[tuple[int, str]]:
    """Assigned attempts that are due, of agents whose sockets these nodes hold, each with the selector of its
    task."""
    rows = store.rows(
        "SELECT a.id, t.selector FROM attempts a INDEXED BY attempts_assigned"
        " CROSS JOIN agents g ON g.id = a.agent CROSS JOIN tasks t ON t.id = a.task"
        f" WHERE a.state = 'assigned' AND a.due_ms <= ? AND g.node IN ({', '.join('?' * len(nodes))})"
        " ORDER BY a.assigned_ms, a.id LIMIT ?",
        (due_ms, *nodes, limit),
    )
    return [(attempt, selector) for attempt, selector in rows]


def oldest_unclaimed_ms(store: Store) -> int | None:
    first: int | None = store.value("SELECT min(assigned_ms) FROM attempts WHERE state = 'assigned'")
    return first


def purge(store: Store, run: int, limit: int) -> int:
    """Drop the first of a run, as many as that; how many went."""
    return store.write(
        "DELETE FROM attempts WHERE id IN (SELECT id FROM attempts WHERE run = ? ORDER BY id LIMIT ?)",
        (run, limit),
    )
