"""Pages of a table whose keys go up with time: the newest first, and a bounded number of rows looked at."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from scheduler.store.connection import Row, Store
from scheduler.store.reads.bounds import LOOKED_MAX

BEHIND_ALL = 1 << 62


class Way(NamedTuple):
    """An index that leads to rows in the order of their keys."""

    source: str  #: FROM … WHERE …, what the index says of them already
    values: tuple[object, ...] = ()


class Span(NamedTuple):
    """Keys in [least, before)."""

    least: int = 0
    before: int = BEHIND_ALL


def first_at(store: Store, table: str, key: str, instant: str, at_ms: int) -> int:
    """The first key of a table from which on its instants are `at_ms` or later: they go up with its keys. By
    halves: some forty steps of the key's index."""
    low, high = 0, (store.value(f"SELECT max({key}) FROM {table}") or 0) + 1
    while low < high:
        middle = (low + high) // 2
        row = store.row(
            f"SELECT {key}, {instant} FROM {table} WHERE {key} >= ? ORDER BY {key} LIMIT 1", (middle,)
        )
        if row is None or row[1] >= at_ms:
            high = middle
        else:
            low = row[0] + 1
    return low


def span(
    store: Store, table: str, key: str, instant: str, *, since_ms: int | None, until_ms: int | None,
    before: int | None,
) -> Span:  # fmt: skip
    """The keys of what came in [since_ms, until_ms), below `before`."""
    least = 0 if since_ms is None else first_at(store, table, key, instant, since_ms)
    most = BEHIND_ALL if before is None else before
    if until_ms is not None:
        most = min(most, first_at(store, table, key, instant, until_ms))
    return Span(least, most)


def newest(
    store: Store, columns: str, ways: Sequence[Way], span: Span, conditions: str, values: Sequence[object], *,
    key: str = "id", limit: int, looked_max: int = LOOKED_MAX,
) -> tuple[list[Row], int | None]:  # fmt: skip
    """Rows whose first column is the key, and the key to go on from, None at the end. No more than
    `looked_max` are looked at, so there may be none on a page. `conditions`: what the ways do not say."""
    found: list[Row] = []
    floor = 0  #: below it not every way was looked at
    for way in ways:
        within = f"{way.source} AND {key} < ? AND {key} >= ?"
        end = store.value(
            f"SELECT {key} {within} ORDER BY {key} DESC LIMIT 1 OFFSET ?",
            (*way.values, span.before, span.least, max(limit, looked_max // len(ways)) - 1),
        )
        floor = max(floor, end or 0)
        found += store.rows(
            f"SELECT {columns} {within}{conditions} ORDER BY {key} DESC LIMIT ?",
            (*way.values, span.before, max(span.least, end or 0), *values, limit + 1),
        )
    if len(ways) > 1:
        found.sort(key=lambda row: -row[0])
    shown = [row for row in found[: limit + 1] if row[0] >= floor]
    if len(shown) > limit:
        return shown[:limit], shown[limit - 1][0]
    return shown, floor or None
