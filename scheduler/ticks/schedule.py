"""From a trigger's spec to its schedule.

The spec is canonical JSON and self-contained, the bytes that a PreparedTrigger carries in the log:

    {"cron": "0 2 * * *", "dst": "cron", "tz": "Europe/Berlin"}     and "salt": "namespace/name" with H,
                                                                    "days": "both" where they are joined so
    {"every_ms": 900000, "start_ms": 0}
    {"at_ms": 1798758000000}
    {"iso8601": "R5/2026-01-31/P1M", "tz": "Europe/Berlin"}          without tz: by its own offset
    {"iso8601": "R//P1D", "first_applied_ms": 1798758000000}         the state adds when that was (`anchored`)
    {…, "calendar": {"include": […], "exclude": […], "nonworking": "suppress"},
     "workday": {"nth": -1, "of": "month"}}                          of those on days that count (dated.py)
    {…, "valid": {"from_ms": …, "until_ms": …}}                      of these those in [from, until)
    {…, "schedule": "namespace/name", "without": [[from, until, "substitute"]]}   of a named one (shared.py)
    {"event": "boot/web"}                                            no instants: it waits for that
    {"event": "delay", "delay_ms": 600000}                           so long after the job's last run
    {…, "tz": "Europe/Berlin", "rules": "0c5d…"}                     by the zone file of this content, which
    the state keeps (zone_files.py); without `rules`,
                                                                     offline alone, by the packaged tzdata
"""

from __future__ import annotations

import json
from bisect import bisect_left
from collections.abc import Sequence
from functools import lru_cache
from typing import Any, Protocol

from scheduler.ticks.cron import DST_POLICIES, CronSchedule, DstPolicy
from scheduler.ticks.dated import SHIFTED_A_DAY_MAX, SHIFTS, DatedSchedule, days_of
from scheduler.ticks.expression import JOINS, CronError, Join, parse_expression
from scheduler.ticks.iso8601 import RepeatError, RepeatSchedule, parse_repeat
from scheduler.ticks.month_days import ever_matches
from scheduler.ticks.shared import ReplacedSchedule, spans_of
from scheduler.ticks.zone_files import UnknownRulesError, ZoneFilesError, pinned
from scheduler.ticks.zones import UnknownZoneError, Zone, zone
from scheduler.words.json_text import json_text

DAY_MS = 86_400_000
_FIRST_APPLIED = "first_applied_ms"
INSTANT_MS_MAX = 253_370_764_800_000
"""The year 9999: no tick lies beyond."""


class SpecError(ValueError):
    """Bytes that are no trigger spec, or one that cannot be read here: a zone that this host's tzdata lacks.
    What the expression or the zone said is its `__cause__`.
    """


class Schedule(Protocol):
    """Unjittered ticks, UTC milliseconds, ascending, none twice."""

    @property
    def per_day(self) -> int:
        """How many a day has on which it is due; rounded up."""
        ...

    def between(self, after_ms: int, until_ms: int, limit: int = 10_000) -> list[int]:
        """The first `limit` ticks in (after_ms, until_ms]."""
        ...

    def next(self, after_ms: int) -> int | None:
        """The first tick after `after_ms`; None: nothing comes."""
        ...

    def upcoming(self, after_ms: int, count: int) -> list[int]:
        """The next `count` ticks after `after_ms`, fewer where fewer come."""
        ...


