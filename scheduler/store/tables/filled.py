"""Which tables have rows, of many in one query: no plan asks those one by one that hardly anybody uses."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cache

from scheduler.store.connection import Store


def of(store: Store, tables: Sequence[str]) -> frozenset[str]:
    """Those that have some."""
    row = store.row(_query(tuple(tables)))
    assert row is not None
    return frozenset([table for table, has_some in zip(tables, row, strict=True) if has_some])


@cache
def _query(tables: tuple[str, ...]) -> str:
    return "SELECT " + ", ".join(f"EXISTS (SELECT 1 FROM {table})" for table in tables)
