"""Jobs and their revisions."""

from __future__ import annotations

from collections.abc import Collection
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.schema import TOO_MANY_RUNS


class Job(NamedTuple):
    id: int
    namespace: str
    name: str
    revision: int
    spec: bytes
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

    @property
    def job(self) -> int:
        """Its id, as the rows of triggers and runs call it."""
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
_GET = f"SELECT {COLUMNS} FROM jobs WHERE id = ?"
_FIND = f"SELECT {COLUMNS} FROM jobs WHERE namespace = ? AND name = ?"
_INSERT = f"INSERT INTO jobs ({COLUMNS}) VALUES ({', '.join('?' * len(Job._fields))})"
REVISION_COLUMNS = ", ".join(Revision._fields)


def get(store: Store, job: int) -> Job | None:
    row = store.row(_GET, (job,))
    return None if row is None else Job._make(row)


def find(store: Store, namespace: str, name: str) -> Job | None:
    row = store.row(_FIND, (namespace, name))
    return None if row is None else Job._make(row)


def insert(store: Store, job: Job) -> None:
    store.write(_INSERT, job)


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
) -> None:
    store.write(
        "UPDATE jobs SET revision = ?, spec = ?, labels = ?, source = ?, changed_ms = ?, actor = ?,"
        " retention_runs = ?"
        " WHERE id = ?",
        (revision, spec, labels, source, changed_ms, actor, retention_runs, job),
    )


def delete(store: Store, job: int) -> None:
    store.write("DELETE FROM jobs WHERE id = ?", (job,))


def set_state(store: Store, job: int, *, state: str, reason: str, failures: int | None = None) -> None:
    if failures is None:
        store.write("UPDATE jobs SET state = ?, pause_reason = ? WHERE id = ?", (state, reason, job))
    else:
        store.write(
            "UPDATE jobs SET state = ?, pause_reason = ?, failures = ? WHERE id = ?",
            (state, reason, failures, job),
        )


def count_run_begun(store: Store, job: int) -> None:
    store.write("UPDATE jobs SET active_runs = active_runs + 1 WHERE id = ?", (job,))


class Tally(NamedTuple):
    """What a job's row says after a run of it has ended."""

    state: str
    active_runs: int
    failures: int


def count_run_ended(store: Store, job: int, *, run: int, state: str, failed: bool) -> Tally | None:
    """Count the end of a run; None when the job was deleted meanwhile."""
    if failed:
        failures = "failures + 1"
    elif state == "succeeded":
        failures = "0"
    else:
        failures = "failures"
    changed = store.write(
        "UPDATE jobs SET active_runs = active_runs - 1, runs_stored = runs_stored + 1, last_run = ?,"
        " last_state = ?,"
        f" failures = {failures} WHERE id = ?",
        (run, state, job),
    )
    if not changed:
        return None
    row = store.row("SELECT state, active_runs, failures FROM jobs WHERE id = ?", (job,))
    return None if row is None else Tally._make(row)


def revision_of(store: Store, job: int) -> int | None:
    """The newest; None: the job is no more."""
    revision: int | None = store.value("SELECT revision FROM jobs WHERE id = ?", (job,))
    return revision


def is_failing(store: Store, job: int, failures: Collection[str]) -> bool:
    """Whether the last run that ended, ended so, or runs failed before it since the last success."""
    row = store.row("SELECT failures, last_state FROM jobs WHERE id = ?", (job,))
    return row is not None and (row[0] > 0 or row[1] in failures)


def count_purged(store: Store, job: int, runs: int) -> None:
    store.write("UPDATE jobs SET runs_stored = runs_stored - ? WHERE id = ?", (runs, job))


def to_purge(store: Store, after: int, limit: int) -> list[Job]:
    """Jobs after the id `after` with more finished runs than they keep and the slack."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM jobs WHERE {TOO_MANY_RUNS} AND id > ? ORDER BY id LIMIT ?", (after, limit)
    )
    return [Job._make(row) for row in rows]


# -- revisions ----------------------------------------------------------------------------------


def last_revision(store: Store, namespace: str, name: str) -> int:
    """The highest revision that this name ever had, deleted jobs included; 0: none."""
    last = store.value(
        "SELECT max(revision) FROM revisions WHERE namespace = ? AND name = ?", (namespace, name)
    )
    return int(last or 0)


def insert_revision(store: Store, revision: Revision) -> None:
    store.write(
        f"INSERT INTO revisions ({REVISION_COLUMNS}) VALUES ({', '.join('?' * len(Revision._fields))})",
        revision,
    )


def spec_of(store: Store, namespace: str, name: str, revision: int) -> bytes | None:
    spec: bytes | None = store.value(
        "SELECT spec FROM revisions WHERE namespace = ? AND name = ? AND revision = ?",
        (namespace, name, revision),
    )
    return spec


def exists(store: Store, job: int) -> bool:
    return store.value("SELECT 1 FROM jobs WHERE id = ?", (job,)) is not None


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
