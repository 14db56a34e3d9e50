"""Backfills that can go on: they have begun, one of their runs has ended, or their job goes on again."""

from __future__ import annotations

from collections.abc import Sequence

from scheduler.plan.view import Outlook, View
from scheduler.store.connection import Store
from scheduler.store.tables import backfills
from scheduler.store.tables.backfills import Backfill
from scheduler.store.tables.pauses import ALL
from scheduler.words.commands import AdvanceBackfill, Command

_AFTER_ALL_MS = 1 << 62


def plan(view: View) -> list[Command]:
    if view.hold.holding:
        return []
    found = _due(view.store, view.now_ms, view.pauses.kept_back(view.now_ms), view.limits.each_kind)
    return [AdvanceBackfill(view.epoch, row.id, row.at_ms) for row in found]


def wake(outlook: Outlook) -> int | None:
    if outlook.hold.holding:
        return None
    paused = [pause.namespace for pause in outlook.pauses.standing]  # another pass wakes for their ends
    first = _due(outlook.store, _AFTER_ALL_MS, paused, 1)
    return first[0].wake_ms if first else None


def _due(store: Store, now_ms: int, paused: Sequence[str], limit: int) -> list[Backfill]:
    return [] if ALL in paused else backfills.due(store, now_ms, paused, limit)
