"""Queries behind the lists and details that the API shows: read-only, bounded, by indices.

Rules: every list is a keyset page (it goes on after the last key that was given out, never by an offset)
with a total ORDER BY; details that belong to a page are fetched for the whole page at once. The machine
uses none of these.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from scheduler.store.agents import Agent as AgentRow
from scheduler.store.connection import Store
from scheduler.store.jobs import Job as JobRow
from scheduler.store.jobs import Revision as RevisionRow
from scheduler.store.page_rows import (
    AttemptRow,
    DispatchRow,
    LedgerRow,
    OutputRow,
    RunRow,
    TaskRow,
    TriggerRow,
)

__all__ = [
    "AgentRow",
    "AttemptRow",
    "DispatchRow",
    "JobRow",
    "LedgerRow",
    "OutputRow",
    "RevisionRow",
    "RunRow",
    "TaskRow",
    "TriggerRow",
]

CHUNK = 500  #: ids in one IN list
PAGE_BYTES = 4 << 20  #: of definitions on one page, which has one at least
ATTEMPTS_MAX = 10_000  #: of a page of runs, the newest


def _columns(cls: type) -> str:
    return ", ".join(cls.__slots__)  # type: ignore[attr-defined]  # slots dataclasses have it


_JOB = ", ".join(JobRow._fields)
_RUN = _columns(RunRow)
_TASK = _columns(TaskRow)
_TRIGGER = _columns(TriggerRow)
_LEDGER = _columns(LedgerRow)
_REVISION = ", ".join(RevisionRow._fields)
_AGENT = ", ".join(AgentRow._fields)
_ATTEMPT = (
    "a.id, a.task, a.run, a.number, a.agent, coalesce(g.name, ''), coalesce(g.zone, ''), a.state, "
    "a.unreachable, a.due_ms, a.fence, a.granted_ms, a.started_ms, a.finished_ms, a.exit_code, "
    "a.signal, a.reason, a.output_bytes, a.late"
)
_OUTPUT = (
    "a.id, a.number, a.agent, coalesce(g.name, ''), coalesce(g.node, ''), a.state, a.tail, a.output_bytes"
)
_LAST_OF = (
    "SELECT id FROM attempts WHERE task = ? AND number <= ? AND state <> 'revoked' ORDER BY id DESC LIMIT 1"
)
_DISPATCH = (
    "SELECT a.id, a.agent, a.state, a.number, a.due_ms, t.name, t.member, t.round, r.id, r.job, "
    "r.revision, r.namespace, r.name, r.tick_ms, r.params "
    "FROM attempts a JOIN tasks t ON t.id = a.task JOIN runs r ON r.id = a.run "
)


def _chunks(ids: Iterable[int]) -> Iterable[list[int]]:
    rest = sorted(set(ids))
    for start in range(0, len(rest), CHUNK):
        yield rest[start : start + CHUNK]


def _marks(count: int) -> str:
    return ",".join("?" * count)


def _fitting(sizes: Iterable[int]) -> int:
    """How many of the first take PAGE_BYTES together; one at least."""
    total = count = 0
    for size in sizes:
        total += size
        if count and total > PAGE_BYTES:
            break
        count += 1
    return count


# -- jobs ---------------------------------------------------------------------------------------


def job(store: Store, namespace: str, name: str) -> JobRow | None:
    row = store.row(f"SELECT {_JOB} FROM jobs WHERE namespace = ? AND name = ?", (namespace, name))
    return None if row is None else JobRow(*row)


def jobs_page(
    store: Store,
    *,
    after: tuple[str, str] | None,
    limit: int,
    namespace: str | None = None,
    state: str | None = None,
    text: str | None = None,
    labels: Sequence[tuple[str, str | None]] = (),
) -> tuple[list[JobRow], bool]:
    """Jobs by (namespace, name) behind `after`, as many as `limit` and PAGE_BYTES allow, and whether there
    are more. A label without a value: the job must have it."""
    where: list[str] = ["1"]
    values: list[object] = []
    if after is not None:
        where.append("(namespace, name) > (?, ?)")
        values += after
    if namespace is not None:
        where.append("namespace = ?")
        values.append(namespace)
    if state is not None:
        where.append("state = ?")
        values.append(state)
    if text:
        where.append("instr(lower(name), lower(?)) > 0")
        values.append(text)
    for key, value in labels:
        path = '$."' + key.replace('"', '\\"') + '"'
        if value is None:
            where.append("json_extract(labels, ?) IS NOT NULL")
            values.append(path)
        else:
            where.append("json_extract(labels, ?) = ?")
            values += [path, value]
    page = f"FROM jobs WHERE {' AND '.join(where)} ORDER BY namespace, name LIMIT ?"
    sizes = [row[0] for row in store.rows(f"SELECT length(spec) {page}", (*values, limit + 1))]
    count = min(limit, _fitting(sizes))
    rows = store.rows(f"SELECT {_JOB} {page}", (*values, count))
    return [JobRow(*row) for row in rows], len(sizes) > count


def next_ticks(store: Store, jobs: Iterable[int]) -> dict[int, int]:
    """The first undecided tick of each job that has one."""
    found: dict[int, int] = {}
    for ids in _chunks(jobs):
        for job_id, due_ms in store.rows(
            f"SELECT job, min(next_due_ms) FROM triggers WHERE job IN ({_marks(len(ids))}) "
            "AND until_ms IS NULL AND next_due_ms IS NOT NULL GROUP BY job ORDER BY job",
            ids,
        ):
            found[job_id] = due_ms
    return found


def last_ticks(store: Store, jobs: Iterable[int]) -> dict[int, tuple[int, str, str, int]]:
    """The latest decided tick of each job: (instant, outcome, reason, run)."""
    found: dict[int, tuple[int, str, str, int]] = {}
    for job_id in sorted(set(jobs)):
        row = store.row(
            "SELECT last_ms, outcome, reason, run FROM ledger WHERE job = ? "
            "ORDER BY first_ms DESC, seq DESC LIMIT 1",
            (job_id,),
        )
        if row is not None:
            found[job_id] = (row[0], row[1], row[2], row[3])
    return found


def revisions_page(
    store: Store, namespace: str, name: str, *, before: int | None, limit: int
) -> tuple[list[RevisionRow], bool]:
    """Newest first, as many as `limit` and PAGE_BYTES allow, and whether there are more."""
    page = "FROM revisions WHERE namespace = ? AND name = ? AND revision < ? ORDER BY revision DESC LIMIT ?"
    values = (namespace, name, (1 << 62) if before is None else before)
    sizes = [row[0] for row in store.rows(f"SELECT length(spec) {page}", (*values, limit + 1))]
    count = min(limit, _fitting(sizes))
    rows = store.rows(f"SELECT {_REVISION} {page}", (*values, count))
    return [RevisionRow(*row) for row in rows], len(sizes) > count


def revision(store: Store, namespace: str, name: str, number: int) -> RevisionRow | None:
    row = store.row(
        f"SELECT {_REVISION} FROM revisions WHERE namespace = ? AND name = ? AND revision = ?",
        (namespace, name, number),
    )
    return None if row is None else RevisionRow(*row)


def spec_of(store: Store, job_id: int, number: int) -> bytes | None:
    """The canonical bytes of one revision of a job."""
    row = store.row(
        "SELECT spec FROM revisions WHERE job = ? AND revision = ? ORDER BY namespace, name LIMIT 1",
        (job_id, number),
    )
    return None if row is None else bytes(row[0])


def job_ids(store: Store, namespace: str, name: str) -> list[int]:
    """Every job that ever had this name, deleted ones too."""
    rows = store.rows(
        "SELECT DISTINCT job FROM revisions WHERE namespace = ? AND name = ? ORDER BY job", (namespace, name)
    )
    return [row[0] for row in rows]


# -- ticks --------------------------------------------------------------------------------------


def eras(store: Store, job_id: int, from_ms: int, to_ms: int) -> list[TriggerRow]:
    """Eras of the job's triggers that meet (from, to]."""
    rows = store.rows(
        f"SELECT {_TRIGGER} FROM triggers WHERE job = ? AND from_ms < ? "
        "AND (until_ms IS NULL OR until_ms > ?) ORDER BY id",
        (job_id, to_ms, from_ms),
    )
    return [TriggerRow(*row) for row in rows]


