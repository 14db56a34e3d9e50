"""Jobs and their revisions, page by page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.reads.bounds import chunks, fitting, marks
from scheduler.store.tables.jobs import COLUMNS, REVISION_COLUMNS, Job, Revision


def page(
    store: Store,
    *,
    after: tuple[str, str] | None,
    limit: int,
    namespace: str | None = None,
    state: str | None = None,
    text: str | None = None,
    labels: Sequence[tuple[str, str | None]] = (),
) -> tuple[list[Job], bool]:
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
    source = f"FROM jobs WHERE {' AND '.join(where)} ORDER BY namespace, name LIMIT ?"
    sizes = [row[0] for row in store.rows(f"SELECT length(spec) {source}", (*values, limit + 1))]
    count = min(limit, fitting(sizes))
    rows = store.rows(f"SELECT {COLUMNS} {source}", (*values, count))
    return [Job._make(row) for row in rows], len(sizes) > count


def next_ticks(store: Store, jobs: Iterable[int]) -> dict[int, int]:
    """The first undecided tick of each job that has one."""
    found: dict[int, int] = {}
    for ids in chunks(jobs):
        for job_id, due_ms in store.rows(
            f"SELECT job, min(next_due_ms) FROM triggers WHERE job IN ({marks(len(ids))}) "
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


def ids(store: Store, namespace: str, name: str) -> list[int]:
    """Every job that ever had this name, deleted ones too."""
    rows = store.rows(
        "SELECT DISTINCT job FROM revisions WHERE namespace = ? AND name = ? ORDER BY job", (namespace, name)
    )
    return [row[0] for row in rows]


# -- revisions ----------------------------------------------------------------------------------


def revisions_page(
    store: Store, namespace: str, name: str, *, before: int | None, limit: int
) -> tuple[list[Revision], bool]:
    """Newest first, as many as `limit` and PAGE_BYTES allow, and whether there are more."""
    source = "FROM revisions WHERE namespace = ? AND name = ? AND revision < ? ORDER BY revision DESC LIMIT ?"
    values = (namespace, name, (1 << 62) if before is None else before)
    sizes = [row[0] for row in store.rows(f"SELECT length(spec) {source}", (*values, limit + 1))]
    count = min(limit, fitting(sizes))
    rows = store.rows(f"SELECT {REVISION_COLUMNS} {source}", (*values, count))
    return [Revision._make(row) for row in rows], len(sizes) > count


def revision(store: Store, namespace: str, name: str, number: int) -> Revision | None:
    row = store.row(
        f"SELECT {REVISION_COLUMNS} FROM revisions WHERE namespace = ? AND name = ? AND revision = ?",
        (namespace, name, number),
    )
    return None if row is None else Revision._make(row)


def spec_of(store: Store, job: int, number: int) -> bytes | None:
    """The canonical bytes of one revision of a job."""
    row = store.row(
        "SELECT spec FROM revisions WHERE job = ? AND revision = ? ORDER BY namespace, name LIMIT 1",
        (job, number),
    )
    return None if row is None else bytes(row[0])


class Deletion(NamedTuple):
    at_ms: int
    actor: str

    @property
    def by(self) -> str:
        return f" by {self.actor}" if self.actor else ""


def deletion(store: Store, job: int) -> Deletion | None:
    """When this job was deleted, and by whom; None: it is there."""
    row = store.row(
        "SELECT stamp_ms, actor FROM revisions WHERE job = ? AND deleted = 1 ORDER BY revision DESC LIMIT 1",
        (job,),
    )
    return None if row is None else Deletion._make(row)
