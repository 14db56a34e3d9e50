"""Attempts with the names of what they belong to: for lists, for their output, for their agents."""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from typing import NamedTuple

from scheduler.store.connection import Row, Store
from scheduler.store.reads.bounds import LOOKED_MAX, among, asked, chunks, marks
from scheduler.store.reads.newest import Way, newest, span
from scheduler.store.tables.attempts import Attempt
from scheduler.store.tables.completions import Completion
from scheduler.words.lifecycle import ATTEMPT, ATTEMPT_ENDS, AWAITING

LIVE = frozenset(ATTEMPT.states) - ATTEMPT_ENDS - {AWAITING}  #: of those that hold a slot
LISTED_MAX = 10_000  #: of a page of runs, the newest


class ListedAttempt(NamedTuple):
    """An attempt in a list."""

    attempt: Attempt  #: without its tail, which is most of it
    agent: str  #: name
    zone: str
    completion: Completion | None = None  #: of one that somebody outside completes, what is known of that


class Output(NamedTuple):
    """What is known of an attempt's output."""

    id: int
    number: int
    agent: int
    state: str
    tail: bytes  #: its last bytes, of an ended attempt
    output_bytes: int | None  #: where it ends; None: nobody knows
    agent_name: str
    node: str  #: that the agent hangs on; empty: none


class AtWork(NamedTuple):
    """An attempt that holds a slot, with the names of what it is for."""

    id: int
    number: int
    state: str
    unreachable: int
    due_ms: int
    granted_ms: int | None
    started_ms: int | None
    task: str
    member: str
    round: int
    run: int
    namespace: str
    job: str


class DispatchRow(NamedTuple):
    """What a front needs to push one attempt to its agent."""

    attempt: int
    agent: int
    state: str
    number: int
    due_ms: int
    task: str
    member: str
    item: str
    round: int
    run: int
    job: int
    revision: int
    namespace: str
    name: str
    tick_ms: int | None
    plan_day: int
    params: str
    terminated: int  #: 1: it is stopped without grace
    claim: str


_WHOLE = ", ".join("x''" if name == "tail" else f"a.{name}" for name in Attempt._fields)
_WITH_AGENT = "FROM attempts a LEFT JOIN agents g ON g.id = a.agent"
_KNOWN = ", ".join(f"c.{name}" for name in Completion._fields)
_LISTED = (
    f"{_WHOLE}, coalesce(g.name, ''), coalesce(g.zone, ''), {_KNOWN} {_WITH_AGENT}"
    " LEFT JOIN completions c ON c.attempt = a.id"
)
_OUTPUT = (
    "a.id, a.number, a.agent, a.state, a.tail, a.output_bytes, coalesce(g.name, ''), coalesce(g.node, '') "
    + _WITH_AGENT
)
_LAST_OF = (
    "SELECT id FROM attempts WHERE task = ? AND number <= ? AND state NOT IN ('revoked', 'unstarted')"
    " ORDER BY id DESC LIMIT 1"
)
_DISPATCH = (
    "SELECT a.id, a.agent, a.state, a.number, a.due_ms, t.name, t.member, CASE t.member WHEN '' THEN '' "
    "ELSE coalesce((SELECT item FROM member_items WHERE task = t.id), t.member) END, t.round, r.id, r.job, "
    "r.revision, r.namespace, r.name, r.tick_ms, r.plan_day, r.params, "
    "EXISTS (SELECT 1 FROM terminated WHERE run = r.id), a.claim "
    "FROM attempts a JOIN tasks t ON t.id = a.task JOIN runs r ON r.id = a.run "
)


_OWN = len(Attempt._fields)


def _listed(row: Row) -> ListedAttempt:
    known = None if row[_OWN + 2] is None else Completion._make(row[_OWN + 2 :])
    return ListedAttempt(Attempt._make(row[:_OWN]), row[_OWN], row[_OWN + 1], known)


def of_runs(store: Store, runs: Iterable[int]) -> list[ListedAttempt]:
    """In order; of each CHUNK of runs the newest LISTED_MAX: a run may have a million tries."""
    found: list[ListedAttempt] = []
    for ids in chunks(runs):
        rows = store.rows(
            f"SELECT {_LISTED} WHERE a.run IN ({marks(len(ids))}) ORDER BY a.id DESC LIMIT ?",
            (*ids, LISTED_MAX),
        )
        found += map(_listed, reversed(rows))
    return found


def first_granted(store: Store, run: int) -> Attempt | None:
    """The attempt of the run that was granted first."""
    row = store.row(
        f"SELECT {_WHOLE} FROM attempts a WHERE a.run = ? AND a.fence IS NOT NULL ORDER BY a.id LIMIT 1",
        (run,),
    )
    return None if row is None else Attempt._make(row)


def of_tasks(store: Store, tasks: Iterable[int]) -> list[ListedAttempt]:
    """In order; of each CHUNK of tasks the newest LISTED_MAX."""
    found: list[ListedAttempt] = []
    for ids in chunks(tasks):
        rows = store.rows(
            f"SELECT {_LISTED} WHERE a.task IN ({marks(len(ids))}) ORDER BY a.id DESC LIMIT ?",
            (*ids, LISTED_MAX),
        )
        found += map(_listed, rows)
    return sorted(found, key=lambda each: each.attempt.id)


