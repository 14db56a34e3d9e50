"""Triggers that have files to fire of, and folders that all agents see, of which no eyes count now."""

from __future__ import annotations

from scheduler.machine.rules import eyes
from scheduler.model.watching import read_file
from scheduler.plan.view import Outlook, View
from scheduler.store.tables import folders, triggers
from scheduler.words.commands import ChooseEyes, Command, FireFiles


def plan(view: View) -> list[Command]:
    if view.hold.holding:
        return []
    found: list[Command] = [
        FireFiles(view.epoch, each.job, each.key, each.at_ms or 0)
        for each in folders.due(view.store, view.now_ms, view.limits.each_kind)
    ]
    blind = folders.unwatched(view.store, view.limits.each_kind) if folders.any_shared(view.store) else []
    for each in blind:
        era = triggers.get(view.store, each.trigger)
        agent = None if era is None else eyes.choose(view.store, read_file(era.spec), each)
        if agent is not None:
            found.append(ChooseEyes(view.epoch, each.job, each.key, each.agent, agent.id))
    return found


def wake(outlook: Outlook) -> int | None:
    return None if outlook.hold.holding else folders.next_ms(outlook.store)
