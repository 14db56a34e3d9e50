"""Tasks of runs, and the queue of those that wait for a place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store

ONLY = ""  #: the member of a task that is not divided
FIRST = 0  #: the round of a task that was not begun anew


class Task(NamedTuple):
    """Which one it is: run, name, member and round (docs/decisions/0029). Its id stands for all four."""

    id: int
    run: int
    name: str
    member: str
    round: int
    state: str
    attempts: int
    open_needs: int
    met_needs: int
    may_fail: int
    queued_ms: int | None
    wake_ms: int | None
    selector: str
    rank_ms: int
    started_ms: int | None
    finished_ms: int | None
    exit_code: int | None
    reason: str


COLUMNS = ", ".join(Task._fields)
_GET = f"SELECT {COLUMNS} FROM tasks WHERE id = ?"
_INSERT = f"INSERT INTO tasks ({COLUMNS}) VALUES ({', '.join('?' * len(Task._fields))})"


def get(store: Store, task: int) -> Task | None:
    row = store.row(_GET, (task,))
    return None if row is None else Task._make(row)


def find(store: Store, run: int, name: str, member: str, round: int) -> Task | None:
    row = store.row(
        f"SELECT {COLUMNS} FROM tasks WHERE run = ? AND name = ? AND member = ? AND round = ?",
        (run, name, member, round),
    )
    return None if row is None else Task._make(row)


def of_run(store: Store, run: int) -> list[Task]:
    rows = store.rows(f"SELECT {COLUMNS} FROM tasks WHERE run = ? ORDER BY id", (run,))
    return [Task._make(row) for row in rows]


def of_run_after(store: Store, run: int, after: int, last: int, limit: int) -> list[Task]:
    """Tasks of a run with ids above `after`, in their order. `last`: of a graph, whose tasks have their ids
    in a row, the last; 0: of an orphan.
    """
    # A plus sign keeps an index from being used.
    where = "id > ? AND id <= ? AND +run = ?" if last else "+id > ? AND +id <= ? AND run = ?"
    rows = store.rows(
        f"SELECT {COLUMNS} FROM tasks WHERE {where} ORDER BY id LIMIT ?", (after, last or 1 << 62, run, limit)
    )
    return [Task._make(row) for row in rows]


def of_ids(store: Store, ids: list[int]) -> list[Task]:
    """In the order of their ids, which are given in it."""
    found = (store.row(_GET, (task,)) for task in ids)
    return [Task._make(row) for row in found if row is not None]


def set_needs(store: Store, task: int, *, open_needs: int, met_needs: int) -> None:
    store.write("UPDATE tasks SET open_needs = ?, met_needs = ? WHERE id = ?", (open_needs, met_needs, task))


class Gravest(NamedTuple):
    state: str
    exit_code: int | None
    reason: str


def gravest(store: Store, run: int, states: tuple[str, ...], forgiven: tuple[str, ...]) -> Gravest | None:
    """Of a run's tasks that ended in `states`, gravest first: the first of the gravest. Those that may fail
    are left out where they ended in `forgiven`.
    """
    grades = " ".join(f"WHEN '{state}' THEN {grade}" for grade, state in enumerate(states))
    row = store.row(
        f"SELECT state, exit_code, reason FROM tasks WHERE run = ? AND state IN ({_marks(states)})"
        f" AND NOT (may_fail = 1 AND state IN ({_marks(forgiven)}))"
        f" ORDER BY CASE state {grades} END, id LIMIT 1",
        (run, *states, *forgiven),
    )
    return None if row is None else Gravest._make(row)


def last_exit_code(store: Store, run: int) -> int | None:
    """Of the last task that succeeded and has one."""
    code: int | None = store.value(
        "SELECT exit_code FROM tasks WHERE run = ? AND state = 'succeeded' AND exit_code IS NOT NULL"
        " ORDER BY id DESC LIMIT 1",
        (run,),
    )
    return code


def _marks(values: tuple[str, ...]) -> str:
    return ", ".join("?" * len(values))


def insert(store: Store, task: Task) -> None:
    store.write(_INSERT, task)


def queue(store: Store, task: int, *, state: str, queued_ms: int, rank_ms: int, attempts: int) -> None:
    store.write(
        "UPDATE tasks SET state = ?, queued_ms = ?, rank_ms = ?, attempts = ?, wake_ms = NULL WHERE id = ?",
        (state, queued_ms, rank_ms, attempts, task),
    )


def activate(store: Store, task: int, *, state: str, attempts: int) -> None:
    store.write("UPDATE tasks SET state = ?, attempts = ? WHERE id = ?", (state, attempts, task))


def begin(store: Store, task: int, *, state: str, queued_ms: int, started_ms: int, wake_ms: int) -> None:
    """Its work in the state begins, and is over at `wake_ms`."""
    store.write(
        "UPDATE tasks SET state = ?, queued_ms = ?, started_ms = ?, wake_ms = ? WHERE id = ?",
        (state, queued_ms, started_ms, wake_ms, task),
    )


def wait_for_retry(
    store: Store, task: int, *, state: str, wake_ms: int, exit_code: int | None, reason: str
) -> None:
    store.write(
        "UPDATE tasks SET state = ?, wake_ms = ?, exit_code = ?, reason = ? WHERE id = ?",
        (state, wake_ms, exit_code, reason, task),
    )


def end(
    store: Store,
    task: int,
    *,
    state: str,
    finished_ms: int,
    reason: str,
    exit_code: int | None = None,
    started_ms: int | None = None,
) -> None:
    store.write(
        "UPDATE tasks SET state = ?, started_ms = ?, finished_ms = ?, exit_code = ?, reason = ?,"
        " wake_ms = NULL"
        " WHERE id = ?",
        (state, started_ms, finished_ms, exit_code, reason, task),
    )


def state_of(store: Store, run: int, name: str) -> str:
    """Of the task of this name; `blocked` while it is not made."""
    state = store.value("SELECT state FROM tasks WHERE run = ? AND name = ? ORDER BY id LIMIT 1", (run, name))
    return state or "blocked"


def unended(store: Store, run: int, limit: int) -> list[Task]:
    """The first tasks of a run that have not ended."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM tasks WHERE run = ? AND finished_ms IS NULL ORDER BY id LIMIT ?", (run, limit)
    )
    return [Task._make(row) for row in rows]