def live_triggers(store: Store, job_id: int) -> list[TriggerRow]:
    rows = store.rows(
        f"SELECT {_TRIGGER} FROM triggers WHERE job = ? AND until_ms IS NULL ORDER BY id", (job_id,)
    )
    return [TriggerRow(*row) for row in rows]


def trigger_keys(store: Store, triggers: Iterable[int]) -> dict[int, str]:
    found: dict[int, str] = {}
    for ids in _chunks(triggers):
        for trigger_id, key in store.rows(
            f"SELECT id, key FROM triggers WHERE id IN ({_marks(len(ids))}) ORDER BY id", ids
        ):
            found[trigger_id] = key
    return found


def ledger_of_trigger(store: Store, trigger: int, from_ms: int, to_ms: int, limit: int) -> list[LedgerRow]:
    """Entries that meet (from, to], oldest first; the first may begin before it (a range)."""
    rows: list[LedgerRow] = []
    before = store.row(
        f"SELECT {_LEDGER} FROM ledger WHERE trigger = ? AND first_ms <= ? "
        "ORDER BY first_ms DESC, seq DESC LIMIT 1",
        (trigger, from_ms),
    )
    if before is not None and LedgerRow(*before).last_ms > from_ms:
        rows.append(LedgerRow(*before))
    rows += [
        LedgerRow(*row)
        for row in store.rows(
            f"SELECT {_LEDGER} FROM ledger WHERE trigger = ? AND first_ms > ? AND first_ms <= ? "
            "ORDER BY first_ms, seq LIMIT ?",
            (trigger, from_ms, to_ms, limit),
        )
    ]
    return rows


