"""What calendars, and the schedules that take another one's place, make of an instant: asked of a spec."""

from __future__ import annotations

import json

from scheduler.ticks.dated import SHIFTS, DatedSchedule
from scheduler.ticks.dates import date_of
from scheduler.ticks.schedule import ValidSchedule, schedule, undated
from scheduler.ticks.shared import ReplacedSchedule
from scheduler.words.json_text import json_text


def is_unknown(spec: bytes, at_ms: int) -> bool:
    """Whether this tick is on a day of which a calendar knows nothing."""
    if b'"calendar"' not in spec:
        return False
    found = _dated(spec)
    return found is not None and not found.days.knows(found.day_of(at_ms))


_SAYING = frozenset({"calendar", "workday", "without"})
_DAY_MS = 86_400_000
_STAYS = (b'"nonworking":"ignore"', b'"nonworking":"suppress"')


def nominal_ms(spec: bytes, due_ms: int) -> int | None:
    """The instant that this tick stood for before a calendar moved it; None: none did."""
    if b'"nonworking":"' not in spec or any(way in spec for way in _STAYS):
        return None
    found = _dated(spec)
    nominal = due_ms if found is None else found.nominal_ms(due_ms)
    return None if nominal == due_ms else nominal


def reach_ms(spec: bytes, from_ms: int, until_ms: int) -> tuple[int, int]:
    """Between which instants ticks come that stand for one of [from_ms, until_ms): a calendar may have moved
    them to another day. Others come there too: `nominal_ms` tells them apart."""
    found = _dated(spec) if b'"nonworking":"' in spec else None
    if found is None or found.days.nonworking not in SHIFTS:
        return from_ms, until_ms
    for day in range(found.day_of(from_ms), found.day_of(until_ms - 1) + 1):
        to = found.days.target(day)
        if to is not None:
            from_ms, until_ms = min(from_ms, (to - 1) * _DAY_MS), max(until_ms, (to + 2) * _DAY_MS)
    return from_ms, until_ms


def taken_away(spec: bytes, at_ms: int) -> str:
    """What calendars or a substitute do with this instant of the schedule, which is no tick: in words; empty:
    nothing."""
    given_way = _given_way(spec, at_ms)
    if given_way:
        return given_way
    found = _dated(spec)
    if found is None or not schedule(undated(spec)).between(at_ms - 1, at_ms, 1):
        return ""
    day = found.day_of(at_ms)
    why = found.days.removed_by(day)
    if why and found.days.nonworking in SHIFTS:
        to = found.days.target(day)
        moved = "goes to no day that is near" if to is None else f"goes to {date_of(to)}"
        return f"{why}, and what is due on it {moved}"
    return why


def left_out(spec: bytes, from_ms: int, until_ms: int) -> tuple[int, str] | None:
    """The first instant of [from_ms, until_ms) at which the trigger would be due if no calendar and no
    substitute had a say, and what they make of it; None: they take nothing away there."""
    if not any(word in spec for word in (b'"calendar"', b'"workday"', b'"without"')):
        return None
    fields = json.loads(spec)
    bare = json_text({name: each for name, each in fields.items() if name not in _SAYING})
    for at_ms in schedule(bare).between(from_ms - 1, until_ms - 1, 1):
        if why := taken_away(spec, at_ms):
            return at_ms, why
    return None


def _given_way(spec: bytes, at_ms: int) -> str:
    if b'"without"' not in spec:
        return ""
    fields = json.loads(spec)
    found = schedule(json_text({name: each for name, each in fields.items() if name != "valid"}))
    span = found.given_way_to(at_ms) if isinstance(found, ReplacedSchedule) else None
    if span is None:
        return ""
    bare = json_text({name: each for name, each in fields.items() if name != "without"})
    if not schedule(bare).between(at_ms - 1, at_ms, 1):
        return ""
    return f"schedule {span.substitute} takes the place of schedule {fields.get('schedule')} then"


def _dated(spec: bytes) -> DatedSchedule | None:
    found = schedule(spec)
    while isinstance(found, ValidSchedule | ReplacedSchedule):
        found = found.schedule
    return found if isinstance(found, DatedSchedule) else None
