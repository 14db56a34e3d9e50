"""Jobs and their revisions."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.kept import Table, once_found
from scheduler.store.schema.jobs import TOO_MANY_RUNS


class Job(NamedTuple):
    id: int
    namespace: str
    name: str
    revision: int
    labels: str
    state: str
    pause_reason: str
    source: str
    created_ms: int
    changed_ms: int
    actor: str
    active_runs: int
    failures: int
    last_run: int
    last_state: str
    runs_stored: int
    retention_runs: int
    criticality: str
    spec: bytes

    @property
    def job(self) -> int:
        """Its id, as the rows of triggers and runs call it."""
        return self.id


class Standing(NamedTuple):
    """What applying asks of a job again and again: it is kept in memory, however large the definition."""

    id: int
    namespace: str
    name: str
    revision: int
    state: str
    pause_reason: str
    active_runs: int
    failures: int
    last_run: int
    last_state: str
    runs_stored: int

    @property
    def job(self) -> int:
        return self.id


class Revision(NamedTuple):
    job: int
    revision: int
    namespace: str
    name: str
    spec: bytes
    stamp_ms: int
    idx: int
    actor: str
    deleted: int


COLUMNS = ", ".join(Job._fields)
STANDING = Table("jobs", Standing)
_ID = "SELECT id FROM jobs WHERE namespace = ? AND name = ?"
_GET = f"SELECT {COLUMNS} FROM jobs WHERE id = ?"
_FIND = f"SELECT {COLUMNS} FROM jobs WHERE namespace = ? AND name = ?"
_FIND_AND_LAST = (
    f"SELECT last, {COLUMNS} FROM"
    " (SELECT max(revision) AS last FROM revisions WHERE namespace = ?1 AND name = ?2)"
    " LEFT JOIN jobs ON jobs.namespace = ?1 AND jobs.name = ?2"
)
_INSERT = f"INSERT INTO jobs ({COLUMNS}) VALUES ({', '.join('?' * len(Job._fields))})"
REVISION_COLUMNS = ", ".join(Revision._fields)
_INSERT_REVISION = (
    f"INSERT INTO revisions ({REVISION_COLUMNS}) VALUES ({', '.join('?' * len(Revision._fields))})"
)


def get(store: Store, job: int) -> Job | None:
    row = store.row(_GET, (job,))
    return None if row is None else Job._make(row)


def find(store: Store, namespace: str, name: str) -> Job | None:
    row = store.kept.first(("jobs",), _FIND, (namespace, name))
    return None if row is None else Job._make(row)


def find_and_last(store: Store, namespace: str, name: str) -> tuple[Job | None, int]:
    """As `find` and `last_revision`, by one query."""
    row = store.kept.first(("jobs", "revisions"), _FIND_AND_LAST, (namespace, name))
    assert row is not None, "an aggregate finds a row"
    return None if row[1] is None else Job._make(row[1:]), row[0] or 0


def owned_after(store: Store, source: str, after: tuple[str, str], limit: int) -> list[tuple[str, str]]:
    """Those that came from a source, by namespace and name, behind this one."""
    rows = store.rows(
        "SELECT namespace, name FROM jobs WHERE source = ? AND source <> '' AND (namespace, name) > (?, ?)"
        " ORDER BY namespace, name LIMIT ?",
        (source, *after, limit),
    )
    return [(row[0], row[1]) for row in rows]


NAMES_MAX = 400  #: in one query


def find_all(store: Store, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], Job]:
    """Those of the jobs of these names that there are."""
    found: dict[tuple[str, str], Job] = {}
    for wanted, values in _slices(names):
        rows = store.rows(
            f"{wanted} SELECT {COLUMNS} FROM wanted CROSS JOIN jobs ON namespace = first AND name = second"
            " ORDER BY id",
            values,
        )
        found.update(((job.namespace, job.name), job) for job in map(Job._make, rows))
    return found


def last_revisions(store: Store, names: Sequence[tuple[str, str]]) -> dict[tuple[str, str], int]:
    """The highest revision that each of these names ever had, deleted jobs included; without one: none."""
    found: dict[tuple[str, str], int] = {}
    for wanted, values in _slices(names):
        rows = store.rows(
            f"{wanted} SELECT namespace, name, max(revision) FROM wanted CROSS JOIN revisions"
            " ON namespace = first AND name = second GROUP BY namespace, name ORDER BY namespace, name",
            values,
        )
        found.update(((namespace, name), revision) for namespace, name, revision in rows)
    return found


def _slices(names: Sequence[tuple[str, str]]) -> Iterator[tuple[str, list[str]]]:
    for start in range(0, len(names), NAMES_MAX):
        some = names[start : start + NAMES_MAX]
        marks = ", ".join(["(?, ?)"] * len(some))
        yield f"WITH wanted (first, second) AS (VALUES {marks})", [word for pair in some for word in pair]


def standing(store: Store, job: int) -> Standing | None:
    return store.kept.get(STANDING, job)


def standing_named(store: Store, namespace: str, name: str) -> Standing | None:
    job = store.kept.note("jobs", _ID, (namespace, name), keeps=once_found)
    return None if job is None else store.kept.get(STANDING, job)


def insert(store: Store, job: Job) -> None:
    store.kept.later("jobs", _INSERT, job, name=(job.namespace, job.name))


def change(
    store: Store,
    job: int,
    *,
    revision: int,
    spec: bytes,
    labels: str,
    source: str,
    changed_ms: int,
    actor: str,
    retention_runs: int,
    criticality: str,
) -> None:
    store.write(
        "UPDATE jobs SET revision = ?, spec = ?, labels = ?, source = ?, changed_ms = ?, actor = ?,"
        " retention_runs = ?, criticality = ?"
        " WHERE id = ?",
        (revision, spec, labels, source, changed_ms, actor, retention_runs, criticality, job),
        row=("jobs", job),
    )


def own(store: Store, job: int, source: str) -> None:
    """It comes from this source from now on, as it is."""
    store.write("UPDATE jobs SET source = ? WHERE id = ?", (source, job), row=("jobs", job))


def delete(store: Store, job: int) -> None:
    store.write("DELETE FROM jobs WHERE id = ?", (job,), row=("jobs", job))


def set_state(store: Store, job: int, *, state: str, reason: str, failures: int | None = None) -> None:
    if failures is None:
        store.kept.update(STANDING, job, (state, reason, job), state=state, pause_reason=reason)
    else:
        store.kept.update(
            STANDING, job, (state, reason, failures, job), state=state, pause_reason=reason, failures=failures
        )


def count_run_begun(store: Store, job: int) -> None:
    row = store.kept.get(STANDING, job)
    store.kept.update(STANDING, job, (job,), active_runs=1 if row is None else row.active_runs + 1)


def count_run_ended(
    store: Store, job: int, *, run: int, state: str, failed: bool, counts: bool = True
) -> Standing | None:
    """Count the end of a run; None when the job was deleted meanwhile. `counts`: it is one of the job's
    active runs, and how it ended is how the job stands; else it is only stored."""
    row = store.kept.get(STANDING, job)
    if not counts:
        return store.kept.update(STANDING, job, (run, job), runs_stored=row.runs_stored + 1 if row else 0)
    failures = 0
    if row is not None and state != "succeeded":
        failures = row.failures + failed
    return store.kept.update(
        STANDING, job, (run, state, job), active_runs=row.active_runs - 1 if row else 0,
        runs_stored=row.runs_stored + 1 if row else 0, last_run=run, last_state=state, failures=failures,
    )  # fmt: skip


def override_last(store: Store, job: int, *, run: int, state: str) -> None:
    """How the job's last run counts, if this is it."""
    row = standing(store, job)
    if row is not None and row.last_run == run:
        failures = 0 if state == "succeeded" else row.failures
        store.kept.update(STANDING, job, (state, failures, job), last_state=state, failures=failures)


