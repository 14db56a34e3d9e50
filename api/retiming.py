"""What brings the installed zone data into force: the zones that it moves, the plan dates by them."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import NamedTuple

from api.ports import Scheduler
from scheduler.model.known_dates import ZONE
from scheduler.store.connection import Store
from scheduler.store.tables import namespaces, pins, zones
from scheduler.ticks import plan_days, zone_files
from scheduler.ticks.plan_days import PLANS_MAX
from scheduler.words.commands import Actor, Replanned, Retime

PLANNED_TOLD_MAX = 100  #: namespaces


class Prepared(NamedTuple):
    before: str | None  #: the version in force; None: none is
    version: str  #: that is installed here
    moved: dict[str, str]  #: zones that show other clocks from now on, with the pin of their new rules
    planned: list[str]  #: namespaces that are planned by one of them, the first ones
    command: Retime | None  #: None: it is in force already


def prepared(scheduler: Scheduler, actor: Actor) -> Prepared:
    """Some seconds of CPU between versions that lie years apart: for a thread."""
    return prepared_by(scheduler.read, scheduler.now_ms(), actor)


def prepared_by(read: Callable[[], AbstractContextManager[Store]], now_ms: int, actor: Actor) -> Prepared:
    body = zone_files.of_wheel()
    new = zone_files.read(body)
    with read() as store:
        before = zones.current(store)
        used = namespaces.plans(store, 50 * PLANS_MAX)
    if before is None or before.digest == new.digest:
        return Prepared(None if before is None else before.version, new.version, {}, [], None)
    names = zone_files.moved(before, new, now_ms // 1_000)
    moved = {name: zone_files.learn(new.files[new.pins[name]]) for name in names}
    plans = [(tz, begin) for tz, begin in used if tz in moved]
    planned: list[str] = []
    with read() as store:
        for tz, begin in plans:
            planned += namespaces.planned_by(store, tz, begin, PLANNED_TOLD_MAX - len(planned))
    replanned = tuple(
        Replanned(tz, begin, plan_days.pieces(zone_files.pinned(moved[tz]), begin, now_ms))
        for tz, begin in plans
    )
    return Prepared(
        before.version, new.version, moved, sorted(planned),
        Retime(before.digest, body, tuple(names), replanned, actor),
    )  # fmt: skip


def taking_over(scheduler: Scheduler) -> bool:
    """Whether triggers are yet to take over the rules of a zone."""
    with scheduler.read() as store:
        return pins.waits_for(store, ZONE)
