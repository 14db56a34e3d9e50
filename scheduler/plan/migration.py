"""The next slice of a migration, while one is under way: one a plan, as fast as plans follow each other."""

from __future__ import annotations

from scheduler import formats
from scheduler.store import state as state_rows
from scheduler.store.connection import Store
from scheduler.words.commands import Command, Migrate


def plan_migration(store: Store, *, epoch: int) -> list[Command]:
    cursor = state_rows.migration_cursor(store)
    return [] if cursor is None else [Migrate(epoch, cursor, formats.SLICE_ROWS_MAX)]
