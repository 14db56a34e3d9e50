"""The next slice of a migration, while one is under way: one a plan, as fast as plans follow each other."""

from __future__ import annotations

from scheduler import formats
from scheduler.plan.view import Outlook, View
from scheduler.store import state as state_rows
from scheduler.words.commands import Command, Migrate


def plan(view: View) -> list[Command]:
    cursor = state_rows.migration_cursor(view.store)
    return [] if cursor is None else [Migrate(view.epoch, cursor, formats.SLICE_ROWS_MAX)]


def wake(outlook: Outlook) -> int | None:
    return None if state_rows.migration_cursor(outlook.store) is None else 0
