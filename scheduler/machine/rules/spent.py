"""Which triggers of a job that is put would never fire: for dry runs too, so it writes nothing.

Rules of this file:

1. A trigger that the job has already, with the same id and the same schedule, is never asked again whether it
   comes: a job whose one instant is over may be put back as it was read, or changed in other parts.
2. Nor is one that it has of a schedule, whose other jobs may yet have it come.
3. Any other must have an instant after that from which it counts. What was deleted, or stands in an older
   revision alone, is not held: it is new.
4. Nothing here reads a clock or computes an instant: what was prepared says the first one, the caller what
   time it is.
"""

from __future__ import annotations

import json
from collections.abc import Sequence

from scheduler.store.connection import Store
from scheduler.store.tables import triggers as trigger_rows
from scheduler.ticks import as_written, event_of, shared_of
from scheduler.words.commands import PreparedJob, PreparedTrigger

_AT = b'"at_ms"'


def spent(store: Store, new: PreparedJob, job: int | None, now_ms: int) -> list[int]:
    """The places of new triggers that have no instant after `now_ms`. `job`: as it is stored; None: it is
    new."""
    suspects = [
        place
        for place, trigger in enumerate(_own(new))
        if (trigger.first_due_ms is None and not event_of(trigger.spec))
        or (_AT in trigger.spec and _at_ms(trigger.spec) <= now_ms)
    ]
    return _not_held(store, new, job, suspects)


def soonest_ms(store: Store, new: PreparedJob, job: int | None) -> int | None:
    """When the first of its new triggers is over that have one instant; None: it has none of these."""
    once = [place for place, trigger in enumerate(_own(new)) if _AT in trigger.spec]
    places = _not_held(store, new, job, once)
    return min((_at_ms(new.triggers[place].spec) for place in places), default=None)


def _own(new: PreparedJob) -> Sequence[PreparedTrigger]:
    """Those that it does not have of a schedule: they come first."""
    return [each for each in new.triggers if not shared_of(each.spec)[0]] if new.schedules else new.triggers


def _not_held(store: Store, new: PreparedJob, job: int | None, places: list[int]) -> list[int]:
    if not places or job is None:
        return places
    held = {(trigger.key, as_written(trigger.spec)[0]) for trigger in trigger_rows.live(store, job)}
    return [place for place in places if (new.triggers[place].key, new.triggers[place].spec) not in held]


def _at_ms(spec: bytes) -> int:
    try:
        at_ms = json.loads(spec)["at_ms"]
    except (ValueError, KeyError, TypeError):
        return 1 << 62  # a new that nobody made of a trigger: what it says of its first instant counts
    return at_ms if isinstance(at_ms, int) else 1 << 62
