"""What is due next by a schedule itself, whoever names it."""

from __future__ import annotations

from typing import Any

from api.instants import rfc3339
from scheduler.machine.rules import substitutes
from scheduler.model.known_schedules import prepared_of
from scheduler.plan.rescheduling import Calendars
from scheduler.store.connection import Store
from scheduler.ticks import anchored, schedule, shared_of


def coming_of(store: Store, namespace: str, name: str, now_ms: int, count: int) -> list[dict[str, Any]]:
    meant = substitutes.known(store, namespace, name)
    if meant is None:
        return []
    found: list[tuple[int, str, str]] = []
    for trigger in prepared_of(
        meant, namespace, name, now_ms, named=name, calendars=Calendars(store), jitter_most_ms=0
    ):
        spec = anchored(trigger.spec, now_ms + 1)
        substitute = shared_of(spec)[1]
        found += [(at_ms, trigger.key, substitute) for at_ms in schedule(spec).upcoming(now_ms, count)]
    return [
        {"at": rfc3339(at_ms), "trigger": key, **({"substitute": by} if by else {})}
        for at_ms, key, by in sorted(found)[:count]
    ]