class EverySchedule:
    """Elapsed time: start, start + period, start + 2 periods…"""

    __slots__ = ("_period_ms", "_start_ms")

    def __init__(self, period_ms: int, start_ms: int) -> None:
        self._period_ms = period_ms
        self._start_ms = start_ms

    @property
    def per_day(self) -> int:
        return -(-DAY_MS // self._period_ms)

    def between(self, after_ms: int, until_ms: int, limit: int = 10_000) -> list[int]:
        first = self.next(after_ms)
        if first is None or limit <= 0:
            return []
        until_ms = min(until_ms, first + (limit - 1) * self._period_ms, INSTANT_MS_MAX)
        return list(range(first, until_ms + 1, self._period_ms))

    def next(self, after_ms: int) -> int | None:
        if after_ms < self._start_ms:
            return self._start_ms
        elapsed = (after_ms - self._start_ms) // self._period_ms + 1
        due_ms = self._start_ms + elapsed * self._period_ms
        return due_ms if due_ms <= INSTANT_MS_MAX else None

    def upcoming(self, after_ms: int, count: int) -> list[int]:
        return self.between(after_ms, INSTANT_MS_MAX, count)


class AtSchedule:
    """One instant, or none at all (an event)."""

    __slots__ = ("_at_ms",)

    def __init__(self, at_ms: int | None) -> None:
        self._at_ms = at_ms

    @property
    def per_day(self) -> int:
        return 0  # it comes once

    def between(self, after_ms: int, until_ms: int, limit: int = 10_000) -> list[int]:
        at_ms = self._at_ms
        return [at_ms] if at_ms is not None and after_ms < at_ms <= until_ms and limit > 0 else []

    def next(self, after_ms: int) -> int | None:
        return self._at_ms if self._at_ms is not None and self._at_ms > after_ms else None

    def upcoming(self, after_ms: int, count: int) -> list[int]:
        return self.between(after_ms, INSTANT_MS_MAX, count)


class ValidSchedule:
    """Of another schedule the ticks in [from, until)."""

    __slots__ = ("_from_ms", "_until_ms", "schedule")

    def __init__(self, schedule: Schedule, from_ms: int, until_ms: int) -> None:
        self.schedule, self._from_ms, self._until_ms = schedule, from_ms, until_ms

    @property
    def per_day(self) -> int:
        return self.schedule.per_day

    def between(self, after_ms: int, until_ms: int, limit: int = 10_000) -> list[int]:
        first, last = max(after_ms, self._from_ms - 1), min(until_ms, self._until_ms - 1)
        return self.schedule.between(first, last, limit) if first < last else []

    def next(self, after_ms: int) -> int | None:
        due_ms = self.schedule.next(max(after_ms, self._from_ms - 1))
        return None if due_ms is None or due_ms >= self._until_ms else due_ms

    def upcoming(self, after_ms: int, count: int) -> list[int]:
        coming = self.schedule.upcoming(max(after_ms, self._from_ms - 1), count)
        return coming[: bisect_left(coming, self._until_ms)]


def cron_spec(
    expression: str, *, tz: str = "UTC", dst: str = "cron", days: str = "debian", salt: str = ""
) -> bytes:
    """The spec of a cron trigger. The salt is kept only where the expression holds an H. Raises CronError."""
    fields = {"cron": expression, "tz": tz, "dst": dst}
    if parse_expression(expression, salt).hashed:
        fields["salt"] = salt
    if days != "debian":
        fields["days"] = days
    return json_text(fields)


def every_spec(period_ms: int, start_ms: int = 0) -> bytes:
    return json_text({"every_ms": period_ms, "start_ms": start_ms})


def at_spec(at_ms: int) -> bytes:
    return json_text({"at_ms": at_ms})


def iso8601_spec(text: str, tz: str | None = None) -> bytes:
    """The spec of an ISO 8601 repeat. Raises RepeatError and UnknownZoneError."""
    parse_repeat(text, None if tz is None else zone(tz), 0)
    return json_text({"iso8601": text} if tz is None else {"iso8601": text, "tz": tz})


def valid_spec(spec: bytes, from_ms: int | None, until_ms: int | None) -> bytes:
    """The spec with no instants but those in [from_ms, until_ms)."""
    given = {"from_ms": from_ms, "until_ms": until_ms}
    return json_text(json.loads(spec) | {"valid": {name: ms for name, ms in given.items() if ms is not None}})


def anchored(spec: bytes, at_ms: int) -> bytes:
    """With when it was first applied, where its instants are counted from that and nothing says it yet."""
    if not is_anchored(spec):
        return json_text(json.loads(spec) | {_FIRST_APPLIED: at_ms})
    return spec


def is_anchored(spec: bytes) -> bool:
    """Whether this spec says from when it counts."""
    return b"//" not in spec or b'"iso8601"' not in spec or _FIRST_APPLIED.encode() in spec


def as_written(spec: bytes) -> tuple[bytes, int | None]:
    """The spec without what the state added, and that: when it was first applied."""
    if _FIRST_APPLIED.encode() not in spec:
        return spec, None
    fields = json.loads(spec)
    at_ms = fields.pop(_FIRST_APPLIED, None)
    return json_text(fields), at_ms


def dated_spec(
    spec: bytes,
    *,
    include: Sequence[dict[str, Any]] = (),
    exclude: Sequence[dict[str, Any]] = (),
    nonworking: str = "ignore",
    workday: tuple[int, str] | None = None,
) -> bytes:
    """The spec by calendars (`dates.written`); `workday`: which one, of which period."""
    fields = json.loads(spec)
    if include or exclude:
        lists = {"include": list(include), "exclude": list(exclude)}
        fields["calendar"] = {"nonworking": nonworking} | {name: each for name, each in lists.items() if each}
    if workday is not None:
        fields["workday"] = {"nth": workday[0], "of": workday[1]}
    return json_text(fields)


@lru_cache(maxsize=1_024)
def pins_of(spec: bytes) -> tuple[tuple[str, str], ...]:
    """What a spec was prepared by, name and pin, each once, in the order of the names: the calendars whose
    dates it carries, as namespace/name, and the zone whose rules may be others one day, with an empty
    namespace; the pin of that is empty where the spec names no rules. One apply asks several times."""
    is_zoned = b'"rules":' in spec or (b'"tz":' in spec and b'"tz":"UTC"' not in spec)
    if not is_zoned and b'"calendar"' not in spec:
        return ()
    fields = _fields(spec)
    found = {(str(each["name"]), str(each["pin"])) for each in _carried(fields)}
    tz, pin = fields.get("tz"), fields.get("rules")
    if isinstance(tz, str) and (tz != "UTC" or pin is not None):
        found.add((f"/{tz}", pin if isinstance(pin, str) else ""))
    return tuple(sorted(found))


def rules_of(spec: bytes) -> tuple[str, str] | None:
    """The zone by which it is due, with the pin of its rules; None: it names none by its content."""
    found = pins_of(spec) if b'"rules":' in spec else ()
    return (found[0][0][1:], found[0][1]) if found and found[0][0].startswith("/") else None


def ruled(spec: bytes, pin: str) -> bytes:
    """The spec by the rules of this pin."""
    return json_text(json.loads(spec) | {"rules": pin})


def repinned(spec: bytes, dates: dict[str, Any]) -> bytes:
    """The spec with these dates in the place of those of that name."""
    fields = json.loads(spec)
    for name in ("include", "exclude"):
        said = fields["calendar"].get(name)
        if said is not None:
            fields["calendar"][name] = [dates if each["name"] == dates["name"] else each for each in said]
    return json_text(fields)


def undated(spec: bytes) -> bytes:
    """The spec as if no calendar had a say."""
    fields = json.loads(spec)
    return json_text({name: each for name, each in fields.items() if name not in ("calendar", "workday")})


def _carried(fields: dict[str, Any]) -> list[dict[str, Any]]:
    said = fields.get("calendar")
    lists = [said.get(name) for name in ("include", "exclude")] if isinstance(said, dict) else []
    return [
        each
        for found in lists
        if isinstance(found, list)
        for each in found
        if isinstance(each, dict) and "name" in each and "pin" in each
    ]


def _fields(spec: bytes) -> dict[str, Any]:
    """None of bytes that are no spec."""
    try:
        fields = json.loads(spec)
    except (ValueError, RecursionError):
        return {}
    return fields if isinstance(fields, dict) else {}


def event_spec(event: str) -> bytes:
    """The spec of a trigger without instants: it fires when that happens (`words.causes`)."""
    return json_text({"event": event})


DELAY = "delay"  #: the event of a trigger that counts from the end of its job's last run


def delay_spec(delay_ms: int) -> bytes:
    """The spec of a trigger that is due so long after the end of its job's last run: the state says when."""
    return json_text({"event": DELAY, "delay_ms": delay_ms})


def delay_of(spec: bytes) -> int:
    """How long after its job's last run the trigger of this spec is due; 0: that is nothing it says."""
    delay_ms = json.loads(spec).get("delay_ms")
    return delay_ms if type(delay_ms) is int and 0 < delay_ms <= INSTANT_MS_MAX else 0


def event_of(spec: bytes) -> str:
    """What the trigger of this spec waits for; empty: for time."""
    if b'"event"' not in spec:
        return ""
    event = _fields(spec).get("event")
    return event if isinstance(event, str) else ""


@lru_cache(maxsize=16_384)
def schedule(spec: bytes) -> Schedule:
    """The schedule of a trigger's spec. Raises SpecError.

    Cached: an instance holds no position, so one serves every job with the same spec.
    """
    try:
        return _within(json.loads(spec))
    except SpecError:
        raise
    except (CronError, RepeatError, UnknownZoneError, UnknownRulesError, ZoneFilesError) as error:
        raise SpecError(str(error)) from error
    except (ValueError, RecursionError) as error:
        raise SpecError(f"not a trigger spec: {error}") from error


def _within(fields: object) -> Schedule:
    if not isinstance(fields, dict):
        raise SpecError("not a trigger spec: expected an object")
    found, valid = _by_calendars(_read(fields), fields), fields.get("valid")
    if fields.get("without"):
        found = ReplacedSchedule(found, spans_of(fields["without"]))
    if valid is None:
        return found
    span = valid if isinstance(valid, dict) else {"from_ms": None}
    from_ms, until_ms = span.get("from_ms", 0), span.get("until_ms", INSTANT_MS_MAX + 1)
    if not isinstance(from_ms, int) or not isinstance(until_ms, int):
        raise SpecError("not a trigger spec: `valid` is {from_ms, until_ms}")
    return ValidSchedule(found, from_ms, until_ms)


def _by_calendars(found: Schedule, fields: dict[str, Any]) -> Schedule:
    calendar, workday = fields.get("calendar"), fields.get("workday")
    if calendar is None and workday is None:
        return found
    if not all(isinstance(each, dict | None) for each in (calendar, workday)):
        raise SpecError("not a trigger spec: `calendar` and `workday` are objects")
    days = days_of(calendar, workday)
    if days.nonworking in SHIFTS and found.per_day > SHIFTED_A_DAY_MAX:
        raise SpecError(f"more than {SHIFTED_A_DAY_MAX} instants a day do not move to another day")
    where = found.zone if isinstance(found, RepeatSchedule) else _zone(fields)
    return DatedSchedule(found, where, days)


def _read(fields: dict[str, Any]) -> Schedule:
    if isinstance(fields.get("cron"), str):
        dst: DstPolicy = fields.get("dst", "cron")
        if dst not in DST_POLICIES:
            raise SpecError(f"unknown dst policy {dst!r}")
        join: Join = fields.get("days", "debian")
        if join not in JOINS:
            raise SpecError(f"unknown way to join days {join!r}")
        expression = parse_expression(fields["cron"], str(fields.get("salt", "")))
        return CronSchedule(expression, _zone(fields), dst, join)
    period_ms, start_ms, at_ms = fields.get("every_ms"), fields.get("start_ms", 0), fields.get("at_ms")
    if isinstance(period_ms, int) and isinstance(start_ms, int) and period_ms > 0:
        return EverySchedule(period_ms, start_ms)
    if isinstance(at_ms, int):
        return AtSchedule(at_ms)
    if isinstance(fields.get("iso8601"), str):
        tz = fields.get("tz")
        first_applied_ms = fields.get(_FIRST_APPLIED)
        if not isinstance(first_applied_ms, int | None):
            raise SpecError(f"not a trigger spec: {_FIRST_APPLIED} is an instant")
        where = None if tz is None else _zone(fields)
        return parse_repeat(fields["iso8601"], where, first_applied_ms)
    if isinstance(fields.get("event"), str):
        return AtSchedule(None)
    raise SpecError("not a trigger spec: expected cron, every_ms, at_ms, iso8601 or event")


def _zone(fields: dict[str, Any]) -> Zone:
    pin = fields.get("rules")
    return zone(str(fields.get("tz", "UTC"))) if pin is None else pinned(str(pin))


def never_reason(spec: bytes, after_ms: int) -> str | None:
    """Why this trigger fires at no instant after `after_ms`; None when it does (or waits for an event)."""
    if schedule(spec).next(after_ms) is not None:
        return None
    fields = json.loads(spec)
    if "event" in fields:
        return None
    if fields.pop("valid", None) and schedule(json_text(fields)).next(after_ms) is not None:
        return "none of its instants is within its span"
    if "calendar" in fields or "workday" in fields:
        bare = {name: each for name, each in fields.items() if name not in ("calendar", "workday")}
        if schedule(json_text(bare)).next(after_ms) is not None:
            return "it never fires: its calendars leave none of its instants"
        fields = bare
    if "cron" in fields:
        if not ever_matches(
            parse_expression(fields["cron"], fields.get("salt", "")), fields.get("days", "debian")
        ):
            return "it never fires: no month has such a day"
        return "it never fires: its times exist on no day it matches"
    return "it fires only in the past"


__all__ = [
    "DELAY",
    "INSTANT_MS_MAX",
    "AtSchedule",
    "CronError",
    "EverySchedule",
    "Schedule",
    "SpecError",
    "UnknownZoneError",
    "anchored",
    "as_written",
    "at_spec",
    "cron_spec",
    "dated_spec",
    "delay_of",
    "delay_spec",
    "event_of",
    "event_spec",
    "every_spec",
    "is_anchored",
    "iso8601_spec",
    "never_reason",
    "pins_of",
    "repinned",
    "ruled",
    "rules_of",
    "schedule",
    "undated",
    "valid_spec",
]
