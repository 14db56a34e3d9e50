"""Jobs and boards of which something came: who waits for them is looked at."""

from __future__ import annotations

from scheduler.plan.view import Outlook, View
from scheduler.store.tables import required
from scheduler.words.commands import RejudgeRequired

PARENTS_MAX = 100


def plan(view: View) -> list[RejudgeRequired]:
    if view.hold.restore is not None:
        return []
    return [RejudgeRequired(view.epoch, parent) for parent in required.changed(view.store, PARENTS_MAX)]


def wake(outlook: Outlook) -> int | None:
    return 0 if outlook.hold.restore is None and required.changed(outlook.store, 1) else None
