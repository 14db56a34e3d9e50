"""What has come of that for which a trigger waits together, as things stand. Reads, and writes nothing."""

from __future__ import annotations

from typing import NamedTuple

from scheduler.model.after import After
from scheduler.model.all_of import AllOf, At, Posted
from scheduler.store.connection import Store
from scheduler.store.tables import ends, gatherings, hearers, namespaces
from scheduler.store.tables.ends import End
from scheduler.store.tables.gatherings import Gathering
from scheduler.ticks import plan_days

OPEN_MAX = 50
"""Plan dates of a trigger of which something has come, and not all."""
WAITING_MAX = 100
"""Those for which all has come, and the queue of the job has no room."""


class Come(NamedTuple):
    parts: dict[str, int]  #: the numbers of ends and notices
    ends: dict[str, End]  #: of its jobs

    def lacking(self, all_of: AllOf, at_ms: int, floor_ms: int) -> list[After | Posted | At]:
        return all_of.lacking(self.parts, self.ends, at_ms, floor_ms)


def floor_ms(store: Store, namespace: str, all_of: AllOf, plan_day: int) -> int:
    """Its time of the day on this date; 0: it waits for none."""
    if all_of.at is None:
        return 0
    begins_ms, _ = plan_days.span_of(namespaces.plan_days_of(store, namespace), plan_day)
    return all_of.at.instant_ms(plan_day, begins_ms)


def come(store: Store, gathering: Gathering) -> Come:
    parts = gatherings.parts(store, gathering)
    numbers = [number for part, number in parts.items() if not part.startswith("notice/")]
    return Come(parts, {end.parent: end for end in ends.of_ids(store, numbers)} if numbers else {})


def has_heard(store: Store, gathering: Gathering) -> bool:
    """Whether its trigger has heard of all that came by the instant at which it is looked at."""
    end = ends.first_open(store)
    if end is not None and gathering.at_ms is not None and end.at_ms <= gathering.at_ms:
        return False
    return not hearers.goes_on(store, gathering.trigger)
