"""Pauses whose time is over: they end."""

from __future__ import annotations

from scheduler.plan.view import Outlook, View
from scheduler.words.commands import Command, EndPause


def plan(view: View) -> list[Command]:
    return [
        EndPause(view.epoch, pause.namespace, pause.since_ms)
        for pause in view.pauses.standing
        if not pause.stands(view.now_ms)
    ]


def wake(outlook: Outlook) -> int | None:
    ends_ms = [pause.until_ms for pause in outlook.pauses.standing if pause.until_ms is not None]
    return min(ends_ms, default=None)
