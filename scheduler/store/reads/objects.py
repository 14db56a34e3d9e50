"""Objects of a kind and their revisions, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.reads.bounds import LOOKED_MAX, asked, fitting
from scheduler.store.reads.labels import label_conditions
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables.objects import REVISION_COLUMNS, Object, ObjectRevision
from scheduler.store.tables.refs import Named

NEAR_MAX = 500  #: names that a near miss is looked for among


class Wanted(NamedTuple):
    """Which objects of a list. A label without a value: the object must have it."""

    kind: str
    namespaces: Sequence[str] | None = None  #: None: of all
    text: str | None = None  #: a part of the name
    source: str | None = None
    labels: Sequence[tuple[str, str | None]] = ()


def page(
    store: Store, wanted: Wanted, *, after: tuple[str, str] | None, limit: int, looked_max: int = LOOKED_MAX
) -> tuple[list[Object], tuple[str, str] | None]:
    """By namespace and name, as many as `limit` and PAGE_BYTES allow, and the key to go on from, None at the
    end. No more than `looked_max` are looked at, so there may be none on a page. Of several namespaces a page
    has objects of one of them."""
    walk, values, later = "FROM objects j WHERE kind = ?", [wanted.kind], list[str]()
    if wanted.namespaces is not None:
        left = [each for each in sorted(wanted.namespaces) if after is None or each >= after[0]]
        here, *later = left or [""]  # which none has
        walk, values = f"{walk} AND namespace = ?", [*values, here]
        if after is not None and after[0] == here:
            walk, values = f"{walk} AND name > ?", [*values, after[1]]
    elif after is not None:
        walk, values = f"{walk} AND (namespace, name) > (?, ?)", [*values, *after]
    order = "ORDER BY namespace, name"
    last = store.row(f"SELECT namespace, name {walk} {order} LIMIT 1 OFFSET ?", (*values, looked_max - 1))
    where, more = asked(
        ("instr(lower(j.name), lower(?)) > 0", wanted.text or None), ("j.source = ?", wanted.source)
    )
    labels, of_labels = label_conditions(wanted.labels)
    upto, of_last = "", tuple[str, ...]()
    if last is not None and wanted.namespaces is None:
        upto, of_last = " AND (namespace, name) <= (?, ?)", last
    elif last is not None:  # by the name alone: beside a pair the namespace would not be looked up
        upto, of_last = " AND name <= ?", last[1:]
    keys = store.rows(
        f"SELECT namespace, name, length(spec) {walk}{upto}{where}{labels} {order} LIMIT ?",
        (*values, *of_last, *more, *of_labels, limit + 1),
    )
    count = min(limit, fitting(key[2] for key in keys))
    found = [object_rows.find(store, wanted.kind, namespace, name) for namespace, name, _ in keys[:count]]
    key = keys[count - 1][:2] if len(keys) > count else last
    if key is None and later:
        key = (later[0], "")
    return [row for row in found if row is not None], key


def revisions_page(
    store: Store, what: Named, *, before: int | None, limit: int
) -> tuple[list[ObjectRevision], bool]:
    """Newest first, as many as `limit` and PAGE_BYTES allow, and whether there are more."""
    source = (
        "FROM object_revisions WHERE kind = ? AND namespace = ? AND name = ? AND revision < ?"
        " ORDER BY revision DESC LIMIT ?"
    )
    values = (*what, (1 << 62) if before is None else before)
    sizes = [row[0] for row in store.rows(f"SELECT length(spec) {source}", (*values, limit + 1))]
    count = min(limit, fitting(sizes))
    rows = store.rows(f"SELECT {REVISION_COLUMNS} {source}", (*values, count))
    return [ObjectRevision._make(row) for row in rows], len(sizes) > count


def revision(store: Store, what: Named, number: int) -> ObjectRevision | None:
    row = store.row(
        f"SELECT {REVISION_COLUMNS} FROM object_revisions"
        " WHERE kind = ? AND namespace = ? AND name = ? AND revision = ?",
        (*what, number),
    )
    return None if row is None else ObjectRevision._make(row)


def names(store: Store, kind: str, namespace: str) -> list[str]:
    """The first of this kind there."""
    if kind == "job":
        rows = store.rows(
            "SELECT name FROM jobs WHERE namespace = ? ORDER BY name LIMIT ?", (namespace, NEAR_MAX)
        )
        return [row[0] for row in rows]
    rows = store.rows(
        "SELECT name FROM objects WHERE kind = ? AND namespace = ? ORDER BY name LIMIT ?",
        (kind, namespace, NEAR_MAX),
    )
    return [row[0] for row in rows]


class Owned(NamedTuple):
    """What came from a source."""

    kind: str
    namespace: str
    name: str
    revision: int


def owned_by(store: Store, source: str, limit: int) -> list[Owned]:
    rows = store.rows(
        "SELECT kind, namespace, name, revision FROM objects WHERE source = ? AND source <> ''"
        " UNION ALL SELECT 'job', namespace, name, revision FROM jobs WHERE source = ? AND source <> ''"
        " ORDER BY 1, 2, 3 LIMIT ?",
        (source, source, limit),
    )
    return [Owned._make(row) for row in rows]
