"""Cron expressions of Quartz (Rundeck and others): by its source (CronExpression.java), and run.

Six fields, seconds first, and perhaps a year. Days of the week are numbered from 1, Sunday. One of the two
day fields is `?`, so nothing is joined. Ranges may wrap in every field. Nothing runs in the hour that clocks
skip, and of the hour that comes twice the last one counts, for which no policy of ours is: `skip` takes the
first.
"""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from cli.importing.gathering import NotTaken
from cli.importing.schedules.spelling import BOUNDS, MONTHS, WEEKDAYS, Read, expression, spelled

DST_NOTE = (
    "in the night in which clocks are put back, what is due in the hour that comes twice runs in its first "
    "pass here, and ran in its last under Quartz"
)
_KINDS = ("second", "minute", "hour", "day", "month", "weekday")
_DAY_WORDS = re.compile(r"L|LW|L-[0-9]+|[0-9]+W")
_WEEKDAY_WORD = re.compile(r"(?P<day>[1-7]|[A-Z]{3})(?P<which>#[1-5]|L)")
YEARS = (1970, 2099)


def quartz(text: str, tz: str) -> Read:
    """The trigger of an expression. Raises NotTaken."""
    words = text.upper().split()
    if len(words) not in (6, 7):
        raise NotTaken(f"{text!r}: Quartz takes six fields, seconds first, and perhaps a year")
    if (words[3] == "?") == (words[5] == "?"):
        raise NotTaken(f"{text!r}: Quartz wants ? in exactly one of day of month and day of week")
    notes: list[str] = []
    fields = [_field(kind, word, notes) for kind, word in zip(_KINDS, words, strict=False)]
    trigger: dict[str, Any] = {"cron": expression(*fields), "tz": tz, "dst": "skip"}
    if len(words) == 7 and words[6] != "*":
        trigger |= {"valid": years(words[6], tz)}
    return Read(trigger, notes)


def years(word: str, tz: str) -> dict[str, str]:
    """Years that follow each other, as the span in which a trigger is valid. Raises NotTaken."""
    try:
        found = sorted({year for item in word.split(",") for year in _range(item, *YEARS)})
    except ValueError:
        raise NotTaken(f"year {word!r}: expected numbers, ranges, lists") from None
    if found != list(range(found[0], found[-1] + 1)):
        raise NotTaken(f"year {word!r}: only years that follow each other can be kept")
    first, after = (
        datetime(year, 1, 1, tzinfo=ZoneInfo(tz)).isoformat() for year in (found[0], found[-1] + 1)
    )
    return {"from": first} if found[-1] == YEARS[1] else {"from": first, "until": after}


def _range(item: str, low: int, high: int) -> range:
    reach, slash, step = item.partition("/")
    first, dash, last = reach.partition("-")
    begin = low if first == "*" else int(first)
    end = int(last) if dash else high if slash or first == "*" else begin
    if not low <= begin <= end <= high:
        raise ValueError(item)
    return range(begin, end + 1, int(step) if slash else 1)


def _field(kind: str, word: str, notes: list[str]) -> str:
    if word in ("*", "?"):
        return "*"
    if kind == "weekday" and word == "L":
        return "6"
    words: list[str] = []
    numbers: set[int] = set()
    for item in word.split(","):
        if kind == "day" and _DAY_WORDS.fullmatch(item):
            if item in ("29W", "30W", "31W"):
                notes.append(f"{item}: here it is due only in months that have that day")
            words.append(item)
        elif kind == "weekday" and (nth := _WEEKDAY_WORD.fullmatch(item)):
            words.append(f"{_number(kind, nth['day'], item)}{nth['which']}")
        else:
            numbers |= _numbers(kind, item, notes)
    return ",".join(words + ([spelled(numbers, kind)] if numbers else []))


def _numbers(kind: str, item: str, notes: list[str]) -> set[int]:
    low, high = BOUNDS[kind]
    reach, slash, step_word = item.partition("/")
    if slash and not (step_word.isascii() and step_word.isdigit() and int(step_word[:6])):
        raise NotTaken(f"{item!r}: {step_word!r} is no step")
    step = int(step_word[:6]) if slash else 1
    if reach in ("*", "?"):
        return set(range(low, high + 1, step))
    first_word, dash, last_word = reach.partition("-")
    first = _number(kind, first_word, item)
    last = _number(kind, last_word, item) if dash else high if slash else first
    if slash and dash and first_word.lower() in (*MONTHS, *WEEKDAYS):
        notes.append(f"{item}: Quartz takes no notice of a step behind a range of names")
        step = 1
    count = high - low + 1
    length = (last - first) % count + 1
    return {low + (first - low + offset) % count for offset in range(0, length, step)}


def _number(kind: str, word: str, item: str) -> int:
    """Its number with Sunday as 0."""
    names = {"month": MONTHS, "weekday": WEEKDAYS}.get(kind, ())
    if word.lower() in names:
        return names.index(word.lower()) + (kind == "month")
    if word.isascii() and word.isdigit():
        number = int(word[:6]) - (kind == "weekday")
        if BOUNDS[kind][0] <= number <= BOUNDS[kind][1]:
            return number
    hint = ", where Sunday is 1" if kind == "weekday" else ""
    raise NotTaken(f"{item!r} is no {kind} of Quartz{hint}")
