"""Days of events in iCalendar text (RFC 5545): each day that an event takes a part of.

Rules of this file:

1. What is not understood is refused with its line, never passed over: a day that is missing is found out by
   the run that it should have kept from starting. Of an event only what says when it is is read.
2. A day is the date on the event's own clock: of a whole day as it stands there, of a time with a zone in
   that zone, of one in UTC there. `X-WR-TIMEZONE` is of times without any zone alone.
3. An end is exclusive; without one an event of whole days has one day, another one the day that it begins on.
   A DURATION counts days by the clock and hours as they elapse.
4. RRULE by dateutil, which has to give the event's own start first; UNTIL as a day includes that day.
   EXDATE and RECURRENCE-ID as a day exclude what begins on it, as a time what begins at that instant. What
   takes the place of an occurrence counts by its own days, and not at all where it is cancelled.
5. What a text may cost is bounded before it is spent: by what its rules go through, which may be much where
   they find little, and by occurrences, excluded ones among them. Each costs the same, however long it is
   and however much is excluded.
6. Zones are read from the packaged tzdata, by IANA's name or that of Windows; a VTIMEZONE says nothing else.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from itertools import accumulate, islice
from typing import Any, NamedTuple

from scheduler.model.problems import Refused, shortened
from scheduler.model.recurrence import FREQUENCIES, starts
from scheduler.ticks.zones import UnknownZoneError, Zone, similar_zones, zone

TEXT_CHARACTERS_MAX = 400_000
EVENTS_MAX = 5_000
OCCURRENCES_MAX = 100_000  #: of all events together
EFFORT_MAX = 4_000_000  #: of all rules together: what they go through, some 0.2 µs each
DAYS_OF_EVENT_MAX = 400
_EFFORT = {"YEARLY": (365, 380), "MONTHLY": (30, 50), "WEEKLY": (7, 15), "DAILY": (1, 9)}
"""Of a period: its days, and what going through it costs."""
_RARE = ("BYMONTHDAY", "BYYEARDAY", "BYWEEKNO", "BYMONTH", "BYSETPOS")
"""With one of them a rule may go through many periods for one occurrence."""
_EPOCH = datetime(1970, 1, 1)
_DAY = timedelta(days=1)
_LINE = re.compile(r'([A-Za-z0-9-]+)((?:;[A-Za-z0-9-]+=(?:"[^"]*"|[^";:])*)*):(.*)', re.S)
_PARAMETER = re.compile(r';([A-Za-z0-9-]+)=("[^"]*"|[^";:]*)')
_MOMENT = re.compile(r"([0-9]{4})([0-9]{2})([0-9]{2})(?:T([0-9]{2})([0-9]{2})([0-9]{2})(Z?))?")
_DURATION = re.compile(
    r"\+?P(?:([0-9]{1,4})W|(?:([0-9]{1,5})D)?(?:T(?:([0-9]{1,6})H)?(?:([0-9]{1,7})M)?(?:([0-9]{1,9})S)?)?)"
)
_WEEKDAY = re.compile(r"([+-]?[0-9]{1,2})?(MO|TU|WE|TH|FR|SA|SU)")
_WEEK = ("MO", "TU", "WE", "TH", "FR", "SA", "SU")
_NUMBERS = {"BYMONTHDAY": 31, "BYYEARDAY": 366, "BYWEEKNO": 53, "BYMONTH": 12, "BYSETPOS": 366}
_OURS = (
    "DTSTART", "DTEND", "DURATION", "RRULE", "RDATE", "EXDATE", "EXRULE", "RECURRENCE-ID", "STATUS", "UID",
)  # fmt: skip


class _Line(NamedTuple):
    number: int
    name: str
    parameters: dict[str, str]
    value: str

    def wrong(self, detail: str, hint: str = "") -> Refused:
        return Refused(f"line {self.number}: {detail}", hint)


class _Moment(NamedTuple):
    naive: datetime
    zone: Zone | None  #: None: a day, or a time on nobody's clock
    is_day: bool

    def instant(self, naive: datetime | None = None) -> datetime:
        """As naive UTC."""
        local = self.naive if naive is None else naive
        if self.zone is None:
            return local
        instant_s = self.zone.instant_s(round((local - _EPOCH).total_seconds()))
        return local if instant_s is None else _EPOCH + timedelta(seconds=instant_s)

    def local(self, instant: datetime) -> datetime:
        if self.zone is None:
            return instant
        return instant + timedelta(seconds=self.zone.offset_s(round((instant - _EPOCH).total_seconds())))


@dataclass(slots=True)
class Event:
    """Filled while its lines are read."""

    start: _Moment
    nominal: timedelta = _DAY  #: of its length, days by the clock
    elapsed: timedelta = timedelta()
    rules: list[tuple[_Line, dict[str, Any]]] = field(default_factory=list)
    more: list[_Moment] = field(default_factory=list)
    without: list[_Moment] = field(default_factory=list)
    uid: str = ""
    replaces: _Moment | None = None
    is_cancelled: bool = False

    @property
    def is_endless(self) -> bool:
        return any("COUNT" not in rule and "UNTIL" not in rule for _, rule in self.rules)


# -- text to events ---------------------------------------------------------------------------------


def events_of(text: str) -> list[Event]:
    """Raises Refused."""
    if len(text) > TEXT_CHARACTERS_MAX:
        said = f"the text has {len(text)} characters, {TEXT_CHARACTERS_MAX} at most"
        raise Refused(said, "keep what says when its events are")
    found: list[Event] = []
    inside: list[str] = []
    lines: list[_Line] = []
    floating: Zone | None = None
    last = 0
    for line in _lines(text):
        last = line.number
        if line.name == "BEGIN":
            inside.append(line.value.upper())
            if inside[0] != "VCALENDAR":
                raise line.wrong("it does not begin with BEGIN:VCALENDAR")
            if len(inside) == 2 and inside[1] not in ("VEVENT", "VTIMEZONE"):
                raise line.wrong(f"{inside[1][:40]} is no event", "keep its events (VEVENT) alone")
            lines = [] if inside[1:] == ["VEVENT"] else lines
        elif line.name == "END":
            if not inside or inside.pop() != line.value.upper():
                raise line.wrong(f"END:{line.value[:40]} without its BEGIN")
            if line.value.upper() == "VEVENT":
                found.append(_event(line, lines, floating))
                if len(found) > EVENTS_MAX:
                    raise line.wrong(f"more than {EVENTS_MAX} events")
        elif not inside:
            raise line.wrong("it does not begin with BEGIN:VCALENDAR")
        elif inside == ["VCALENDAR"] and line.name == "X-WR-TIMEZONE":
            floating = _zone(line, line.value)
        elif inside[1:] == ["VEVENT"] and line.name in _OURS:
            lines.append(line)
    if inside:
        raise Refused(f"line {last}: it ends within {inside[-1][:40]}", f"END:{inside[-1][:40]} is missing")
    if not last:
        raise Refused("it is empty", "begin with BEGIN:VCALENDAR")
    return _joined(found)


def _lines(text: str) -> Iterator[_Line]:
    """Unfolded: a line that begins with a blank goes on with the one before it."""
    number, whole = 0, ""
    for place, raw in enumerate([*text.replace("\r\n", "\n").split("\n"), ""], start=1):
        if raw[:1] in (" ", "\t") and whole:
            whole += raw[1:]
            continue
        if whole.strip():
            match = _LINE.fullmatch(whole)
            if match is None:
                said = f"line {number}: {shortened(whole)} is no line of iCalendar"
                raise Refused(said, "such as NAME:VALUE")
            given = {name.upper(): value.strip('"') for name, value in _PARAMETER.findall(match[2])}
            yield _Line(number, match[1].upper(), given, match[3].strip())
        number, whole = place, raw


def _event(end: _Line, lines: list[_Line], floating: Zone | None) -> Event:
    said = {line.name: line for line in lines}
    for line in lines:
        if line.name == "EXRULE":
            raise line.wrong("EXRULE is not understood: readers pass it over", "say the days by EXDATE")
    if "DTSTART" not in said:
        raise end.wrong("the event has no DTSTART")
    line = said["DTSTART"]
    event = Event(_moment(line, line.value, floating))
    _measure(event, said, floating)
    for line in lines:
        if line.name == "RRULE":
            event.rules.append((line, _rule(line, event.start)))
        elif line.name in ("RDATE", "EXDATE"):
            for text in line.value.split(","):
                moment = _moment(line, text, floating)
                if line.name == "RDATE" and moment.is_day != event.start.is_day:
                    raise line.wrong("days and times of one event are not mixed: RDATE is as DTSTART")
                (event.more if line.name == "RDATE" else event.without).append(moment)
        elif line.name == "RECURRENCE-ID":
            if "RANGE" in line.parameters:
                raise line.wrong("RANGE is not understood", "give each occurrence that is another, by itself")
            event.replaces = _moment(line, line.value, floating)
        elif line.name == "STATUS":
            event.is_cancelled = line.value.upper() == "CANCELLED"
        elif line.name == "UID":
            event.uid = line.value
    if event.replaces is not None and event.rules:
        raise end.wrong("what takes the place of one occurrence does not repeat")
    return event


def _measure(event: Event, said: dict[str, _Line], floating: Zone | None) -> None:
    start = event.start
    event.nominal = _DAY if start.is_day else timedelta()
    if "DURATION" in said:
        line = said["DURATION"]
        match = _DURATION.fullmatch(line.value.upper())
        if match is None or not any(match.groups()):
            raise line.wrong(f"{shortened(line.value)} is no duration", "such as P1D or PT8H")
        weeks, days, hours, minutes, seconds = (int(part or 0) for part in match.groups())
        event.nominal = timedelta(weeks=weeks, days=days)
        event.elapsed = timedelta(hours=hours, minutes=minutes, seconds=seconds)
        if start.is_day and event.elapsed:
            raise line.wrong("an event of whole days does not last hours")
        if start.is_day:
            event.nominal = max(event.nominal, _DAY)
    if "DTEND" in said:
        line = said["DTEND"]
        end = _moment(line, line.value, floating)
        if "DURATION" in said:
            raise line.wrong("DTEND and DURATION exclude each other")
        if end.is_day != start.is_day:
            raise line.wrong("days and times are not mixed: DTEND is as DTSTART")
        length = end.instant() - start.instant()
        if length < timedelta():
            raise line.wrong("it ends before it begins")
        if start.is_day:
            event.nominal = max(length, _DAY)
        else:
            event.elapsed = length
    if event.nominal + event.elapsed > timedelta(days=DAYS_OF_EVENT_MAX):
        detail = f"an event of more than {DAYS_OF_EVENT_MAX} days"
        raise said["DTSTART"].wrong(detail, "make several of it")


def _moment(line: _Line, text: str, floating: Zone | None) -> _Moment:
    if line.parameters.get("VALUE", "").upper() == "PERIOD":
        raise line.wrong("VALUE=PERIOD is not understood", "give the starts, and the length by DTEND")
    match = _MOMENT.fullmatch(text.strip())
    if match is None:
        detail = f"{shortened(text)} is neither a day nor a time"
        raise line.wrong(detail, "such as 20261224 or 20261224T080000Z")
    year, month, day, hour, minute, second = (int(part or 0) for part in match.groups()[:6])
    try:
        naive = datetime(year, month, day, hour, minute, min(second, 59))
    except ValueError as error:
        raise line.wrong(f"{shortened(text)} is neither a day nor a time: {error}") from error
    if not 1970 <= year <= 2200:
        raise line.wrong(f"{year} is before 1970 or after 2200")
    if match[4] is None:
        return _Moment(naive, None, True)
    if match[7]:
        return _Moment(naive, zone("UTC"), False)
    named = line.parameters.get("TZID")
    return _Moment(naive, floating if named is None else _zone(line, named), False)


def _zone(line: _Line, name: str) -> Zone:
    try:
        return zone(name.lstrip("/"))
    except UnknownZoneError:
        near = similar_zones(name)
        if len(near) == 1 and " " in name:  # the name that Windows gives it
            return zone(near[0])
        hint = f"did you mean {near[0]}?" if near else "an IANA name such as Europe/Berlin"
        raise line.wrong(f"unknown time zone {shortened(name)}", hint) from None


def _rule(line: _Line, start: _Moment) -> dict[str, Any]:
    """As dateutil wants it, but for COUNT and UNTIL."""
    given: dict[str, str] = {}
    for part in line.value.split(";"):
        name, equals, value = part.partition("=")
        if not equals or name.upper() in given:
            detail = f"{shortened(part)} is no part of a rule, or is there twice"
            raise line.wrong(detail, "such as FREQ=YEARLY")
        given[name.upper()] = value.upper()
    frequency = given.pop("FREQ", "")
    if frequency not in FREQUENCIES:
        raise line.wrong(f"FREQ={frequency[:20]}: a rule for days has one of {', '.join(FREQUENCIES)}")
    rule: dict[str, Any] = {"FREQ": frequency}
    for name, value in given.items():
        if name == "UNTIL":
            rule[name] = _until(line, value, start)
        elif name in ("COUNT", "INTERVAL"):
            rule[name] = _number(line, name, value, 1, OCCURRENCES_MAX)
        elif name == "WKST" and value in _WEEK:
            rule[name] = _WEEK.index(value)
        elif name == "BYDAY":
            rule[name] = [_weekday(line, text, frequency) for text in value.split(",")]
        elif name in _NUMBERS:
            least = 1 if name == "BYMONTH" else -_NUMBERS[name]
            rule[name] = [_number(line, name, text, least, _NUMBERS[name]) for text in value.split(",")]
        else:
            raise line.wrong(f"{name[:20]}={value[:20]} is not understood in a rule for days")
    if "COUNT" in rule and "UNTIL" in rule:
        raise line.wrong("COUNT and UNTIL exclude each other")
    return rule


def _number(line: _Line, name: str, text: str, least: int, most: int) -> int:
    if not re.fullmatch(r"[+-]?[0-9]{1,6}", text) or not least <= int(text) <= most or int(text) == 0:
        but = ", not 0" if least < 0 else ""
        raise line.wrong(f"{name}={text[:20]}: a whole number from {least} to {most}{but}")
    return int(text)


def _weekday(line: _Line, text: str, frequency: str) -> tuple[int, int | None]:
    match = _WEEKDAY.fullmatch(text)
    if match is None or match[1] in ("0", "+0", "-0"):
        raise line.wrong(f"BYDAY={text[:20]}: days are MO to SU, with a number before it which of them")
    if match[1] and frequency not in ("YEARLY", "MONTHLY"):
        raise line.wrong(f"BYDAY={text[:20]}: numbers are for FREQ=YEARLY and MONTHLY")
    return _WEEK.index(match[2]), int(match[1]) if match[1] else None


def _until(line: _Line, text: str, start: _Moment) -> datetime:
    """By the clock of the start."""
    end = _moment(line._replace(parameters={}), text, start.zone)
    if end.is_day:
        return end.naive + (timedelta() if start.is_day else _DAY - timedelta(seconds=1))
    if start.is_day or end.zone is None or start.zone is None:
        return end.naive
    return start.local(end.instant())


def _joined(events: list[Event]) -> list[Event]:
    """Those without what others take the place of."""
    series = {event.uid: event for event in events if event.replaces is None and event.uid}
    for event in events:
        of = series.get(event.uid)
        if event.replaces is not None and of is not None:
            of.without.append(event.replaces)
    return [event for event in events if not event.is_cancelled]


# -- events to days ---------------------------------------------------------------------------------


class Found(NamedTuple):
    days: frozenset[date]
    known_until: date | None  #: the last day of the last year of which an event that ends says anything


def days_of(events: list[Event], years: range) -> Found:
    """Raises Refused."""
    first, last = date(years.start, 1, 1).toordinal(), date(years.stop - 1, 12, 31).toordinal()
    changes = [0] * (last - first + 2)  #: by how many more events a day is of than the day before it
    budget = _Budget()
    ends: list[int] = []
    for event in events:
        for start in _starts(event, datetime(years.stop - 1, 12, 31, 23, 59, 59), budget):
            if not event.is_endless:
                ends.append(start.year)
            end = event.start.local(event.start.instant(start + event.nominal) + event.elapsed)
            day, through = start.toordinal(), max(start, end - timedelta(microseconds=1)).toordinal()
            if day <= last and through >= first:
                changes[max(day, first) - first] += 1
                changes[min(through, last) - first + 1] -= 1
    taken = enumerate(accumulate(changes[:-1]), first)
    days = frozenset([date.fromordinal(day) for day, events_then in taken if events_then])
    return Found(days, date(max(ends), 12, 31) if ends else None)


@dataclass(slots=True)
class _Budget:
    """What is left to all events of a text together."""

    occurrences: int = OCCURRENCES_MAX
    effort: int = EFFORT_MAX


def _starts(event: Event, last: datetime, budget: _Budget) -> Iterator[datetime]:
    """By the event's clock, up to an instant of it, in no order, none twice."""
    start = event.start.naive
    seen: set[datetime] = set()
    for line, rule in event.rules:
        until, most = min(rule.get("UNTIL", last), last), budget.occurrences
        budget.effort -= _effort(rule, start, until)
        if budget.effort < 0:
            raise line.wrong("the rules go through too many days together", "begin it later, or say fewer")
        found = starts(rule, start, until)
        came = list(islice(found, min(rule.get("COUNT", most + 1), most + 1)))
        if len(came) > most:
            raise line.wrong(f"more than {OCCURRENCES_MAX} occurrences of all events", "begin it later")
        budget.occurrences -= len(came)
        if start <= until and came[:1] != [start]:
            raise line.wrong("DTSTART is not the first day of its rule: readers disagree whether it counts")
        seen.update(came)
    if not event.rules and start <= last:
        seen.add(start)
    for moment in event.more:
        there = moment.naive if moment.is_day or moment.zone is None else event.start.local(moment.instant())
        if there <= last:
            seen.add(there)
    yield from _kept(event, seen)


def _effort(rule: dict[str, Any], start: datetime, until: datetime) -> int:
    """At most what the rule goes through from its start on."""
    days, cost = _EFFORT[rule["FREQ"]]
    periods: int = max(0, (until - start).days) // (days * rule.get("INTERVAL", 1)) + 1
    if "COUNT" in rule and not any(name in rule for name in _RARE):
        count: int = rule["COUNT"]
        periods = min(periods, count if rule["FREQ"] == "WEEKLY" else 12 * count)
    return periods * cost


def _kept(event: Event, seen: set[datetime]) -> Iterator[datetime]:
    """Those that nothing excludes, each as it says when: by its day, by the clock, or as an instant."""
    start = event.start
    days: set[date] = set()
    naive: set[datetime] = set()
    instants: set[datetime] = set()
    for moment in event.without:
        if moment.is_day or start.is_day:
            days.add(moment.naive.date())
        elif moment.zone is None or start.zone is None:
            naive.add(moment.naive)
        else:
            instants.add(moment.instant())
    for each in seen:
        if each.date() in days or each in naive or (instants and start.instant(each) in instants):
            continue
        yield each
