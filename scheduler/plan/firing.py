"""Ticks of one trigger that fire now, one after the other."""

from __future__ import annotations

from collections.abc import Iterator

from scheduler.machine.rules import selectors
from scheduler.plan.view import View
from scheduler.store.tables.pauses import ALL
from scheduler.store.tables.triggers import DueTrigger
from scheduler.words.commands import Fire

TICKS_OF_ONE_TRIGGER_MAX = 120


def fire_live(view: View, trigger: DueTrigger, due_ms: int | None) -> Iterator[Fire]:
    """Fire each instant from `due_ms` up to the lead."""
    job = view.due.job(trigger)
    kept_back = view.pauses.kept_back(view.now_ms)
    may_start = trigger.state == "active" and not {ALL, trigger.namespace}.intersection(kept_back)
    roots = [task for task in job.tasks if not task.needs]
    alone = len(roots) == 1 and roots[0].happens == "agent" and may_start
    selector = selectors.of_task(roots[0]) if alone else None
    last_ms = trigger.end_ms(view.due.fire_ms - trigger.jitter_ms)
    for _ in range(TICKS_OF_ONE_TRIGGER_MAX):
        if due_ms is None or due_ms > last_ms:
            return
        next_ms = view.cache.next(trigger.id, trigger.spec, due_ms)
        agent = 0 if selector is None else view.places.take_for_tick(selector)
        yield Fire(view.epoch, trigger.id, due_ms, next_ms, agent)
        due_ms = next_ms
