"""Agents that drain: attempts without a grant are taken back, and go elsewhere; one whose time is over takes
work again."""

from __future__ import annotations

from scheduler.plan.view import Outlook, View
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import attempts as attempt_rows
from scheduler.words.commands import Command, EndDrain, Revoke

REASON = "its agent drains"


def plan(view: View) -> list[Command]:
    store, most = view.store, view.limits.each_kind
    over = agent_rows.drained_until(store, view.now_ms, most)
    ends = [EndDrain(view.epoch, agent.id, agent.drain_until_ms or 0) for agent in over]
    found = attempt_rows.without_grant_on_draining(store, most)
    return [*ends, *(Revoke(view.epoch, attempt, REASON) for attempt in found)]


def wake(outlook: Outlook) -> int | None:
    if attempt_rows.without_grant_on_draining(outlook.store, 1):
        return 0
    return agent_rows.first_drain_end_ms(outlook.store)
