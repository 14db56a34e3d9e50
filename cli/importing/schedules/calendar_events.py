"""OnCalendar of systemd timers: by systemd.time(7), and held against `systemd-analyze calendar` by a test.

Day of week and date are joined by AND. `daily` and the like are midnight, `weekly` is Monday. In the hour
that clocks skip nothing runs, and the hour that comes twice runs once, also every few minutes: our `skip`.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from cli.importing.gathering import NotTaken, natural, zone_of
from cli.importing.schedules.spelling import BOUNDS, WEEKDAYS, Read, expression, spelled
from scheduler.ticks import UnknownZoneError, zone

SHORTHANDS = {
    "minutely": "*-*-* *:*:00", "hourly": "*-*-* *:00:00", "daily": "*-*-* 00:00:00",
    "weekly": "Mon *-*-* 00:00:00", "monthly": "*-*-01 00:00:00", "quarterly": "*-01,04,07,10-01 00:00:00",
    "semiannually": "*-01,07-01 00:00:00", "yearly": "*-01-01 00:00:00", "annually": "*-01-01 00:00:00",
}  # fmt: skip
_LONG_NAMES = {
    "sunday": 0,
    "monday": 1,
    "tuesday": 2,
    "wednesday": 3,
    "thursday": 4,
    "friday": 5,
    "saturday": 6,
}
_NAMES = {name: number for number, name in enumerate(WEEKDAYS)} | _LONG_NAMES
_TIME = re.compile(r"[0-9*,./]+(?::[0-9*,./]+){1,2}")
_DATE = re.compile(r"(?:(?P<year>[0-9*,./]+)-)?(?P<month>[0-9*,./]+)(?P<from_end>[-~])(?P<day>[0-9*,./]+)")
_UNEVEN = re.compile(r"0?0/([0-9]+)")
_LAST_YEAR = 2199
#: findings/systemd-midnight.sh
MIDNIGHT_NOTE = "systemd 252 leaves out 00:00 where a step does not divide the hour; it is due here"


def calendar_event(text: str, tz: str) -> Read:
    """The trigger of an OnCalendar. `tz`: of the host. Raises NotTaken."""
    words = text.split()
    if words and _is_zone(words[-1]):
        tz = zone_of(words.pop())
    if len(words) == 1 and words[0].lower() in SHORTHANDS:
        words = SHORTHANDS[words[0].lower()].split()
    weekday, date, time = "*", None, None
    for word in words:
        if _TIME.fullmatch(word) and time is None:
            time = word
        elif (parts := _DATE.fullmatch(word)) and date is None and time is None:
            date = parts
        elif word[0].isalpha() and weekday == "*" and date is None and time is None:
            weekday = _weekdays(word)
        else:
            raise NotTaken(f"OnCalendar={text}: {word!r} is nothing that systemd takes there")
    if not words:
        raise NotTaken("OnCalendar= says nothing")
    hour, minute, *second = (time or "0:0").split(":")
    at = _field("second", (second or ["0"])[0]), _field("minute", minute), _field("hour", hour)
    trigger: dict[str, Any] = {"cron": "", "tz": tz, "dst": "skip"}
    day, month = "*", "*"
    if date is not None:
        month = _field("month", date["month"])
        day = _last_days(date["day"]) if date["from_end"] == "~" else _field("day", date["day"])
        if date["year"] not in (None, "*"):
            trigger |= {"valid": _years(date["year"], tz)}
    trigger["cron"] = expression(*at, day, month, weekday)
    if day != "*" and weekday != "*":
        trigger["days"] = "both"
    uneven = _UNEVEN.fullmatch(minute)
    is_note = uneven and int(uneven[1]) and 60 % int(uneven[1]) and hour.startswith("*")
    return Read(trigger, [MIDNIGHT_NOTE] if is_note else [])


def _is_zone(word: str) -> bool:
    if not word[0].isalpha() or word.lower() in SHORTHANDS or word.rstrip(",").lower() in _NAMES:
        return False
    if ".." in word or "," in word:
        return False
    try:
        zone(word)
    except UnknownZoneError:
        return False
    return True


def _weekdays(word: str) -> str:
    found: set[int] = set()
    for item in word.rstrip(",").split(","):
        first, dots, last = item.partition("..")
        days = [_NAMES.get(name.lower()) for name in ((first, last) if dots else (first,))]
        if None in days:
            raise NotTaken(f"{item!r} is no day of the week, nor a zone")
        begin, end = ((days[0] or 7), (days[-1] or 7))  # Monday is the first, Sunday the last
        if begin > end:
            raise NotTaken(f"{item!r} runs backwards, and the week begins with Monday: systemd refuses it")
        found |= {day % 7 for day in range(begin, end + 1)}
    return spelled(found, "weekday")


def _field(kind: str, word: str) -> str:
    return spelled(_numbers(word, *BOUNDS[kind]), kind)


def _numbers(word: str, low: int, high: int) -> set[int]:
    found: set[int] = set()
    for item in word.split(","):
        reach, slash, step_word = item.partition("/")
        first, dots, last = reach.partition("..")
        try:
            step = int(step_word) if slash else 1
            begin = low if first == "*" else int(first)
            end = int(last) if dots else high if slash or first == "*" else begin
        except ValueError:
            raise NotTaken(f"{item!r}: only whole numbers can be kept") from None
        if step < 1 or not low <= begin <= end <= high:
            raise NotTaken(f"{item!r} is not within {low} to {high}: systemd refuses it, or never runs it")
        found |= set(range(begin, end + 1, step))
    return found


def _last_days(word: str) -> str:
    """`~1` is the last day of the month, `~7/1` the last seven, one after the other."""
    found: set[int] = set()
    for item in word.split(","):
        reach, _, step_word = item.partition("/")
        begin, step = natural(reach), natural(step_word)
        if begin and step:
            found |= set(range(begin, 0, -step))
        else:
            found |= _numbers(item, 1, 31)
    if not found or max(found) > 28:
        raise NotTaken(f"~{word}: only the last 28 days of a month can be kept")
    return ",".join("L" if day == 1 else f"L-{day - 1}" for day in sorted(found, reverse=True))


def _years(word: str, tz: str) -> dict[str, str]:
    years = sorted(_numbers(word, 1970, _LAST_YEAR))
    if years != list(range(years[0], years[-1] + 1)):
        raise NotTaken(f"year {word}: only years that follow each other can be kept")
    begin, end = (datetime(year, 1, 1, tzinfo=ZoneInfo(tz)).isoformat() for year in (years[0], years[-1] + 1))
    return {"from": begin} if years[-1] == _LAST_YEAR else {"from": begin, "until": end}
