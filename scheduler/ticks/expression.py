"""What a cron expression means.

Rules of this file:

1. Five fields (minute, hour, day of month, month, day of week), or six with seconds first.
2. A field is a list of `*`, `?` (days only), `n`, `a-b`, each with an optional `/step`; `n/step` runs to the
   field's end. Months and days of the week have English names. Sunday is 0 and 7. Ranges may wrap only
   where the names make a wrap natural: in months and days of the week (`fri-mon`).
3. Days: `L` (last), `L-3` (three days before the last), `LW` (last working day), `15W` (working day nearest
   to the 15th), `fri#2` (second Friday), `friL` (last Friday).
4. Day of month and day of week are joined by AND when either begins with `*`, else by OR: Debian cron's rule
   (`JOINS`; a trigger may ask for one of the others).
5. `H` is a slot fixed by a salt (the job's namespace/name), `H(a-b)` and `H/n` keep to a range or a step.
   `R` is refused: it is another instant on every node.
6. Errors name the field, the reason and the position in the text, so a form can underline it.
"""

from __future__ import annotations

import difflib
import hashlib
import re
from contextlib import suppress
from dataclasses import dataclass
from functools import lru_cache
from typing import Literal

EXPRESSION_CHARACTERS_MAX = 1_000

Join = Literal["debian", "either", "both"]
JOINS: tuple[Join, ...] = ("debian", "either", "both")
"""How day of month and day of week are joined: `either` is enough, or `both` have to match."""

MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
ALIASES = {
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
    "@monthly": "0 0 1 * *",
    "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@hourly": "0 * * * *",
}


class CronError(ValueError):
    """An expression that means nothing. `position` counts characters from 0."""

    def __init__(self, field: str, position: int, reason: str, hint: str = "") -> None:
        where = f"{field} field, character {position + 1}" if field else f"character {position + 1}"
        super().__init__(f"{where}: {reason}")
        self.field = field
        self.position = position
        self.reason = reason
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Days:
    """One of the two day fields. `special` holds forms that depend on the month, as croniter spells them."""

    values: tuple[int, ...]
    special: tuple[str, ...]
    star: bool  #: the field begins with `*` (or is `?`)


@dataclass(frozen=True, slots=True)
class Expression:
    seconds: tuple[int, ...]
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: Days
    months: tuple[int, ...]
    weekdays: Days  #: Sunday is 0
    fixed: bool  #: neither minute nor hour begins with `*`: Debian cron's "fixed time"
    hashed: bool  #: holds an `H`, so it depends on the salt
    text: str  #: as five or six fields


@dataclass(frozen=True, slots=True)
class _Kind:
    name: str
    low: int
    high: int
    names: tuple[str, ...] = ()
    first_name: int = 0
    wraps: bool = False
    hash_high: int | None = None  #: `H` alone stays below the days that some months lack

    def number(self, text: str) -> int | None:
        if text.isascii() and text.isdigit():
            return int(text) if len(text) <= 4 else None
        if text in self.names:
            return self.names.index(text) + self.first_name
        return None


SECOND = _Kind("second", 0, 59)
MINUTE = _Kind("minute", 0, 59)
HOUR = _Kind("hour", 0, 23)
DAY = _Kind("day of month", 1, 31, hash_high=28)
MONTH = _Kind("month", 1, 12, MONTHS, 1, wraps=True)
WEEKDAY = _Kind("day of week", 0, 7, WEEKDAYS, 0, wraps=True, hash_high=6)
KINDS = (SECOND, MINUTE, HOUR, DAY, MONTH, WEEKDAY)

_WORD = re.compile(r"[^ \t]+")
_ZONE = re.compile(r"[ \t]*(CRON_TZ|TZ)=([^ \t]{1,60})", re.IGNORECASE)
_HASH = re.compile(r"h(?:\((?P<low>[0-9]+)-(?P<high>[0-9]+)\))?(?:/(?P<step>[0-9]+))?")
_RANDOM = re.compile(r"([0-9]*)~([0-9]*)(?:/[0-9]+)?")
LAST_WORKDAY = "lw"  #: croniter spells it 31w
_BEFORE_LAST = re.compile(r"l-([0-9]{1,3})")
_NEAREST = re.compile(r"([0-9]{1,2})w|w([0-9]{1,2})")
_NTH = re.compile(r"([0-9a-z]+)#([0-9]+|l)")
_LAST = re.compile(r"(?:([0-9]|[a-z]{3})l|l([0-9]|[a-z]{3}))")


def parse_expression(text: str, salt: str = "") -> Expression:
    """The meaning of `text`; raises CronError. `salt` decides the slots of `H`, and nothing else: a text
    without one is read once, whoever has it."""
    return _parsed(text, salt if "h" in text or "H" in text else "")


