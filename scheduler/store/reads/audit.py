"""The audit, as people look at it: the newest first, or all of it from a number on."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.reads.bounds import LOOKED_MAX, among, asked, marks
from scheduler.store.reads.newest import Way, newest, span
from scheduler.store.tables.audit import COLUMNS, Entry

RUN = "run"  #: the action that most entries are of, and that no index but their numbers knows


class Wanted(NamedTuple):
    actor: str | None = None
    actions: tuple[str, ...] = ()
    kind: str | None = None
    namespaces: Sequence[str] | None = None  #: of these; None: of all, and of none
    name: str | None = None
    run: int | None = None
    since_ms: int | None = None  #: decided at or after
    until_ms: int | None = None  #: and before

    def ways(self) -> list[Way]:
        namespace = self.namespaces[0] if self.namespaces and len(self.namespaces) == 1 else None
        if self.actions and RUN not in self.actions:
            for index, where, values in (
                ("object", "namespace = ? AND name = ?", (namespace, self.name)),
                ("actor", "actor = ?", (self.actor,)),
            ):
                if None not in values:
                    source = f"FROM audit INDEXED BY audit_{index} WHERE action <> '{RUN}' AND {where}"
                    return [Way(source, values)]
        return [Way("FROM audit WHERE 1")]

    def conditions(self) -> tuple[str, list[object]]:
        where, values = asked(
            ("actor = ?", self.actor), ("kind = ?", self.kind), ("name = ?", self.name),
            ("run = ?", self.run),
        )  # fmt: skip
        if self.actions:
            where += f" AND action IN ({marks(len(self.actions))})"
            values += self.actions
        within, names = among("namespace", self.namespaces)
        return where + within, values + names


def page(
    store: Store, wanted: Wanted, *, limit: int, before: int | None = None, looked_max: int = LOOKED_MAX
) -> tuple[list[Entry], int | None]:
    """The latest first, and the number to go on from: as `newest`."""
    within = span(
        store, "audit", "id", "stamp_ms", since_ms=wanted.since_ms, until_ms=wanted.until_ms, before=before
    )
    rows, after = newest(
        store, COLUMNS, wanted.ways(), within, *wanted.conditions(), limit=limit, looked_max=looked_max
    )
    return [Entry._make(row) for row in rows], after


def after(
    store: Store, number: int, wanted: Wanted, *, looked_max: int = LOOKED_MAX
) -> tuple[list[Entry], int | None]:
    """The next ones behind this number, oldest first, and the number to go on behind; None: that was all."""
    within = span(
        store, "audit", "id", "stamp_ms", since_ms=wanted.since_ms, until_ms=wanted.until_ms, before=None
    )
    number = max(number, within.least - 1)
    last: int | None = store.value(
        "SELECT max(id) FROM (SELECT id FROM audit WHERE id > ? AND id < ? ORDER BY id LIMIT ?)",
        (number, within.before, looked_max),
    )
    if last is None:
        return [], None
    where, values = wanted.conditions()
    rows = store.rows(
        f"SELECT {COLUMNS} FROM audit WHERE id > ? AND id <= ?{where} ORDER BY id", (number, last, *values)
    )
    return [Entry._make(row) for row in rows], last
