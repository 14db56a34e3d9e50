"""Runs."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple, TypedDict, Unpack

from scheduler.model.overlap_key import ANY
from scheduler.store.connection import Store
from scheduler.store.kept import Table, while_none
from scheduler.words.lifecycle import RUN, RUN_ENDS, RunEvent


class Run(NamedTuple):
    id: int
    job: int
    namespace: str
    name: str
    revision: int
    trigger: int
    tick_ms: int | None
    due_ms: int
    cause: str
    cause_key: str
    state: str
    decided: int
    waiting: int
    counts: int
    plan_day: int
    open_tasks: int
    first_task: int
    last_task: int
    kept_last: int
    unmade: int
    walk: str
    walked: int
    unfinished: int
    stopping: str
    created_ms: int
    started_ms: int | None
    finished_ms: int | None
    deadline_ms: int | None
    stop_ms: int | None
    exit_code: int | None
    priority: int
    bound: int
    params: str
    reason: str
    actor: str
    warned: int = 0

    @property
    def tasks(self) -> int:
        """How many tasks its graph has."""
        return self.last_task - self.first_task + 1


    def keeps(self, task: int) -> bool:
        """Whether this one of its tasks begins once all the rest has ended, and that has not."""
        return self.kept_last > 0 and self.last_task - self.kept_last < task <= self.last_task


BEHIND, FOR_NAMESPACE, FOR_TIME, FOR_REQUIRES = 1, 2, 3, 4
"""What a run may be `waiting` for: other runs of its job, that its namespace may have one more, a time at
which its job lets it go on (`tables.run_waits`), or what it requires (`tables.required`)."""
COLUMNS = ", ".join(Run._fields)
TABLE = Table("runs", Run, ends="finished_ms", large="params")
_IN_THE_WAY = " AND cause <> 'backfill'"
"""Of those alone that count for other runs of the job."""
_FIRST_WAITING = "SELECT id FROM runs WHERE job = ? AND waiting = 1 ORDER BY id LIMIT 1"


def get(store: Store, run: int) -> Run | None:
    return store.kept.get(TABLE, run)


def of_cause(store: Store, job: int, cause: str, key: str) -> int | None:
    """The run that a cause with a key made, as long as it is kept."""
    run: int | None = store.value(
        "SELECT id FROM runs WHERE job = ? AND cause = ? AND cause_key = ? AND cause_key <> ''",
        (job, cause, key),
    )
    return run


def going_of_instant(store: Store, job: int, instant: str) -> int | None:
    """The run of a backfill for this instant (trigger / instant) that has not ended."""
    run: int | None = store.value(
        "SELECT id FROM runs INDEXED BY runs_cause WHERE job = ? AND cause = 'backfill' AND cause_key > ?"
        " AND cause_key < ? AND cause_key <> '' AND finished_ms IS NULL ORDER BY id LIMIT 1",
        (job, f"{instant}/", f"{instant}0"),
    )
    return run


def going_of_backfill(store: Store, job: int, backfill: int, limit: int) -> list[int]:
    """Its runs that have not ended, oldest first."""
    rows = store.rows(
        "SELECT id FROM runs INDEXED BY runs_active WHERE job = ? AND finished_ms IS NULL"
        " AND cause = 'backfill' AND cause_key LIKE ? ORDER BY id LIMIT ?",
        (job, f"%/{backfill}", limit),
    )
    return [row[0] for row in rows]


def of_tick(store: Store, trigger: int, at_ms: int) -> int | None:
    run: int | None = store.value(
        "SELECT id FROM runs WHERE trigger = ? AND tick_ms = ? ORDER BY id LIMIT 1", (trigger, at_ms)
    )
    return run


def insert(store: Store, run: Run) -> None:
    if run.waiting == BEHIND:
        store.kept.unnote("runs", _FIRST_WAITING, (run.job,))
    store.kept.insert(TABLE, run)


class Changes(TypedDict, total=False):
    """What an event changes beside the state."""

    decided: int
    started_ms: int
    finished_ms: int
    deadline_ms: int | None
    stop_ms: int | None
    exit_code: int | None
    reason: str
    waiting: int
    counts: int
    open_tasks: int
    unmade: int
    walk: str
    unfinished: int


_ENDED: Changes = {
    "decided": 1, "waiting": 0, "counts": 0, "open_tasks": 0, "unmade": 0, "walk": "", "unfinished": 0,
    "deadline_ms": None, "stop_ms": None,
}  # fmt: skip
"""Of every run that has ended."""


def move(store: Store, run: Run, event: RunEvent, **changes: Unpack[Changes]) -> str:
    """Something happened to the run: its state after it, which the table says."""
    state = RUN.after(run.state, event)
    told = (state, *changes.values(), run.id)
    if state in RUN_ENDS:
        changes |= _ENDED
    store.kept.update(TABLE, run.id, told, state=state, **changes)
    return state


def rebuild(store: Store, run: int, state: str, **changes: Unpack[Changes]) -> None:
    """The row of an adopted run, made anew of what its agent tells: no event, and no table."""
    store.kept.update(TABLE, run, (state, *changes.values(), run), state=state, **changes)


def set_warned(store: Store, run: int) -> None:
    store.kept.update(TABLE, run, (run,), warned=1)


def set_stop(store: Store, run: int, stop_ms: int | None) -> None:
    store.kept.update(TABLE, run, (stop_ms, run), stop_ms=stop_ms)


def set_open_tasks(store: Store, run: int, open_tasks: int) -> None:
    store.kept.update(TABLE, run, (open_tasks, run), open_tasks=open_tasks)


def set_progress(store: Store, run: int, *, unmade: int, walk: str, walked: int, unfinished: int) -> None:
    told = (unmade, walk, walked, unfinished, run)
    store.kept.update(TABLE, run, told, unmade=unmade, walk=walk, walked=walked, unfinished=unfinished)


def set_unfinished(store: Store, run: int) -> None:
    store.kept.update(TABLE, run, (run,), unfinished=1)


def unfinished(store: Store, after: int, limit: int) -> list[int]:
    """Runs that a command left work of, with ids above `after`."""
    rows = store.rows(
        "SELECT id FROM runs INDEXED BY runs_unfinished WHERE unfinished = 1 AND id > ? ORDER BY id LIMIT ?",
        (after, limit),
    )
    return [row[0] for row in rows]


def any_walking(store: Store, walk: str) -> bool:
    """Whether of any run something is left of this walk."""
    sql = "SELECT 1 FROM runs INDEXED BY runs_unfinished WHERE unfinished = 1 AND walk = ? LIMIT 1"
    return store.value(sql, (walk,)) is not None


def set_decided(store: Store, run: int, *, decided: int, trigger: int) -> None:
    store.kept.update(TABLE, run, (decided, trigger, run), decided=decided, trigger=trigger)


def set_stopping(store: Store, run: int, *, stopping: str, reason: str) -> None:
    # The deadlines go too: a run that stops is not asked to stop again. Its turn in its namespace stays to be
    # dropped (`steps.admitting`): it has no task any more.
    store.kept.update(
        TABLE, run, (stopping, reason, run), stopping=stopping, reason=reason, stop_ms=None, deadline_ms=None,
        waiting=0,
    )  # fmt: skip


def begin_finally(store: Store, run: int) -> None:
    """All the rest has ended: what is left begins, and is asked for its own end alone."""
    store.kept.update(TABLE, run, (run,), kept_last=0, stopping="", reason="", stop_ms=None)


def set_let_end(store: Store, run: int, *, stopping: str, reason: str) -> None:
    """As `set_stopping`, but its time-out stays: what runs may take its time, and no more."""
    store.kept.update(TABLE, run, (stopping, reason, run), stopping=stopping, reason=reason)


def admit(store: Store, run: int, *, counts: int) -> None:
    store.kept.update(TABLE, run, (counts, run), waiting=0, counts=counts)


def count_in(store: Store, namespace: str, looked_max: int) -> int:
    """Let those that go on count for their namespace, of its newest runs. How many did not before."""
    rows = store.rows(
        "SELECT id FROM (SELECT id, finished_ms, waiting, counts, first_task FROM runs"
        " INDEXED BY runs_namespace WHERE namespace = ? ORDER BY id DESC LIMIT ?)"
        " WHERE finished_ms IS NULL AND waiting = 0 AND counts = 0 AND first_task > 0 ORDER BY id",
        (namespace, looked_max),
    )
    for (run,) in rows:
        store.kept.update(TABLE, run, (run,), counts=1)
    return len(rows)


def keep_back(store: Store, run: int) -> None:
    """Nothing of its job keeps it back any more, and it waits for its namespace."""
    store.kept.update(TABLE, run, (run,), waiting=FOR_NAMESPACE)


def wait_for(store: Store, run: int, what: int, *, deadline_ms: int | None) -> None:
    """It waits for this, and does not count for its namespace meanwhile."""
    told = (what, deadline_ms, run)
    store.kept.update(TABLE, run, told, waiting=what, counts=0, deadline_ms=deadline_ms)


def active(store: Store, job: int, key: str | None = None, *, limit: int) -> list[Run]:
    """Pending and running runs of a job, oldest first."""
    where, of = _among(job, key)
    rows = store.rows(
        f"SELECT {COLUMNS} FROM runs WHERE {where} AND finished_ms IS NULL ORDER BY id LIMIT ?", (*of, limit)
    )
    return [Run._make(row) for row in rows]


def unended_of(store: Store, job: int, plan_day: int) -> int | None:
    """The first tick of a plan date whose run has not ended."""
    tick_ms: int | None = store.value(
        "SELECT tick_ms FROM runs INDEXED BY runs_active WHERE job = ? AND finished_ms IS NULL"
        " AND cause IN ('tick', 'catchup') AND plan_day = ? ORDER BY id LIMIT 1",
        (job, plan_day),
    )
    return tick_ms


def _among(job: int, key: str | None) -> tuple[str, tuple[object, ...]]:
    """Which runs: those of the job, or of this key of it alone."""
    if key is None:
        return "job = ?", (job,)
    return "id IN (SELECT run FROM overlap_keys WHERE job = ? AND key IN (?, ?))", (job, key, ANY)


def first_admitted(store: Store, job: int, key: str | None = None) -> int | None:
    """The oldest active run that does not wait behind others of the job."""
    where, of = _among(job, key)
    run: int | None = store.value(
        f"SELECT id FROM runs WHERE {where} AND finished_ms IS NULL AND waiting <> 1{_IN_THE_WAY}"
        " ORDER BY id LIMIT 1",
        of,
    )
    return run


def admitted(store: Store, job: int, most: int, key: str | None = None) -> int:
    """How many active runs do not wait behind others of the job, up to so many."""
    return _count(store, job, most, key, " AND waiting <> 1")


def count_active(store: Store, job: int, most: int, key: str | None = None) -> int:
    """How many runs are active, up to so many."""
    return _count(store, job, most, key, "")


def _count(store: Store, job: int, most: int, key: str | None, beside: str) -> int:
    where, of = _among(job, key)
    number: int = store.value(
        f"SELECT count(*) FROM (SELECT 1 FROM runs WHERE {where} AND finished_ms IS NULL{beside}{_IN_THE_WAY}"
        " LIMIT ?)",
        (*of, most),
    )
    return number


def first_active(store: Store, job: int, key: str | None = None) -> int | None:
    where, of = _among(job, key)
    run: int | None = store.value(
        f"SELECT id FROM runs WHERE {where} AND finished_ms IS NULL{_IN_THE_WAY} ORDER BY id LIMIT 1", of
    )
    return run


def in_the_way(
    store: Store, job: int, key: str | None = None, *, waiting: bool, catching_up: bool
) -> int | None:
    """The oldest active run, or the oldest that waits, for which a tick is skipped. One that catches up is in
    the way of another that does (`catching_up`) alone."""
    where, of = _among(job, key)
    where += " AND waiting = 1" if waiting else " AND finished_ms IS NULL"
    cause = "" if catching_up else " AND cause <> 'catchup'"
    run: int | None = store.value(
        f"SELECT id FROM runs WHERE {where}{cause}{_IN_THE_WAY} ORDER BY id LIMIT 1", of
    )
    return run


def first_waiting(store: Store, job: int) -> int | None:
    """The oldest that waits behind others."""
    # No run begins to wait but one that is made so: where there is none, that is known until then.
    run: int | None = store.kept.note("runs", _FIRST_WAITING, (job,), keeps=while_none)
    return run


def waiting(store: Store, job: int, key: str | None = None, *, limit: int) -> list[int]:
    """Runs that wait behind others, oldest first."""
    where, of = _among(job, key)
    rows = store.rows(f"SELECT id FROM runs WHERE {where} AND waiting = 1 ORDER BY id LIMIT ?", (*of, limit))
    return [row[0] for row in rows]


def created_before(store: Store, job: int, run: int) -> int:
    """When the run of the job before this one was created; 0: there is none that is kept."""
    sql = "SELECT created_ms FROM runs WHERE job = ? AND id < ? ORDER BY id DESC LIMIT 1"
    found = store.value(sql, (job, run))
    return int(found or 0)


def set_deadline(store: Store, run: int, deadline_ms: int | None) -> None:
    store.kept.update(TABLE, run, (deadline_ms, run), deadline_ms=deadline_ms)


def past_deadline(
    store: Store, now_ms: int, limit: int, after: int = 0, kept_back: Sequence[str] = ()
) -> list[int]:
    """Of the runs with ids above `after`, but of none of these namespaces."""
    rows = store.rows(
        "SELECT id FROM runs WHERE deadline_ms IS NOT NULL AND deadline_ms <= ? AND id > ?"
        f"{_but_of(kept_back)} ORDER BY deadline_ms, id LIMIT ?",
        (now_ms, after, *kept_back, limit),
    )
    return [row[0] for row in rows]


def _but_of(namespaces: Sequence[str]) -> str:
    return f" AND namespace NOT IN ({', '.join('?' * len(namespaces))})" if namespaces else ""


def past_stop(store: Store, now_ms: int, limit: int, after: int = 0) -> list[int]:
    """Of the runs with ids above `after`."""
    rows = store.rows(
        "SELECT id FROM runs WHERE stop_ms IS NOT NULL AND finished_ms IS NULL AND stop_ms <= ? AND id > ?"
        " ORDER BY stop_ms, id LIMIT ?",
        (now_ms, after, limit),
    )
    return [row[0] for row in rows]


def next_deadline_ms(store: Store, kept_back: Sequence[str] = ()) -> int | None:
    """But of none of these namespaces."""
    first: int | None = store.value(
        f"SELECT deadline_ms FROM runs WHERE deadline_ms IS NOT NULL{_but_of(kept_back)}"
        " ORDER BY deadline_ms, id LIMIT 1",
        kept_back,
    )
    return first


def next_stop_ms(store: Store) -> int | None:
    first: int | None = store.value(
        "SELECT min(stop_ms) FROM runs WHERE stop_ms IS NOT NULL AND finished_ms IS NULL"
    )
    return first


def finished(store: Store, job: int, through: int, limit: int) -> list[int]:
    """Finished runs of a job with ids up to `through`, oldest first."""
    rows = store.rows(
        "SELECT id FROM runs WHERE job = ? AND id <= ? AND finished_ms IS NOT NULL ORDER BY id LIMIT ?",
        (job, through, limit),
    )
    return [row[0] for row in rows]


def nth_finished(store: Store, job: int, nth: int) -> int | None:
    """The id of the nth oldest finished run of a job, counted from 1."""
    run: int | None = store.value(
        "SELECT id FROM runs WHERE job = ? AND finished_ms IS NOT NULL ORDER BY id LIMIT 1 OFFSET ?",
        (job, nth - 1),
    )
    return run


class AgedRun(NamedTuple):
    id: int
    job: int
    namespace: str
    name: str
    revision: int
    finished_ms: int | None


def in_order(store: Store, after: int, limit: int) -> list[AgedRun]:
    """Runs of all jobs after the id `after`: how the planner looks for runs past their age, slice by
    slice.
    """
    rows = store.rows(
        "SELECT id, job, namespace, name, revision, finished_ms FROM runs WHERE id > ? ORDER BY id LIMIT ?",
        (after, limit),
    )
    return [AgedRun._make(row) for row in rows]


def delete(store: Store, run: int) -> None:
    store.write("DELETE FROM runs WHERE id = ?", (run,), row=("runs", run))
