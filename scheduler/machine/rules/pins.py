"""Whether the dates that triggers hold are those that their calendars have, and the rules those of the zone
data in force.

Who prepared them read both a moment before: where one is another since, it is prepared anew. A trigger that
names a zone and no rules is refused as well: each node would decide by the tzdata that it has installed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from scheduler.model.known_dates import KIND
from scheduler.store.connection import Store
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables import zones
from scheduler.ticks import pins_of
from scheduler.words.commands import PreparedJob, PreparedObject, PreparedTrigger
from scheduler.words.outcomes import Code, Outcome

STAGED = ": lay its calendar down in an earlier slice, and this one again"
STAGED_ZONE = ": lay this slice down again"

PutAs = Callable[[str, str], str | None]
"""The pin of a calendar that is put with the jobs; None: it is not."""


def put_with(objects: Iterable[PreparedObject]) -> PutAs:
    puts = {(new.namespace, new.name): new.pin for new in objects if new.kind == KIND}
    return lambda namespace, name: puts.get((namespace, name))


def are_held(store: Store, triggers: Iterable[PreparedTrigger]) -> bool:
    """Whether all of these hold the dates that their calendars have, and the rules of zones in force."""
    held = dict.fromkeys(pair for trigger in triggers for pair in pins_of(trigger.spec))
    return all(_pin_now(store, of) == pin for of, pin in held)


def _pin_now(store: Store, of: str) -> str | None:
    namespace, _, name = of.partition("/")
    return object_rows.pin_of(store, KIND, namespace, name) if namespace else zones.pin_of(store, name)


def judge(
    store: Store, jobs: Iterable[PreparedJob], put_as: PutAs, *, is_staged: bool = False
) -> Outcome | None:
    """The refusal of the first that holds others."""
    for job in jobs:
        for trigger in job.triggers:
            for of, pin in pins_of(trigger.spec):
                namespace, _, name = of.partition("/")
                if not namespace:
                    if pin and pin == zones.pin_of(store, name):
                        continue
                    return _of_other_rules(job, name, is_staged=is_staged)
                known = put_as(namespace, name)
                if known is None:
                    known = object_rows.pin_of(store, KIND, namespace, name)
                if known != pin:
                    said = f"{job.namespace}/{job.name} was prepared by other dates than calendar {of} has"
                    said += STAGED if is_staged else ""
                    return Outcome(Code.SUPERSEDED, said, {"namespace": job.namespace, "name": job.name})
    return None


def _of_other_rules(job: PreparedJob, zone: str, *, is_staged: bool) -> Outcome:
    said = f"{job.namespace}/{job.name} was prepared by other rules of {zone} than are in force"
    said += STAGED_ZONE if is_staged else ""
    return Outcome(Code.SUPERSEDED, said, {"namespace": job.namespace, "name": job.name})