def undecided_runs(store: Store, trigger: int, from_ms: int, to_ms: int, limit: int) -> list[tuple[int, int]]:
    """(instant, run) of ticks that fired and are not decided yet."""
    rows = store.rows(
        "SELECT tick_ms, id FROM runs WHERE trigger = ? AND tick_ms > ? AND tick_ms <= ? AND decided = 0 "
        "AND tick_ms IS NOT NULL ORDER BY tick_ms, id LIMIT ?",
        (trigger, from_ms, to_ms, limit),
    )
    return [(row[0], row[1]) for row in rows]


def ledger_of_events(
    store: Store, trigger: int, after: tuple[int, int], to_ms: int, limit: int
) -> list[LedgerRow]:
    """Entries of a trigger without instants after (instant, seq), oldest first."""
    rows = store.rows(
        f"SELECT {_LEDGER} FROM ledger WHERE trigger = ? AND (first_ms, seq) > (?, ?) AND first_ms <= ?"
        " ORDER BY first_ms, seq LIMIT ?",
        (trigger, *after, to_ms, limit),
    )
    return [LedgerRow(*row) for row in rows]


def undecided_events(
    store: Store, job_id: int, trigger: int, from_ms: int, to_ms: int, limit: int
) -> list[tuple[int, int, str]]:
    """(instant, run, key) of what fired a trigger without instants and is not decided yet."""
    return store.rows(
        "SELECT due_ms, id, cause_key FROM runs INDEXED BY runs_active WHERE job = ? AND finished_ms IS NULL"
        " AND trigger = ? AND decided = 0 AND due_ms > ? AND due_ms <= ? ORDER BY due_ms, id LIMIT ?",
        (job_id, trigger, from_ms, to_ms, limit),
    )


# -- runs ---------------------------------------------------------------------------------------


def run(store: Store, run_id: int) -> RunRow | None:
    row = store.row(f"SELECT {_RUN} FROM runs WHERE id = ?", (run_id,))
    return None if row is None else RunRow(*row)


def runs_page(
    store: Store,
    *,
    before: int | None,
    limit: int,
    job: tuple[str, str] | None = None,
    namespace: str | None = None,
    state: str | None = None,
    since_ms: int | None = None,
) -> list[RunRow]:
    """Runs with ids below `before`, newest first. Ids grow with creation, so `since_ms` ends the walk."""
    where: list[str] = ["id < ?"]
    values: list[object] = [(1 << 62) if before is None else before]
    order = "id"
    if job is not None:
        ids = job_ids(store, *job)
        if not ids:
            return []
        where.append(f"job IN ({_marks(len(ids))})")
        values += ids
    if namespace is not None:
        where.append("namespace = ?")
        values.append(namespace)
    if state is not None:
        where.append("state = ?")
        values.append(state)
    if since_ms is not None:
        where.append("created_ms >= ?")
        values.append(since_ms)
    rows = store.rows(
        f"SELECT {_RUN} FROM runs WHERE {' AND '.join(where)} ORDER BY {order} DESC LIMIT ?", (*values, limit)
    )
    return [RunRow(*row) for row in rows]


def newest_runs(store: Store, jobs: Iterable[int]) -> dict[int, RunRow]:
    """The latest run of each job, ended or not."""
    ids: dict[int, int] = {}
    for job_id in sorted(set(jobs)):
        row = store.row("SELECT max(id) FROM runs WHERE job = ?", (job_id,))
        if row is not None and row[0] is not None:
            ids[job_id] = row[0]
    rows = runs_of(store, ids.values())
    return {job_id: rows[run_id] for job_id, run_id in ids.items()}


def runs_of(store: Store, ids: Iterable[int]) -> dict[int, RunRow]:
    found: dict[int, RunRow] = {}
    for chunk in _chunks(ids):
        for row in store.rows(
            f"SELECT {_RUN} FROM runs WHERE id IN ({_marks(len(chunk))}) ORDER BY id", chunk
        ):
            found[row[0]] = RunRow(*row)
    return found