def last_of_tasks(store: Store, tasks: Iterable[int]) -> dict[int, ListedAttempt]:
    """By task, the newest try of each that had one."""
    found: dict[int, ListedAttempt] = {}
    for ids in chunks(tasks):
        rows = store.rows(
            f"SELECT {_LISTED} WHERE a.id IN (SELECT (SELECT max(id) FROM attempts WHERE task = value AND"
            f" state <> 'revoked') FROM json_each(?)) ORDER BY a.id",
            (json.dumps(list(ids)),),
        )
        found.update((each.attempt.task, each) for each in map(_listed, rows))
    return found


class Wanted(NamedTuple):
    """Which attempts of a list."""

    run: int | None = None
    agent: int | None = None
    states: Sequence[str] = ()
    unreachable: bool = False
    since_ms: int | None = None  #: assigned at or after
    until_ms: int | None = None  #: and before
    namespaces: Sequence[str] | None = None  #: of their runs; None: of all

    def ways(self) -> list[Way]:
        if self.run is not None:
            return [Way("FROM attempts INDEXED BY attempts_run WHERE run = ?", (self.run,))]
        if self.unreachable:
            return [Way("FROM attempts INDEXED BY attempts_unreachable WHERE unreachable = 1")]
        if self.agent is not None and self.states and set(self.states) <= LIVE:
            return [Way("FROM attempts INDEXED BY attempts_live WHERE agent = ? AND live = 1", (self.agent,))]
        if self.agent is not None:
            return [Way("FROM attempts INDEXED BY attempts_agent WHERE agent = ?", (self.agent,))]
        return [Way("FROM attempts WHERE 1")]

    def conditions(self) -> tuple[str, list[object]]:
        where, values = asked(("agent = ?", self.agent))
        within, names = among("(SELECT namespace FROM runs WHERE runs.id = attempts.run)", self.namespaces)
        if self.states:
            where += f" AND state IN ({marks(len(self.states))})"
            values += self.states
        if self.unreachable:
            where += " AND unreachable = 1"
        return where + within, values + names


def page(
    store: Store, wanted: Wanted, *, limit: int, before: int | None = None, looked_max: int = LOOKED_MAX
) -> tuple[list[ListedAttempt], int | None]:
    """The newest first, and the id to go on from: as `newest`."""
    within = span(
        store, "attempts", "id", "assigned_ms", since_ms=wanted.since_ms, until_ms=wanted.until_ms,
        before=before,
    )  # fmt: skip
    rows, after = newest(
        store, "id", wanted.ways(), within, *wanted.conditions(), limit=limit, looked_max=looked_max
    )
    found: list[ListedAttempt] = []
    for ids in chunks(row[0] for row in rows):
        listed = store.rows(f"SELECT {_LISTED} WHERE a.id IN ({marks(len(ids))}) ORDER BY a.id", ids)
        found += map(_listed, listed)
    return found[::-1], after


def count(store: Store, run: int, most: int) -> int:
    """Of one run, counted up to `most`."""
    number: int = store.value(
        "SELECT count(*) FROM (SELECT 1 FROM attempts WHERE run = ? LIMIT ?)", (run, most)
    )
    return number


def agents_of(store: Store, attempts: Iterable[int]) -> dict[int, int]:
    """The agent of each of these attempts that has a row, or is reserved."""
    found: dict[int, int] = {}
    for attempt in attempts:
        agent = store.value(
            "SELECT agent FROM attempts WHERE id = ?1"
            " UNION ALL SELECT agent FROM reservations WHERE attempt = ?1 LIMIT 1", (attempt,)
        )  # fmt: skip
        if agent is not None:
            found[attempt] = agent
    return found


def output(store: Store, task: int, *, number: int | None = None, after: int | None = None) -> Output | None:
    """Of the task's newest try, or of that number, or of the first one behind the number `after`; what was
    taken back was none."""
    which, order = "", "DESC"
    values: tuple[int, ...] = (task,)
    if number is not None:
        which, values = "AND a.number = ?", (task, number)
    elif after is not None:
        # From the newest back to that one: who follows a task is near its end.
        which, order = f"AND a.id > coalesce(({_LAST_OF}), 0)", ""
        values = (task, task, after)
    row = store.row(
        f"SELECT {_OUTPUT} WHERE a.task = ? AND a.state NOT IN ('revoked', 'unstarted') {which}"
        f" ORDER BY a.id {order} LIMIT 1",
        values,
    )
    return None if row is None else Output._make(row)


def dispatch(store: Store, attempts: Iterable[int]) -> list[DispatchRow]:
    """What to tell their agents about these attempts."""
    found: list[DispatchRow] = []
    for ids in chunks(attempts):
        rows = store.rows(f"{_DISPATCH} WHERE a.id IN ({marks(len(ids))}) ORDER BY a.id", ids)
        found += [DispatchRow._make(row) for row in rows]
    return found


def at_work(store: Store, agent: int, *, after: int, limit: int) -> list[AtWork]:
    """What holds the slots of this agent, behind the attempt `after`, the oldest first."""
    rows = store.rows(
        "SELECT a.id, a.number, a.state, a.unreachable, a.due_ms, a.granted_ms, a.started_ms, t.name, "
        "t.member, t.round, r.id, r.namespace, r.name "
        "FROM attempts a JOIN tasks t ON t.id = a.task JOIN runs r ON r.id = a.run "
        "WHERE a.agent = ? AND a.live = 1 AND a.id > ? ORDER BY a.id LIMIT ?",
        (agent, after, limit),
    )
    return [AtWork._make(row) for row in rows]


def live_dispatch(store: Store, agent: int) -> list[DispatchRow]:
    """Every attempt that holds a slot of this agent."""
    rows = store.rows(f"{_DISPATCH} WHERE a.agent = ? AND a.live = 1 ORDER BY a.id", (agent,))
    return [DispatchRow._make(row) for row in rows]