def revision_of(store: Store, job: int) -> int | None:
    """The newest; None: the job is no more."""
    row = standing(store, job)
    return None if row is None else row.revision


def is_failing(store: Store, job: int, failures: Collection[str]) -> bool:
    """Whether the last run that ended, ended so, or runs failed before it since the last success."""
    row = standing(store, job)
    return row is not None and (row.failures > 0 or row.last_state in failures)


def delayed_ms(store: Store, job: int, delays: tuple[tuple[int, int], ...]) -> tuple[int, int]:
    """How many runs of it failed in a row, and until when that delays the next, by steps of (failures, ms);
    0: it does not."""
    row = standing(store, job)
    wait_ms = 0 if row is None else max((ms for number, ms in delays if number <= row.failures), default=0)
    if row is None or not wait_ms:
        return 0, 0
    ended_ms = store.value("SELECT finished_ms FROM runs WHERE id = ?", (row.last_run,))
    return row.failures, 0 if ended_ms is None else ended_ms + wait_ms


def count_purged(store: Store, job: int, runs: int) -> None:
    row = standing(store, job)
    store.kept.update(STANDING, job, (runs, job), runs_stored=0 if row is None else row.runs_stored - runs)


def to_purge(store: Store, after: int, limit: int) -> list[Job]:
    """Jobs after the id `after` with more finished runs than they keep and the slack."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM jobs WHERE {TOO_MANY_RUNS} AND id > ? ORDER BY id LIMIT ?", (after, limit)
    )
    return [Job._make(row) for row in rows]


# -- revisions ----------------------------------------------------------------------------------


def last_revision(store: Store, namespace: str, name: str) -> int:
    """The highest revision that this name ever had, deleted jobs included; 0: none."""
    sql = "SELECT max(revision) FROM revisions WHERE namespace = ? AND name = ?"
    row = store.kept.first(("revisions",), sql, (namespace, name))
    return int(row[0] or 0) if row else 0


def insert_revision(store: Store, revision: Revision) -> None:
    store.kept.later("revisions", _INSERT_REVISION, revision, name=(revision.namespace, revision.name))


def named_after(store: Store, namespace: str, after: str, limit: int) -> list[tuple[str, int, bytes]]:
    """Name, revision and definition of the next jobs of a namespace, by name."""
    return store.rows(
        "SELECT name, revision, spec FROM jobs INDEXED BY jobs_name WHERE namespace = ? AND name > ?"
        " ORDER BY name LIMIT ?",
        (namespace, after, limit),
    )


def spec_of(store: Store, namespace: str, name: str, revision: int) -> bytes | None:
    spec: bytes | None = store.value(
        "SELECT spec FROM revisions WHERE namespace = ? AND name = ? AND revision = ?",
        (namespace, name, revision),
    )
    return spec


def author(store: Store, namespace: str, name: str, revision: int) -> str:
    """Who wrote this revision; empty: nobody knows."""
    sql = "SELECT actor FROM revisions WHERE namespace = ? AND name = ? AND revision = ?"
    return store.value(sql, (namespace, name, revision)) or ""


def exists(store: Store, job: int) -> bool:
    return standing(store, job) is not None


def any_in(store: Store, namespace: str) -> bool:
    return store.value("SELECT 1 FROM jobs WHERE namespace = ? LIMIT 1", (namespace,)) is not None


def job_of(store: Store, namespace: str, name: str, revision: int) -> int | None:
    """The job that this revision was of: a name that was deleted and put again is another job."""
    job: int | None = store.value(
        "SELECT job FROM revisions WHERE namespace = ? AND name = ? AND revision = ?",
        (namespace, name, revision),
    )
    return job


def name_of_deleted(store: Store, job: int) -> tuple[str, str]:
    """(namespace, name) of a job that is no more."""
    row = store.row(
        "SELECT namespace, name FROM revisions WHERE job = ? ORDER BY revision DESC LIMIT 1", (job,)
    )
    return ("", "") if row is None else (row[0], row[1])