def tasks_of(store: Store, runs: Iterable[int]) -> list[TaskRow]:
    found: list[TaskRow] = []
    for ids in _chunks(runs):
        found += [
            TaskRow(*row)
            for row in store.rows(
                f"SELECT {_TASK} FROM tasks WHERE run IN ({_marks(len(ids))}) ORDER BY id", ids
            )
        ]
    return found


def attempts_of(store: Store, runs: Iterable[int]) -> list[AttemptRow]:
    """In order; of each CHUNK of runs the newest ATTEMPTS_MAX: a run may have a million tries."""
    found: list[AttemptRow] = []
    for ids in _chunks(runs):
        rows = store.rows(
            f"SELECT {_ATTEMPT} FROM attempts a LEFT JOIN agents g ON g.id = a.agent "
            f"WHERE a.run IN ({_marks(len(ids))}) ORDER BY a.id DESC LIMIT ?",
            (*ids, ATTEMPTS_MAX),
        )
        found += [AttemptRow(*row) for row in reversed(rows)]
    return found


def attempt_count(store: Store, run: int, most: int) -> int:
    """Of one run, counted up to `most`."""
    number: int = store.value(
        "SELECT count(*) FROM (SELECT 1 FROM attempts WHERE run = ? LIMIT ?)", (run, most)
    )
    return number


def task_names(store: Store, run: int, limit: int) -> list[str]:
    """Of this run's tasks, each once: one step of the index each, whatever members and rounds they have."""
    found: list[str] = []
    while len(found) < limit:
        last = found[-1] if found else ""
        row = store.row(
            "SELECT name FROM tasks WHERE run = ? AND name > ? ORDER BY name LIMIT 1", (run, last)
        )
        if row is None:
            break
        found.append(row[0])
    return found


def newest_round(store: Store, run: int, name: str, member: str) -> int | None:
    """The id of this task in its newest round."""
    task: int | None = store.value(
        "SELECT id FROM tasks WHERE run = ? AND name = ? AND member = ? ORDER BY round DESC LIMIT 1",
        (run, name, member),
    )
    return task


def attempt_output(
    store: Store, task: int, *, number: int | None = None, after: int | None = None
) -> OutputRow | None:
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
        f"SELECT {_OUTPUT} FROM attempts a LEFT JOIN agents g ON g.id = a.agent "
        f"WHERE a.task = ? AND a.state <> 'revoked' {which} ORDER BY a.id {order} LIMIT 1",
        values,
    )
    return None if row is None else OutputRow(*row)


def task_ended(store: Store, task: int) -> bool:
    """Whether there will be no further try of it."""
    return store.row("SELECT 1 FROM tasks WHERE id = ? AND finished_ms IS NULL", (task,)) is None


def attempt_state(store: Store, attempt: int) -> str | None:
    row = store.row("SELECT state FROM attempts WHERE id = ?", (attempt,))
    return None if row is None else str(row[0])


# -- agents and their attempts --------------------------------------------------------------------


def agents(store: Store) -> list[AgentRow]:
    return [AgentRow(*row) for row in store.rows(f"SELECT {_AGENT} FROM agents ORDER BY name")]


def agents_page(store: Store, *, after: str, limit: int) -> list[AgentRow]:
    rows = store.rows(f"SELECT {_AGENT} FROM agents WHERE name > ? ORDER BY name LIMIT ?", (after, limit))
    return [AgentRow(*row) for row in rows]


def agent_named(store: Store, name: str) -> AgentRow | None:
    row = store.row(f"SELECT {_AGENT} FROM agents WHERE name = ?", (name,))
    return None if row is None else AgentRow(*row)


def agent(store: Store, agent_id: int) -> AgentRow | None:
    row = store.row(f"SELECT {_AGENT} FROM agents WHERE id = ?", (agent_id,))
    return None if row is None else AgentRow(*row)


def dispatch(store: Store, attempts: Iterable[int]) -> list[DispatchRow]:
    """What to tell their agents about these attempts."""
    found: list[DispatchRow] = []
    for ids in _chunks(attempts):
        found += [
            DispatchRow(*row)
            for row in store.rows(f"{_DISPATCH} WHERE a.id IN ({_marks(len(ids))}) ORDER BY a.id", ids)
        ]
    return found


def live_dispatch(store: Store, agent_id: int) -> list[DispatchRow]:
    """Every attempt that holds a slot of this agent."""
    rows = store.rows(f"{_DISPATCH} WHERE a.agent = ? AND a.live = 1 ORDER BY a.id", (agent_id,))
    return [DispatchRow(*row) for row in rows]


# -- the rest -----------------------------------------------------------------------------------
