"""Tasks of runs, and the queue of those that wait for a place."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypedDict, Unpack

from scheduler.store.connection import Store
from scheduler.store.kept import Table, always
from scheduler.words.lifecycle import TASK, TaskEvent

ONLY = ""  #: the member of a task that is not divided
NO_INSTANT = 1 << 60  #: as `wake_ms` of a task that waits in the state for something without an instant
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
    warned: int = 0
    of_group: int = 0

    @property
    def is_awaited(self) -> bool:
        """Whether somebody outside is to complete its attempt, whose process has ended. Work in the state,
        which waits for an instant too, has no attempt."""
        return self.state == "active" and self.wake_ms is not None and self.attempts > 0


COLUMNS = ", ".join(Task._fields)
TABLE = Table("tasks", Task, ends="finished_ms")


def get(store: Store, task: int) -> Task | None:
    return store.kept.get(TABLE, task)


def find(store: Store, run: int, name: str, member: str, round: int) -> Task | None:
    row = store.row(
        f"SELECT {COLUMNS} FROM tasks WHERE run = ? AND name = ? AND member = ? AND round = ?",
        (run, name, member, round),
    )
    return None if row is None else Task._make(row)


def newest(store: Store, run: int, name: str, member: str = ONLY) -> Task | None:
    """The whole task of this name, or a member of it, in its newest round."""
    row = store.row(
        f"SELECT {COLUMNS} FROM tasks WHERE run = ? AND name = ? AND member = ? ORDER BY round DESC LIMIT 1",
        (run, name, member),
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
    found = (store.kept.get(TABLE, task) for task in ids)
    return [row for row in found if row is not None]


class End(NamedTuple):
    """How a task ended, or how it stands."""

    state: str
    exit_code: int | None
    reason: str
    may_fail: int


_ENDS = """
WITH RECURSIVE names(name) AS (
  SELECT min(name) FROM tasks WHERE run = ?1
  UNION ALL
  SELECT (SELECT min(name) FROM tasks WHERE run = ?1 AND name > names.name) FROM names WHERE name > ''
)
SELECT names.name, state, exit_code, reason, may_fail FROM names JOIN tasks ON id = (
  SELECT id FROM tasks WHERE run = ?1 AND name = names.name AND member = ?2 ORDER BY round DESC LIMIT 1
) ORDER BY names.name
"""


def ends(store: Store, run: int) -> dict[str, End]:
    """By name, of the whole tasks of a run in their newest rounds: a step of the index each, however many
    rounds there were."""
    rows = store.rows(_ENDS, (run, ONLY))
    return {row[0]: End._make(row[1:]) for row in rows}


def set_needs(store: Store, task: int, *, open_needs: int, met_needs: int) -> None:
    told = (open_needs, met_needs, task)
    store.kept.update(TABLE, task, told, open_needs=open_needs, met_needs=met_needs)


def set_selector(store: Store, task: int, selector: str) -> None:
    store.kept.update(TABLE, task, (selector, task), selector=selector)


def set_wake(store: Store, task: int, wake_ms: int | None) -> None:
    store.kept.update(TABLE, task, (wake_ms, task), wake_ms=wake_ms)


def set_reason(store: Store, task: int, reason: str) -> None:
    store.kept.update(TABLE, task, (reason, task), reason=reason)


def note_turn(store: Store, task: int, queued_ms: int | None) -> None:
    """None: its turn is still to come."""
    store.kept.update(TABLE, task, (queued_ms, task), queued_ms=queued_ms)


_WAITS_FOR_TURN = "t.member <> '' AND t.state = 'blocked' AND t.queued_ms IS NULL"


def first_in_turn(store: Store, whole: int, first: int, *, connected: bool) -> Task | None:
    """Of the members of this task, from the one with the id `first` on, the first that waits for its turn.
    `connected`: whose agent is."""
    columns = ", ".join(f"t.{name}" for name in Task._fields)
    agents = " CROSS JOIN agents g ON g.name = t.member AND g.node <> ''" if connected else ""
    row = store.row(
        f"SELECT {columns} FROM tasks t INDEXED BY tasks_turn{agents} WHERE t.of_group = ? AND t.id >= ?"
        f" AND {_WAITS_FOR_TURN} ORDER BY t.id LIMIT 1",
        (whole, first),
    )
    return None if row is None else Task._make(row)


def last_queued(store: Store, first: int, end: int) -> Task | None:
    """Of the tasks with ids from `first` on to before `end`, the last that is queued and was never given."""
    row = store.row(
        f"SELECT {COLUMNS} FROM tasks WHERE id >= ? AND id < ? AND +state = 'queued' AND attempts = 0"
        " ORDER BY id DESC LIMIT 1",
        (first, end),
    )
    return None if row is None else Task._make(row)


def wait_for_agent(store: Store, name: str, after: int, limit: int) -> list[Task]:
    """Members of this name that wait for their turn, behind the one with the id `after`."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM tasks t INDEXED BY tasks_turn_member WHERE member = ? AND id > ?"
        f" AND {_WAITS_FOR_TURN} ORDER BY id LIMIT ?",
        (name, after, limit),
    )
    return [Task._make(row) for row in rows]


