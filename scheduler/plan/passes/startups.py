"""Hosts that have booted, and have been up for the delay of a trigger that waits for that."""

from __future__ import annotations

from scheduler.plan.view import Outlook, View
from scheduler.store.tables import boots
from scheduler.words.commands import Command, FireStartups


def plan(view: View) -> list[Command]:
    found = boots.due(view.store, view.now_ms, view.limits.each_kind)
    return [FireStartups(view.epoch, boot.agent, boot.boot_id, boot.trigger) for boot in found]


def wake(outlook: Outlook) -> int | None:
    return boots.next_ms(outlook.store)
