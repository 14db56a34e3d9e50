"""Jobs whose pause is over: they go on."""

from __future__ import annotations

from scheduler.plan.view import Outlook, View
from scheduler.store.tables import job_pauses
from scheduler.words.commands import Command, EndJobPause


def plan(view: View) -> list[Command]:
    found = job_pauses.due(view.store, view.now_ms, view.limits.each_kind)
    return [EndJobPause(view.epoch, each.job, each.until_ms) for each in found]


def wake(outlook: Outlook) -> int | None:
    return job_pauses.next_ms(outlook.store)