def set_warned(store: Store, task: int) -> None:
    store.kept.update(TABLE, task, (task,), warned=1)


class Gravest(NamedTuple):
    state: str
    exit_code: int | None
    reason: str


def any_open(store: Store, first: int, last: int) -> bool:
    """Whether one of the tasks with these ids has not ended."""
    found = store.value(
        "SELECT 1 FROM tasks WHERE id BETWEEN ? AND ? AND finished_ms IS NULL ORDER BY id LIMIT 1",
        (first, last),
    )
    return found is not None


def gravest(
    store: Store, tasks: range, states: tuple[str, ...], forgiven: tuple[str, ...]
) -> Gravest | None:
    """Of the tasks with these ids that ended in `states`, gravest first: the first of the gravest. Those that
    may fail are left out where they ended in `forgiven`, and what is in a group always: its group counts.
    """
    between = (tasks.start, tasks.stop - 1)
    return _gravest(store, "id BETWEEN ? AND ? AND of_group = 0", between, states, forgiven)


def gravest_of_orphan(
    store: Store, run: int, states: tuple[str, ...], forgiven: tuple[str, ...]
) -> Gravest | None:
    """The same of a run without a graph, whose tasks have any ids."""
    return _gravest(store, "run = ?", (run,), states, forgiven)


def gravest_of(
    store: Store, tasks: range, states: tuple[str, ...], forgiven: tuple[str, ...]
) -> Gravest | None:
    """The same of tasks in a group."""
    between = (tasks.start, tasks.stop - 1)
    return _gravest(store, "id BETWEEN ? AND ?", between, states, forgiven)


def _gravest(
    store: Store, which: str, of: tuple[int, ...], states: tuple[str, ...], forgiven: tuple[str, ...]
) -> Gravest | None:
    grades = " ".join(f"WHEN '{state}' THEN {grade}" for grade, state in enumerate(states))
    row = store.row(
        f"SELECT state, exit_code, reason FROM tasks WHERE {which} AND state IN ({_marks(states)})"
        f" AND NOT (may_fail = 1 AND state IN ({_marks(forgiven)}))"
        f" ORDER BY CASE state {grades} END, id LIMIT 1",
        (*of, *states, *forgiven),
    )
    return None if row is None else Gravest._make(row)


def any_of(store: Store, tasks: range, column: str, value: int | str) -> bool:
    """Whether one of the tasks with these ids has this value there."""
    between = (tasks.start, tasks.stop - 1, value)
    return (
        store.value(f"SELECT 1 FROM tasks WHERE id BETWEEN ? AND ? AND {column} = ? LIMIT 1", between)
        is not None
    )


class Code(NamedTuple):
    """An exit code of a task that succeeded."""

    id: int
    of_group: int
    exit_code: int


def last_code(store: Store, tasks: range) -> Code | None:
    """Of the last of the tasks with these ids that succeeded and has one."""
    return _last_code(store, "id BETWEEN ? AND ?", (tasks.start, tasks.stop - 1))


def last_code_of_orphan(store: Store, run: int) -> Code | None:
    """The same of a run without a graph."""
    return _last_code(store, "run = ?", (run,))


