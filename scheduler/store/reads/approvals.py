"""What waits for a person, page by page."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.reads.newest import Span, Way, newest
from scheduler.store.tables.approvals import COLUMNS, Approval

BEHIND_ALL = 1 << 62


class Wanted(NamedTuple):
    """Which of them."""

    namespaces: Sequence[str] | None = None  #: of these; None: of all
    answerer: str | None = None  #: that the holder of this token may answer, if its role lets it

    def ways(self) -> list[Way]:
        if self.namespaces is None:
            return [Way("FROM approvals INDEXED BY approvals_open WHERE open = 1")]
        source = "FROM approvals INDEXED BY approvals_namespace WHERE open = 1 AND namespace = ?"
        return [Way(source, (namespace,)) for namespace in self.namespaces]

    def conditions(self) -> tuple[str, list[object]]:
        if self.answerer is None:
            return "", []
        named = "EXISTS (SELECT 1 FROM json_each(approvers) WHERE value = ?)"
        may = "instr(', ' || barred || ', ', ', ' || ? || ', ') = 0"
        return f" AND {may} AND (approvers = '[]' OR {named})", [self.answerer, self.answerer]


def page(
    store: Store, wanted: Wanted, *, limit: int, before: int | None = None
) -> tuple[list[Approval], int | None]:
    """Those whose task has an id below `before`, the newest first, and the id to go on from: as `newest`."""
    ways = wanted.ways()
    if not ways:
        return [], None
    rows, after = newest(
        store, COLUMNS, ways, Span(before=BEHIND_ALL if before is None else before), *wanted.conditions(),
        key="task", limit=limit,
    )  # fmt: skip
    return [Approval._make(row) for row in rows], after
