"""The next step of a staged apply: one a plan, as fast as plans follow each other."""

from __future__ import annotations

from scheduler.plan.view import Outlook, View
from scheduler.store.tables import stages
from scheduler.store.tables.stages import MOVING, Brief
from scheduler.words.commands import AdvanceStage, Command


def plan(view: View) -> list[Command]:
    due = [stage for stage in stages.all_of(view.store) if _due_ms(stage) <= view.now_ms]
    # That which goes live first: edits wait for it.
    due.sort(key=lambda stage: (stage.state not in MOVING, stage.dry_run, stage.id))
    return [AdvanceStage(view.epoch, stage.id, stage.state) for stage in due[:1]]


def wake(outlook: Outlook) -> int | None:
    return min(map(_due_ms, stages.all_of(outlook.store)), default=None)


def _due_ms(stage: Brief) -> int:
    """When it has a next step."""
    is_now = stage.state in MOVING or (stage.has_ended and stage.left_items)
    return 0 if is_now else stage.until_ms