def _last_code(store: Store, which: str, of: tuple[int, ...]) -> Code | None:
    row = store.row(
        f"SELECT id, of_group, exit_code FROM tasks WHERE {which} AND state = 'succeeded'"
        " AND exit_code IS NOT NULL ORDER BY id DESC LIMIT 1",
        of,
    )
    return None if row is None else Code._make(row)


def _marks(values: tuple[str, ...]) -> str:
    return ", ".join("?" * len(values))


def insert(store: Store, task: Task) -> None:
    store.kept.insert(TABLE, task)
    if task.state == "queued":
        store.kept.unnote("tasks", _ANY_QUEUED, ())


class Changes(TypedDict, total=False):
    """What an event changes beside the state."""

    attempts: int
    open_needs: int
    met_needs: int
    queued_ms: int
    wake_ms: int | None
    rank_ms: int
    started_ms: int | None
    finished_ms: int
    exit_code: int | None
    reason: str


def move(store: Store, task: Task, event: TaskEvent, **changes: Unpack[Changes]) -> str:
    """Something happened to the task: its state after it, which the table says."""
    state = TASK.after(task.state, event)
    store.kept.update(TABLE, task.id, (state, *changes.values(), task.id), state=state, **changes)
    if "queued" in (task.state, state):
        store.kept.unnote("tasks", _ANY_QUEUED, ())
    return state


def rebuild(store: Store, task: int, state: str, **changes: Unpack[Changes]) -> None:
    """The row of an adopted run's task, made anew of what its agent tells: no event, and no table."""
    store.kept.unnote("tasks", _ANY_QUEUED, ())
    store.kept.update(TABLE, task, (state, *changes.values(), task), state=state, **changes)


def state_of(store: Store, run: int, name: str) -> str:
    """Of the task of this name; `blocked` while it is not made."""
    state = store.value(
        "SELECT state FROM tasks WHERE run = ? AND name = ? AND member = ? ORDER BY round DESC LIMIT 1",
        (run, name, ONLY),
    )
    return state or "blocked"


class QueuedTask(NamedTuple):
    id: int
    run: int
    rank_ms: int


def queued_of(store: Store, run: int, limit: int) -> list[Task]:
    """Those of a run that are queued, the first."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM tasks INDEXED BY tasks_run WHERE run = ? AND state = 'queued'"
        " ORDER BY id LIMIT ?",
        (run, limit),
    )
    return [Task._make(row) for row in rows]


_ANY_QUEUED = "SELECT 1 FROM tasks INDEXED BY tasks_queued WHERE state = 'queued' LIMIT 1"


def any_queued(store: Store) -> bool:
    """Asked at each end, so that it is remembered until the queue is another one."""
    return store.kept.note("tasks", _ANY_QUEUED, (), keeps=always) is not None


def queued_selectors(store: Store, limit: int, after: str = "", before: str = "") -> list[str]:
    """The selectors behind `after`, and before `before`, that have queued tasks: one step of the index each,
    however long the queues are."""
    found: list[str] = []
    last: str | None = after
    while len(found) < limit:
        last = store.value(
            "SELECT selector FROM tasks INDEXED BY tasks_queued WHERE state = 'queued' AND selector > ?"
            " ORDER BY selector LIMIT 1",
            (last,),
        )
        if last is None or (before and last >= before):
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


def queued_behind(
    store: Store, selector: str, limit: int, after: tuple[int, int] | None = None
) -> list[QueuedTask]:
    """The next in one queue, behind this rank and task."""
    rows = store.rows(
        "SELECT id, run, rank_ms FROM tasks INDEXED BY tasks_queued WHERE state = 'queued' AND selector = ?"
        " AND (rank_ms, id) > (?, ?) ORDER BY rank_ms, id LIMIT ?",
        (selector, *(after or (-(1 << 62), 0)), limit),
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
    return None if first == NO_INSTANT else first


def purge(store: Store, run: int, limit: int) -> int:
    """Drop the first of a run, as many as that; how many went."""
    return store.write(
        "DELETE FROM tasks WHERE id IN (SELECT id FROM tasks WHERE run = ? ORDER BY id LIMIT ?)", (run, limit)
    )
