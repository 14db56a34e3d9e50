"""What does not hold of what is expected, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.reads.bounds import LOOKED_MAX
from scheduler.store.reads.newest import Span, Way, newest
from scheduler.store.tables.unmet import COLUMNS, KEPT_MAX, Unmet

BEHIND_ALL = 1 << 62
_OPEN = "FROM unmet INDEXED BY unmet_open WHERE over_ms IS NULL"


class Wanted(NamedTuple):
    """Which of them."""

    namespaces: Sequence[str] | None = None  #: of these; None: of all
    job: int | None = None
    run: int | None = None
    what: str | None = None
    over: bool | None = None  #: None: whether it is or not
    acknowledged: bool | None = None
    now_ms: int = 0

    def ways(self) -> list[Way]:
        if self.run is not None:
            return [Way("FROM unmet INDEXED BY unmet_run WHERE run > 0 AND run = ?", (self.run,))]
        if self.job is not None:
            return [Way("FROM unmet INDEXED BY unmet_job WHERE job = ?", (self.job,))]
        if self.namespaces is None:
            return [Way("FROM unmet WHERE 1")]
        if self.over is False:
            return [Way(f"{_OPEN} AND namespace = ?", (namespace,)) for namespace in self.namespaces]
        source = "FROM unmet INDEXED BY unmet_namespace WHERE namespace = ?"
        return [Way(source, (namespace,)) for namespace in self.namespaces]

    def conditions(self) -> tuple[str, list[object]]:
        found, values = "", list[object]()
        if self.what is not None:
            found += " AND what = ?"
            values.append(self.what)
        if self.over is not None:
            found += f" AND over_ms IS {'NOT ' if self.over else ''}NULL"
        if self.acknowledged is not None:
            found += f" AND coalesce(acknowledged_until_ms, 0) {'>' if self.acknowledged else '<='} ?"
            values.append(self.now_ms)
        return found, values


def page(
    store: Store, wanted: Wanted, *, limit: int, before: int | None = None
) -> tuple[list[Unmet], int | None]:
    """With ids below `before`, the newest first, and the id to go on from: as `newest`."""
    ways = wanted.ways()
    if not ways:
        return [], None
    rows, after = newest(
        store, COLUMNS, ways, Span(before=BEHIND_ALL if before is None else before), *wanted.conditions(),
        limit=limit,
    )  # fmt: skip
    return [Unmet._make(row) for row in rows], after


def of_run(store: Store, run: int) -> list[Unmet]:
    """All that did not hold of it, the oldest first."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM unmet WHERE run = ? AND run > 0 ORDER BY id LIMIT ?", (run, KEPT_MAX)
    )
    return [Unmet._make(row) for row in rows]


def unseen(store: Store, now_ms: int, limit: int, namespaces: Sequence[str] | None = None) -> list[Unmet]:
    """What does not hold and nobody has acknowledged, the newest first, among the newest LOOKED_MAX."""
    rows = store.rows(
        f"SELECT {COLUMNS} FROM unmet WHERE over_ms IS NULL ORDER BY id DESC LIMIT ?", (LOOKED_MAX,)
    )
    newest_ones = (Unmet._make(row) for row in rows)
    found = (each for each in newest_ones if (each.acknowledged_until_ms or 0) <= now_ms)
    shown = found if namespaces is None else (each for each in found if each.namespace in namespaces)
    return list(islice(shown, limit))


def counts(store: Store, most: int) -> dict[str, int]:
    """How many do not hold, by what it is, among so many."""
    rows = store.rows(
        "SELECT what, count(*) FROM (SELECT what FROM unmet INDEXED BY unmet_open WHERE over_ms IS NULL"
        " ORDER BY namespace, id LIMIT ?) GROUP BY what ORDER BY what",
        (most,),
    )
    return {row[0]: row[1] for row in rows}
