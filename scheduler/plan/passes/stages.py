"""The next step of a staged apply: one a plan, and no more than every second moment.

A step holds up what comes after it, on every node. So the next one waits for as long as the last one took,
from its plan to the next: on a free machine that is soon, on a busy one ticks and runs have the time between.
"""

from __future__ import annotations

from scheduler.plan.lookahead import PlanCache
from scheduler.plan.view import Outlook, View
from scheduler.store.tables import stages
from scheduler.store.tables.stages import MOVING, Brief
from scheduler.words.commands import AdvanceStage, Command

PAUSE_MS_MAX = 1_000  #: however long one took: a step that waited for a leader says nothing


def plan(view: View) -> list[Command]:
    cache, now_ms = view.cache, view.now_ms
    if cache.stepped_ms and cache.step_until_ms is None:
        took_ms = min(PAUSE_MS_MAX, max(0, now_ms - cache.stepped_ms))
        cache.step_until_ms = now_ms + took_ms
    if now_ms < _pause_until_ms(cache):
        return []
    due = [stage for stage in stages.all_of(view.store) if _due_ms(stage) <= now_ms]
    # That which goes live first: edits wait for it.
    due.sort(key=lambda stage: (stage.state not in MOVING, stage.dry_run, stage.id))
    if due:
        cache.stepped_ms, cache.step_until_ms = now_ms, None
    return [AdvanceStage(view.epoch, stage.id, stage.state) for stage in due[:1]]


def wake(outlook: Outlook) -> int | None:
    due = map(_due_ms, stages.all_of(outlook.store))
    return min((max(each, _pause_until_ms(outlook.cache)) for each in due), default=None)


def _pause_until_ms(cache: PlanCache) -> int:
    return cache.step_until_ms or 0


def _due_ms(stage: Brief) -> int:
    """When it has a next step."""
    is_now = stage.state in MOVING or (stage.has_ended and stage.left_items)
    return 0 if is_now else stage.until_ms