@lru_cache(maxsize=16_384)
def _parsed(text: str, salt: str) -> Expression:
    if len(text) > EXPRESSION_CHARACTERS_MAX:
        raise CronError("", EXPRESSION_CHARACTERS_MAX, "the expression is too long")
    words = [(m.group().lower(), m.start()) for m in _WORD.finditer(text.rstrip())]
    if not words:
        raise CronError("", 0, "the expression is empty", 'write five fields, such as "0 2 * * *"')
    zone = _ZONE.match(text)
    if zone:
        raise CronError("", 0, f"{zone[1]}= does not belong in here", f"say it beside it: `tz: {zone[2]}`")
    if words[0][0].startswith("@"):
        words = [(m.group(), words[0][1]) for m in _WORD.finditer(_alias(words))]
    if len(words) == 5:
        words.insert(0, ("0", 0))
        text_fields = 5
    elif len(words) == 6:
        text_fields = 6
    else:
        raise CronError(
            "",
            words[6][1] if len(words) > 6 else len(text.rstrip()),
            f"{len(words)} fields, expected 5 (minute hour day month weekday) or 6 (second first)",
            "a year field is not supported" if len(words) == 7 else "fields are separated by blanks",
        )
    fields = [_field_at(place, word, at, salt) for place, (word, at) in enumerate(words)]
    seconds, minutes, hours, days, months, weekdays = fields
    return Expression(
        seconds=seconds.values,
        minutes=minutes.values,
        hours=hours.values,
        days=days,
        months=months.values,
        weekdays=weekdays,
        fixed=not minutes.star and not hours.star,
        hashed=any("h" in _without_names(word) for word, _ in words),
        text=" ".join(word for word, _ in words[6 - text_fields :]),
    )


def _without_names(word: str) -> str:
    return word.replace("thu", "").replace("mar", "")


def _alias(words: list[tuple[str, int]]) -> str:
    word, at = words[0]
    if word == "@every":
        period = " ".join(text for text, _ in words[1:])[:20] or "15m"
        raise CronError("", at, "@every is no cron expression", f"use the trigger `every: {period}`")
    if len(words) > 1:
        raise CronError("", words[1][1], f"nothing may follow {word}")
    if word == "@reboot":
        raise CronError("", at, "@reboot names no instant", "use a trigger `startup: {pool: NAME}` for that")
    known = ALIASES.get(word)
    if known is None:
        near = difflib.get_close_matches(word, ALIASES, 1)
        raise CronError("", at, f"unknown name {word[:40]!r}", f"did you mean {near[0]}?" if near else "")
    return known


def _field_at(place: int, word: str, start: int, salt: str) -> Days:
    """The field of this place. Without an H it is looked up: many texts are made of few words."""
    if "h" not in word:
        with suppress(CronError):  # it is told below, with its place in this text
            return _plain_field(place, word)
    return _field(KINDS[place], word, start, salt)


@lru_cache(maxsize=4_096)
def _plain_field(place: int, word: str) -> Days:
    return _field(KINDS[place], word, 0, "")


def _field(kind: _Kind, word: str, start: int, salt: str) -> Days:
    values: set[int] = set()
    special: list[str] = []
    at = start
    for item in word.split(","):
        if not item:
            raise CronError(kind.name, at, "empty item in the list", "remove the surplus comma")
        form = _special(kind, item, at)
        if form is not None:
            special.append(form)
        else:
            values.update(_item(kind, item, at, salt))
        at += len(item) + 1
    if kind is WEEKDAY:
        values = {value % 7 for value in values}
    return Days(tuple(sorted(values)), tuple(dict.fromkeys(special)), word[0] in "*?")


def _special(kind: _Kind, item: str, at: int) -> str | None:
    """A form that depends on the month, as croniter spells it, or LAST_WORKDAY; None for a plain item."""
    if kind is DAY:
        if item == "l":
            return "l"
        if item == "lw":
            return LAST_WORKDAY
        before_last = _BEFORE_LAST.fullmatch(item)
        if before_last:
            if not 1 <= int(before_last[1]) <= 30:
                raise CronError(kind.name, at + 2, "a month has 1 to 30 days before its last")
            return f"l-{int(before_last[1])}"
        nearest = _NEAREST.fullmatch(item)
        if nearest:
            day = int(nearest[1] or nearest[2])
            if not 1 <= day <= 31:
                raise CronError(kind.name, at, f"{day} is outside 1-31")
            return f"{day}w"
    if kind is WEEKDAY:
        nth = _NTH.fullmatch(item)
        if nth:
            weekday = _number(kind, nth[1], at) % 7
            if nth[2] == "l":
                return f"l{weekday}"
            if not 1 <= int(nth[2][:3]) <= 5:
                raise CronError(kind.name, at + len(nth[1]) + 1, "a month has the 1st to 5th of a weekday")
            return f"{weekday}#{int(nth[2])}"
        last = _LAST.fullmatch(item)
        if last:
            return f"l{_number(kind, last[1] or last[2], at) % 7}"
        if item == "l":
            raise CronError(kind.name, at, "L needs a day here", "the last Friday is 5L, Saturday is 6")
    return None


