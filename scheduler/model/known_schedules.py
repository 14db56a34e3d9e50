"""What a job gets of a schedule that it names: that schedule's triggers as its own, with the schedule's name
before their keys, and those of what takes its place for a time.

Rules of this file:

1. The key is `name:key`, of a substitute's `name:substitute:key`. So an edit of the schedule ends no trigger
   that it does not change.
2. `in_force` is all that a schedule means to a job, and its pin says whether that is the same as before:
   words such as a description are not in it.
3. Nothing here is refused: what a state holds has a meaning, whatever was judged before. A substitute that
   is disabled takes no place; of two that overlap the one that began first keeps its time; one of a
   substitute is none.

No pydantic at import: the planner asks it too.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from scheduler.model.schedule_names import KIND as KIND
from scheduler.model.schedule_names import SEPARATOR
from scheduler.ticks import Span, SpecError, anchored, jitter_ms, schedule, shared_spec, valid_spec
from scheduler.words.commands import PreparedTrigger
from scheduler.words.json_text import json_text

if TYPE_CHECKING:
    from scheduler.model.known_dates import Calendars
    from scheduler.model.trigger import Trigger

BEFORE_MS, AFTER_MS = 0, 253_370_764_800_001


class Part(NamedTuple):
    """A schedule, or what takes its place."""

    substitute: str  #: empty: the schedule itself
    triggers: tuple[Trigger, ...]
    span: Span | None


class InForce(NamedTuple):
    """What a schedule means to those who name it."""

    namespace: str
    name: str
    pin: str
    parts: tuple[Part, ...]
    without: tuple[Span, ...]  #: when others take its place


Schedules = Callable[[str, str], InForce]
"""What the schedule of this namespace and name means."""


def NO_SCHEDULES(namespace: str, name: str) -> InForce:
    """Where there are none: nothing comes of it. That it is missing is said where references are judged."""
    return InForce(namespace, name, "", (), ())


def pin_of(shape: Mapping[str, Any]) -> str:
    """Of one schedule by itself: of what decides ticks of those who name it, or of what it substitutes."""
    said = {name: shape.get(name) for name in ("enabled", "triggers", "substitute", "valid")}
    return hashlib.sha256(json_text(said)).hexdigest()[:16]


def pin_in_force(own: str, substitutes: Sequence[tuple[str, str]]) -> str:
    """Of a schedule with what takes its place, by name and own pin."""
    if not substitutes:
        return own
    return hashlib.sha256(json_text([own, *map(list, sorted(substitutes))])).hexdigest()[:16]


def in_force(namespace: str, name: str, spec: bytes, pin: str, substitutes: Mapping[str, bytes]) -> InForce:
    """`substitutes`: by name what is stored of each that names it."""
    own = _read(spec)
    if not own.enabled:
        return InForce(namespace, name, pin, (), ())
    parts = [Part("", own.triggers, own.span)]
    spans: list[Span] = []
    taking = [(each, _read(text)) for each, text in substitutes.items()] if own.span is None else []
    for each, read in sorted(taking, key=lambda one: (one[1].span or (0, 0), one[0])):
        if read.span is None or not read.enabled:
            continue
        from_ms = max(read.span.from_ms, spans[-1].until_ms if spans else 0)
        if from_ms < read.span.until_ms:
            spans.append(Span(from_ms, read.span.until_ms, each))
            parts.append(Part(each, read.triggers, spans[-1]))
    return InForce(namespace, name, pin, tuple(parts), tuple(spans))


class _Read(NamedTuple):
    enabled: bool
    triggers: tuple[Trigger, ...]
    span: Span | None  #: of a substitute


@lru_cache(maxsize=256)
def _read(spec: bytes) -> _Read:
    from scheduler.model.quantities import parse_instant_ms
    from scheduler.model.trigger import Trigger

    shape = json.loads(spec)
    valid = shape.get("valid")
    span = None
    if valid:
        span = Span(parse_instant_ms(valid["from"]), parse_instant_ms(valid["until"]), shape[KIND])
    triggers = tuple(Trigger.model_validate(each) for each in shape["triggers"])
    return _Read(shape["enabled"], triggers, span)


def calendars_of(schedule: InForce) -> list[tuple[str, str]]:
    """Namespace and name of each that its triggers name."""
    from scheduler.model.named import resolved

    triggers = [trigger for part in schedule.parts for trigger in part.triggers]
    named = [text for each in triggers if each.calendar is not None for _, _, text in each.calendar.named]
    return [resolved(text, schedule.namespace) for text in dict.fromkeys(named)]


def prepared_of(
    schedule_: InForce,
    namespace: str,
    job: str,
    after_ms: int,
    *,
    named: str,
    calendars: Calendars,
    jitter_most_ms: int | None = None,
) -> list[PreparedTrigger]:
    """The triggers that a job has by naming this schedule, as it does. `jitter_most_ms`: as the job says;
    None: as the schedule does."""
    of = f"{schedule_.namespace}/{schedule_.name}"
    found: list[PreparedTrigger] = []
    for part in schedule_.parts:
        before = f"{named}{SEPARATOR}{part.substitute}{SEPARATOR}" if part.substitute else named + SEPARATOR
        for trigger in part.triggers:
            spec = trigger.spec(namespace, job, calendars=calendars, said_in=schedule_.namespace)
            without = () if part.substitute else schedule_.without
            spec = shared_spec(spec, of, substitute=part.substitute, without=without)
            if part.span is not None:
                spec = _within(spec, part.span)
            key = before + trigger.key
            most_ms = trigger.jitter_ms if jitter_most_ms is None else jitter_most_ms
            offset_ms = jitter_ms(namespace, job, key, most_ms or 0) + trigger.delay_ms
            first_ms, per_day = _first(spec, after_ms)
            found.append(PreparedTrigger(key, spec, first_ms, offset_ms, per_day))
    return found


def per_day_of(trigger: Trigger, namespace: str) -> int:
    """For how many instants of a day a job asks that has this of a schedule: of its calendars the dates say
    nothing of that, and a slot by hash is as many, whatever the job is called."""
    try:
        return schedule(anchored(trigger.spec(namespace, "any"), 1)).per_day
    except SpecError:
        return 0  # of a zone that this host does not have


def _first(spec: bytes, after_ms: int) -> tuple[int | None, int]:
    """Its first instant after this one, and how many a day has. One that cannot be read here is due there all
    the same: a leader that can passes it."""
    try:
        ticks = schedule(anchored(spec, after_ms + 1))
    except SpecError:
        return after_ms, 0
    return ticks.next(after_ms), ticks.per_day


def _within(spec: bytes, span: Span) -> bytes:
    """Both within this and within what the trigger itself says."""
    valid = json.loads(spec).get("valid") or {}
    from_ms = max(valid.get("from_ms", BEFORE_MS), span.from_ms)
    return valid_spec(spec, from_ms, max(from_ms, min(valid.get("until_ms", AFTER_MS), span.until_ms)))
