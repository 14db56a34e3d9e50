"""Attempts without a grant on agents that drain: they are taken back, and go elsewhere."""

from __future__ import annotations

from scheduler.plan.view import Outlook, View
from scheduler.store.tables import attempts as attempt_rows
from scheduler.words.commands import Command, Revoke

REASON = "its agent drains"


def plan(view: View) -> list[Command]:
    found = attempt_rows.without_grant_on_draining(view.store, view.limits.each_kind)
    return [Revoke(view.epoch, attempt, REASON) for attempt in found]


def wake(outlook: Outlook) -> int | None:
    return 0 if attempt_rows.without_grant_on_draining(outlook.store, 1) else None