class QueuedTask(NamedTuple):
    id: int
    run: int
    rank_ms: int


def queued_selectors(store: Store, limit: int, after: str = "") -> list[str]:
    """The selectors behind `after` that have queued tasks: one step of the index each, however long the
    queues are."""
    found: list[str] = []
    last: str | None = after
    while len(found) < limit:
        last = store.value(
            "SELECT selector FROM tasks INDEXED BY tasks_queued WHERE state = 'queued' AND selector > ?"
            " ORDER BY selector LIMIT 1",
            (last,),
        )
        if last is None:
            break
        found.append(last)
    return found


def queued(
    store: Store, selector: str, limit: int, after: int = 0, kept_back: Sequence[str] = ()
) -> list[QueuedTask]:
    """The first in the queue, of runs with ids above `after`, but of none of these namespaces."""
    marks = ", ".join("?" * len(kept_back))
    but = f" AND (SELECT namespace FROM runs WHERE id = run) NOT IN ({marks})" if kept_back else ""
    rows = store.rows(
        "SELECT id, run, rank_ms FROM tasks INDEXED BY tasks_queued WHERE state = 'queued' AND selector = ?"
        f" AND run > ?{but} ORDER BY rank_ms, id LIMIT ?",
        (selector, after, *kept_back, limit),
    )
    return [QueuedTask._make(row) for row in rows]


def queued_before(store: Store, task: Task, most: int) -> int:
    """How many are before a queued task in its queue, counted up to `most`."""
    number: int = store.value(
        "SELECT count(*) FROM (SELECT 1 FROM tasks INDEXED BY tasks_queued WHERE state = 'queued'"
        " AND selector = ? AND (rank_ms, id) < (?, ?) LIMIT ?)",
        (task.selector, task.rank_ms, task.id, most),
    )
    return number


def past_wake(store: Store, now_ms: int, limit: int, after: int = 0) -> list[tuple[int, int]]:
    """(task, instant) of those whose instant has come, of runs with ids above `after`."""
    rows = store.rows(
        "SELECT id, wake_ms FROM tasks INDEXED BY tasks_wake WHERE wake_ms IS NOT NULL AND wake_ms <= ?"
        " AND run > ? ORDER BY wake_ms, id LIMIT ?",
        (now_ms, after, limit),
    )
    return [(row[0], row[1]) for row in rows]


def next_wake_ms(store: Store) -> int | None:
    first: int | None = store.value("SELECT min(wake_ms) FROM tasks WHERE wake_ms IS NOT NULL")
    return first