def _item(kind: _Kind, item: str, at: int, salt: str) -> range | tuple[int, ...]:
    if item[0] == "r" and not item[1:2].isalpha():
        raise CronError(
            kind.name, at, "R is refused: a random time differs on every node", "use H for a hashed slot"
        )
    random = _RANDOM.fullmatch(item)
    if random:
        low, high = random[1] or kind.low, random[2] or kind.high
        reason = f"{item[:20]} is a random time, another on every node"
        raise CronError(kind.name, at, reason, f"H({low}-{high}) is a fixed one for each job")
    hashed = _HASH.fullmatch(item)
    if hashed:
        return _hash(kind, hashed, at, salt)
    base, slash, step_text = item.partition("/")
    step = 1
    if slash:
        step_at = at + len(base) + 1
        if not (step_text.isascii() and step_text.isdigit()) or len(step_text) > 4:
            raise CronError(kind.name, step_at, f"{step_text[:20]!r} is no step", "a step is a number from 1")
        step = int(step_text)
        if step == 0:
            raise CronError(kind.name, step_at, "a step of 0 never moves", "a step is a number from 1")
    if base in ("*", "?"):
        if base == "?" and kind not in (DAY, WEEKDAY):
            raise CronError(kind.name, at, "? is for the day fields only", "use *")
        return range(kind.low, kind.high + 1, step)
    first_text, dash, last_text = base.partition("-")
    first = _number(kind, first_text, at)
    if not dash:
        return range(first, kind.high + 1, step) if slash else (first,)
    last = _number(kind, last_text, at + len(first_text) + 1)
    if first <= last:
        return range(first, last + 1, step)
    if not kind.wraps:
        raise CronError(
            kind.name,
            at,
            f"the range {base} runs backwards",
            f"write {first}-{kind.high},{kind.low}-{last}",
        )
    size = 7 if kind is WEEKDAY else kind.high - kind.low + 1
    return tuple((value - kind.low) % size + kind.low for value in range(first, last + size + 1, step))


def _number(kind: _Kind, text: str, at: int) -> int:
    value = kind.number(text)
    limits = f"{kind.low}-{kind.high}"
    if value is None:
        near = difflib.get_close_matches(text, kind.names, 1)
        hint = f"did you mean {near[0]}?" if near else f"numbers {limits}"
        if not near and kind.names:
            hint += f" or names {kind.names[0]}-{kind.names[-1]}"
        shown = repr(text[:20]) if text else "nothing"
        raise CronError(kind.name, at, f"{shown} where a number is expected", hint)
    if not kind.low <= value <= kind.high:
        raise CronError(kind.name, at, f"{value} is outside {limits}")
    return value


def _hash(kind: _Kind, match: re.Match[str], at: int, salt: str) -> range | tuple[int, ...]:
    if not salt:
        hint = "write a number, or name the job (NS/NAME)"
        raise CronError(kind.name, at, "H needs a job's name to hash", hint)
    low = kind.low
    high = kind.hash_high or kind.high
    if match["low"] is not None:
        low, high = int(match["low"][:5]), int(match["high"][:5])
        if not kind.low <= low <= high <= kind.high:
            raise CronError(kind.name, at, f"the range of H is not within {kind.low}-{kind.high}")
    digest = hashlib.sha256(f"{kind.name}\0{salt}".encode()).digest()
    slot = int.from_bytes(digest[:8], "big")
    if match["step"] is None:
        return (low + slot % (high - low + 1),)
    step = int(match["step"][:5])
    if not 1 <= step <= high - low + 1:
        raise CronError(kind.name, at, f"the step of H is not within 1-{high - low + 1}")
    return range(low + slot % step, high + 1, step)


SHORTEST_MONTH_DAYS = 28


def lint(text: str) -> tuple[str, ...]:
    """Remarks on an expression that is right but may mean something else than its author thinks."""
    words = [m.group().lower() for m in _WORD.finditer(text)]
    if len(words) not in (5, 6):
        return ()
    remarks = []
    for kind, word in zip(KINDS[6 - len(words) :], words, strict=True):
        for item in word.split(","):
            if kind is DAY and (nearest := _NEAREST.fullmatch(item)):
                day = int(nearest[1] or nearest[2])
                if day > SHORTEST_MONTH_DAYS:
                    only = f"{item.upper()} fires in months that have a {day}. alone"
                    remarks.append(f"{kind.name}: {only}; some crons take the last working day of others")
                continue
            base, slash, step_text = item.partition("/")
            if not slash or not (step_text.isascii() and step_text.isdigit()):
                continue
            step, size = int(step_text), kind.high - kind.low + (0 if kind is WEEKDAY else 1)
            start = kind.number(base)
            if start is not None and start + step <= kind.high:
                reading = f"{start}-{kind.high}/{step}"
                remarks.append(f"{kind.name}: {item} is {reading}; some crons read {start} alone")
            elif start is not None:
                beyond = f"since {base}+{step} is beyond {kind.high}"
                remarks.append(f"{kind.name}: {item} is {base} alone, {beyond}")
            elif base == "*" and step >= size:
                remarks.append(f"{kind.name}: {item} is {kind.low} alone")
            elif base == "*" and size % step:
                remarks.append(f"{kind.name}: {item} starts again at {kind.low}: the last step is shorter")
    if words[-3][0] not in "*?" and words[-1][0] not in "*?":
        remarks.append("day of month and day of week are both given: either one is enough")
    return tuple(remarks)
