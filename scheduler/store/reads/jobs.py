"""Jobs and their revisions, page by page."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.reads.bounds import LOOKED_MAX, among, asked, chunks, fitting, marks
from scheduler.store.reads.labels import label_conditions
from scheduler.store.tables.jobs import COLUMNS, REVISION_COLUMNS, Job, Revision

Key = tuple[str | int, str | int]


class Wanted(NamedTuple):
    """Which jobs of a list. A label without a value: the job must have it."""

    namespaces: Sequence[str] | None = None  #: of these; None: of all
    state: str | None = None  #: as it is stored: active | paused
    text: str | None = None  #: a part of the name
    labels: Sequence[tuple[str, str | None]] = ()
    failing: bool = False  #: its last run failed
    last: str | None = None  #: how its last finished run ended
    criticality: Sequence[str] | None = None  #: one of these; None: any

    def conditions(self) -> tuple[str, list[object]]:
        where, values = asked(
            ("j.state = ?", self.state),
            ("instr(lower(j.name), lower(?)) > 0", self.text or None),
            ("j.last_state = ?", self.last),
        )
        if self.failing:
            where += " AND j.failures > 0"
        conditions, more = label_conditions(self.labels)
        within, names = among("j.namespace", self.namespaces)
        critical, words = among("j.criticality", self.criticality)
        return where + within + critical + conditions, values + names + words + more


class Order(NamedTuple):
    """A way through the jobs, by an index from a key on."""

    walk: str  #: the rows of the index
    source: str  #: with what else the job needs for its place there
    key: tuple[str, str]
    types: tuple[type, type]
    descending: bool = False


_FIRST = (
    "NOT EXISTS (SELECT 1 FROM triggers o WHERE o.job = t.job AND o.fire_ms IS NOT NULL"
    " AND (o.fire_ms, o.id) < (t.fire_ms, t.id))"
)
_FIRES = "FROM triggers t INDEXED BY triggers_fire"
_FAILING = "FROM jobs j INDEXED BY jobs_failing WHERE j.failures > 0"
_NAMED = "FROM jobs j INDEXED BY jobs_name WHERE 1"
ORDERS: Mapping[str, Order] = {
    "name": Order(_NAMED, _NAMED, ("j.namespace", "j.name"), (str, str)),
    # The next tick of each: a job has a place for its trigger that fires first alone.
    "next": Order(
        f"{_FIRES} WHERE t.fire_ms IS NOT NULL",
        f"{_FIRES} CROSS JOIN jobs j ON j.id = t.job WHERE t.fire_ms IS NOT NULL AND {_FIRST}",
        ("t.fire_ms", "t.id"),
        (int, int),
    ),
    # Those that fail, the one that failed last first.
    "failing": Order(_FAILING, _FAILING, ("j.last_run", "j.id"), (int, int), descending=True),
}


def page(
    store: Store,
    wanted: Wanted,
    *,
    order: str = "name",
    after: Sequence[object] | None = None,
    limit: int,
    looked_max: int = LOOKED_MAX,
) -> tuple[list[Job], list[Key], Key | None]:
    """Jobs behind the key `after`, as many as `limit` and PAGE_BYTES allow, with their keys; and the key to
    go on from, None at the end. No more than `looked_max` are looked at, so there may be none on a page.
    Of several namespaces by name: a page has jobs of one of them."""
    way = ORDERS[order]
    later: Sequence[str] = ()
    if order == "name" and wanted.namespaces is not None:
        left = [each for each in sorted(wanted.namespaces) if after is None or each >= str(after[0])]
        here, *later = left or [""]  # which none has
        wanted = wanted._replace(namespaces=(here,))
        after = after if after is not None and after[0] == here else None
    beyond, values = _beyond(way, wanted, after)
    keys, down = ", ".join(way.key), " DESC" if way.descending else ""
    ordered = ", ".join(f"{column}{down}" for column in way.key)
    last = store.row(
        f"SELECT {keys} {way.walk}{beyond} ORDER BY {ordered} LIMIT 1 OFFSET ?", (*values, looked_max - 1)
    )
    conditions, more = wanted.conditions()
    upto = "" if last is None else f" AND ({keys}) {'>=' if way.descending else '<='} (?, ?)"
    found = store.rows(
        f"SELECT {keys}, j.id, length(j.spec) {way.source}{beyond}{upto}{conditions}"
        f" ORDER BY {ordered} LIMIT ?",
        (*values, *(last or ()), *more, limit + 1),
    )
    count = min(limit, fitting(row[3] for row in found))
    shown = found[:count]
    rows = of_ids(store, [row[2] for row in shown])
    key = shown[-1][:2] if len(found) > count else last
    if key is None and later:
        key = (later[0], "")
    return [rows[row[2]] for row in shown], [row[:2] for row in shown], key


def _beyond(way: Order, wanted: Wanted, after: Sequence[object] | None) -> tuple[str, list[object]]:
    """Where the page begins. Of one namespace by the names alone: of a pair and one of its halves SQLite
    would use the half, and go through all that come before."""
    if way is ORDERS["name"] and wanted.namespaces is not None:
        if after is None:
            return " AND j.namespace = ?", list(wanted.namespaces)
        return " AND j.namespace = ? AND j.name > ?", list(after)
    if after is None:
        return "", []
    return f" AND ({', '.join(way.key)}) {'<' if way.descending else '>'} (?, ?)", list(after)


def of_ids(store: Store, jobs: Iterable[int]) -> dict[int, Job]:
    found: dict[int, Job] = {}
    for ids in chunks(jobs):
        rows = store.rows(f"SELECT {COLUMNS} FROM jobs WHERE id IN ({marks(len(ids))}) ORDER BY id", ids)
        found.update((job.id, job) for job in map(Job._make, rows))
    return found


def names(store: Store, jobs: Iterable[int]) -> dict[int, tuple[str, str]]:
    """(namespace, name) of each, deleted ones too."""
    found: dict[int, tuple[str, str]] = {}
    for job in sorted(set(jobs)):
        row = store.row(
            "SELECT namespace, name FROM revisions WHERE job = ? ORDER BY revision LIMIT 1", (job,)
        )
        if row is not None:
            found[job] = (row[0], row[1])
    return found


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
    for ids in chunks(jobs):
        rows = store.rows(
            "SELECT j.id, l.last_ms, l.outcome, l.reason, l.run FROM jobs j CROSS JOIN ledger l ON l.seq ="
            " (SELECT seq FROM ledger WHERE job = j.id AND trigger > 0"
            " ORDER BY first_ms DESC, seq DESC LIMIT 1)"
            f" WHERE j.id IN ({marks(len(ids))}) ORDER BY j.id",
            ids,
        )
        found.update((row[0], row[1:]) for row in rows)
    return found


def ids(store: Store, namespace: str, name: str) -> list[int]:
    """Every job that ever had this name, deleted ones too: two steps of an index each, however many revisions
    it has. The revisions of a name go up from one job to the next."""
    found: list[int] = []
    below = 1 << 62
    while True:
        job = store.value(
            "SELECT job FROM revisions WHERE namespace = ? AND name = ? AND revision < ?"
            " ORDER BY revision DESC LIMIT 1",
            (namespace, name, below),
        )
        if job is None:
            return found[::-1]
        found.append(job)
        below = store.value("SELECT min(revision) FROM revisions WHERE job = ?", (job,))


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


def revision_at(store: Store, job: int, at_ms: int | None) -> Revision | None:
    """The one that stood at an instant, the deletion too; None: the newest."""
    row = store.row(
        f"SELECT {REVISION_COLUMNS} FROM revisions WHERE job = ? AND (? IS NULL OR stamp_ms <= ?)"
        " ORDER BY revision DESC LIMIT 1",
        (job, at_ms, at_ms),
    )
    return None if row is None else Revision._make(row)


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
