"""Dates that a job says by words: `plan_date - 1 workday`, `month_start`, `last friday of quarter`.

    expression = [ "plan_date" | "tick" ] { move }          without a first word: plan_date
    move = ("+" | "-") COUNT UNIT                           UNIT: day, week, month, quarter, year, workday,
                                                            hour, minute, second; or several: days, …
         | ("next" | "previous" | "last") DAY               DAY: workday, or monday … sunday
         | ("first" | "last") (DAY | "day") "of" PERIOD     PERIOD: month, quarter, year
         | PERIOD_start | PERIOD_end                        or week_start, week_end: Monday, Sunday

Rules of this file:

1. Moves are made from left to right, each from what the one before gave. There is nothing to repeat, so many
   moves, each so far: it ends.
2. `next` and `previous` never stay where they are; `last friday` is the one before, as `previous friday`.
   Months keep the day of the month, or end with their last: 31 March - 1 month is the end of February.
3. It is checked when a job is put (`parse`), and counted once, when a run is made (`evaluated`): by the plan
   date, the tick (of a run without one, the instant at which it was made), the clocks of the namespace's
   plan dates, and the calendar of the job's policies as it stands then. So every node gets the same.
4. Workdays are counted on days alone that the calendar knows: beyond them nothing is guessed (`Undated`).
5. A date-time moves by its clock: days keep the time of the day, hours are elapsed time, what names a day
   (month_start, `first workday of month`) is its midnight. A tick in an hour that clocks show twice is that
   tick, and what is so long before or after it is, too.
6. What leaves the years that there are (of an instant 1970 to 8999) has no value: `Undated`. Whatever else is
   raised would stop every node.

No pydantic: the core counts."""

from __future__ import annotations

import difflib
import re
from calendar import monthrange
from collections.abc import Callable
from datetime import date, timedelta
from functools import lru_cache
from typing import NamedTuple

from scheduler.model.problems import shortened
from scheduler.model.quantities import format_instant, parse_instant_ms
from scheduler.ticks.dates import Dates, date_of, day_of
from scheduler.ticks.zones import Zone

DATE, DATETIME = "date", "datetime"
KINDS = (DATE, DATETIME)
LETTERS_MAX = 200
MOVES_MAX = 10
COUNT_MAX = {"workday": 1_000, "second": 10**9, "minute": 10**8, "hour": 10**6}
COUNTS_MAX = 10_000  #: of any other unit
LOOKED_DAYS_MAX = 3_660  #: from one working day to the next one that is asked for

_DAY_S = 86_400
_DAY_MS = 86_400_000
_ELAPSED_S = {"hour": 3_600, "minute": 60, "second": 1}
_MONTHS = {"month": 1, "quarter": 3, "year": 12}
_UNITS = ("day", "week", "month", "quarter", "year", "workday", *_ELAPSED_S)
_WEEKDAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
_PERIODS = ("week", *_MONTHS)
_EDGES = {f"{period}_{edge}": (edge, period) for period in _PERIODS for edge in ("start", "end")}
_MEANT = {
    "today": "plan_date", "ds": "plan_date", "date": "plan_date", "now": "tick", "ts": "tick",
    "execution_date": "plan_date", "logical_date": "tick", "yesterday": "plan_date - 1 day",
    "tomorrow": "plan_date + 1 day", "prior": "previous", "businessday": "workday", "business": "workday",
    "weekday": "workday",
}  # fmt: skip
"""What people write elsewhere (Airflow, JAMS, shells), and how it is said here."""
_WORDS = ("plan_date", "tick", "next", "previous", "last", "first", "of", *_UNITS, *_WEEKDAYS, *_EDGES)
_TOKEN = re.compile(r"[ \t]*([A-Za-z_]+|[0-9]+|[+-])")
_DATE = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")


class DateError(ValueError):
    """A text that is no date and says none. `start`: of what is wrong, from 0; None: all of it."""

    def __init__(self, detail: str, start: int | None = None, hint: str = "") -> None:
        super().__init__(detail if start is None else f"at {start + 1}: {detail}")
        self.hint = hint


class Undated(Exception):
    """It has no value for this run."""


class Move(NamedTuple):
    how: str  #: add | next | previous | first | last | start | end
    what: str  #: a unit, a day, or a period
    number: int = 0  #: of add, with its sign
    of: str = ""  #: of first and last: the period


class Moves(NamedTuple):
    from_tick: bool
    moves: tuple[Move, ...]

    @property
    def asks_for_workdays(self) -> bool:
        return any(move.what == "workday" for move in self.moves)


class Known(NamedTuple):
    """The days that a calendar knows."""

    name: str
    dates: Dates
    since: int | None  #: None: it knows all before, too
    until: int | None

    def works(self, day: int) -> bool:
        """Raises Undated."""
        if (self.since is not None and day < self.since) or (self.until is not None and day > self.until):
            edge = f"until {date_of(self.until)}" if self.until is not None and day > self.until else ""
            edge = edge or f"from {date_of(self.since or 0)} on"
            said = f"calendar {self.name} knows days {edge}"
            raise Undated(f"whether {date_of(day)} is a workday is not known: {said}")
        return self.dates.is_worked(day)


class About(NamedTuple):
    """The run for which dates are counted."""

    plan_day: int
    at_ms: int  #: its tick; of one that has none, when it is made
    zone: Zone  #: of its namespace's plan dates
    known: Callable[[], Known | None]  #: the calendar of its job


def is_literal(text: str) -> bool:
    return "0" <= text[:1] <= "9"


def fault(kind: str, text: str) -> tuple[str, str]:
    """Why this text says no date, or no instant, and a hint; empty: it does."""
    try:
        normal(kind, text) if is_literal(text) else parse(text, kind)
    except DateError as error:
        return str(error), error.hint
    return "", ""


def asks_for_workdays(kind: str, value: object) -> bool:
    """Of a value that is of this type."""
    is_said = kind in KINDS and isinstance(value, str) and not is_literal(value)
    return is_said and parse(str(value), kind).asks_for_workdays


def normal(kind: str, text: str) -> str:
    """A date as it is, an instant in UTC. Raises DateError."""
    try:
        if kind == DATETIME:
            return format_instant(parse_instant_ms(text))
        if not _DATE.fullmatch(text):
            raise ValueError("write it like 2026-12-31")
        return date.fromisoformat(text).isoformat()
    except ValueError as error:
        said = str(error) if kind == DATETIME else f"{shortened(text)}: {error}"
        raise DateError(said, hint=_such(kind)) from None


def _such(kind: str) -> str:
    literal = "2026-12-31" if kind == DATE else "2026-12-31T23:00:00Z"
    return f"such as {literal}, plan_date - 1 workday, month_start, last friday of month"


@lru_cache(maxsize=1_024)
def parse(text: str, kind: str) -> Moves:
    """Raises DateError."""
    if len(text) > LETTERS_MAX:
        raise DateError(f"it is {len(text)} letters long, at most {LETTERS_MAX} are allowed")
    reader = _Reader(text, kind)
    if reader.word is None:
        raise DateError("it is empty", hint=_such(kind))
    from_tick = reader.word == "tick"
    if reader.word in ("tick", "plan_date"):
        reader.take()
    moves: list[Move] = []
    while reader.word is not None:
        if len(moves) == MOVES_MAX:
            raise DateError(f"it has more than {MOVES_MAX} moves", reader.start)
        start = reader.start
        move = reader.move()
        if move.what in _ELAPSED_S and kind == DATE and not from_tick:
            hint = "count from tick, or make it a datetime"
            raise DateError(f"a date has no {move.what}s", start, hint)
        moves.append(move)
    return Moves(from_tick, tuple(moves))


class _Reader:
    def __init__(self, text: str, kind: str) -> None:
        self._text, self._kind, self._at = text, kind, 0
        self.word: str | None = None
        self.start = 0
        self.take()

    def take(self) -> str:
        """The word, and go to the next. Raises DateError."""
        before = self.word or ""
        found = _TOKEN.match(self._text, self._at)
        if found is None:
            self.start = len(self._text) - len(self._text[self._at :].lstrip())
            if self.start < len(self._text):
                said = f"{self._text[self.start]!r} means nothing here"
                raise DateError(said, self.start, _such(self._kind))
            self.word = None
        else:
            self.word, self.start, self._at = found[1], found.start(1), found.end()
        return before

    def move(self) -> Move:
        first, start = self.word, self.start
        self.take()
        if first in ("+", "-"):
            return self._added(first)
        if first in _EDGES:
            return Move(*_EDGES[first])
        if first in ("next", "previous", "first", "last"):
            return self._named(first, start)
        if first in ("plan_date", "tick"):
            raise DateError(f"{first} stands at the beginning alone", start, "count from there by + and -")
        raise self._strange(first or "", start, _WORDS)

    def _added(self, sign: str) -> Move:
        digits, start = self.word, self.start
        if digits is None or not (digits.isascii() and digits.isdigit()):
            raise DateError(f"{sign} is followed by a number", start, f"such as {sign} 1 day")
        self.take()
        unit = self._one_of(_UNITS, plural=True)
        count, most = int(digits), COUNT_MAX.get(unit, COUNTS_MAX)
        if not 1 <= count <= most:
            raise DateError(f"{unit}s are counted from 1 to {most}", start)
        return Move("add", unit, count if sign == "+" else -count)

    def _named(self, how: str, start: int) -> Move:
        what = self._one_of((*_WEEKDAYS, "workday", "day"))
        if self.word == "of":
            self.take()
            period = self._one_of(tuple(_MONTHS))
            if how in ("next", "previous"):
                raise DateError(f"{how} is of no {period}", start, f"first or last {what} of {period}")
            return Move(how, what, of=period)
        if how == "first" or what == "day" or (how, what) == ("last", "workday"):
            other = f"{'next' if how == 'first' else 'previous'} {what}"
            other = other if what != "day" else f"{'-' if how in ('last', 'previous') else '+'} 1 day"
            raise DateError(f"of what is it the {how} {what}?", start, f"{how} {what} of month; or {other}")
        return Move("previous" if how == "last" else how, what)

    def _one_of(self, words: tuple[str, ...], *, plural: bool = False) -> str:
        word, start = self.word, self.start
        if word is None:
            raise DateError("it ends too early", start, f"one of {', '.join(words)}")
        single = word.removesuffix("s") if plural else word
        if single not in words:
            raise self._strange(word, start, words)
        self.take()
        return single

    def _strange(self, word: str, start: int, words: tuple[str, ...]) -> DateError:
        near = _MEANT.get(word) or next(iter(difflib.get_close_matches(word, words, 1)), "")
        hint = f"did you mean {near}?" if near else _such(self._kind) if words is _WORDS else ", ".join(words)
        return DateError(f"{shortened(word)} means nothing here", start, hint)


def evaluated(kind: str, text: str, about: About) -> str:
    """The date, or the instant. Raises DateError, Undated."""
    said = parse(text, kind)
    try:
        return _counted(kind, said, about)
    except (OverflowError, ValueError) as error:
        raise Undated(f"{text} leaves the years that there are") from error


def _counted(kind: str, said: Moves, about: About) -> str:
    # What clocks show twice says no instant: so the instant itself goes on, until a move is of the clock.
    at_ms = about.at_ms if said.from_tick else None
    when, of_day_ms = _clock(at_ms, about.zone) if at_ms is not None else (date_of(about.plan_day), 0)
    for move in said.moves:
        if move.what in _ELAPSED_S:
            begun_ms = _instant_ms(when, of_day_ms, about.zone) if at_ms is None else at_ms
            at_ms = begun_ms + move.number * _ELAPSED_S[move.what] * 1_000
            when, of_day_ms = _clock(at_ms, about.zone)
            continue
        at_ms = None
        if move.how in ("start", "end", "first", "last"):
            of_day_ms = 0
        when = _moved(when, move, about)
    if kind == DATE:
        return when.isoformat()
    return format_instant(_instant_ms(when, of_day_ms, about.zone) if at_ms is None else at_ms)


_END_MS = 250_000_000_000_000


def _clock(at_ms: int, zone: Zone) -> tuple[date, int]:
    """What clocks show then."""
    if not 0 <= at_ms < _END_MS:
        raise OverflowError
    day, of_day_ms = divmod(at_ms + zone.offset_s(at_ms // 1_000) * 1_000, _DAY_MS)
    return date_of(day), of_day_ms


def _instant_ms(when: date, of_day_ms: int, zone: Zone) -> int:
    """At which clocks show this first; of what they jump over, that of the jump."""
    of_day_s, ms = divmod(of_day_ms, 1_000)
    at_s = zone.instant_s(day_of(when) * _DAY_S + of_day_s)
    if at_s is None:
        raise OverflowError
    return at_s * 1_000 + ms


def _moved(when: date, move: Move, about: About) -> date:
    if move.how == "add" and move.what in _MONTHS:
        return _months_on(when, move.number * _MONTHS[move.what])
    if move.how == "add" and move.what == "workday":
        return _workdays_on(when, move.number, about)
    if move.how == "add":
        return when + timedelta(days=move.number * (7 if move.what == "week" else 1))
    if move.how in ("start", "end"):
        return _edge(when, move.what, last=move.how == "end")
    if move.how in ("first", "last"):
        # The day before the first, or after the last: what is looked for begins beside it.
        is_last = move.how == "last"
        edge = _edge(when, move.of, last=is_last)
        if move.what == "day":
            return edge
        beside = edge + timedelta(days=1 if is_last else -1)
        found = _beside(beside, move.what, -1 if is_last else 1, about)
        if (found < _edge(when, move.of, last=False)) or (found > _edge(when, move.of, last=True)):
            raise Undated(f"the {move.of} of {when} has no {move.what}")
        return found
    return _beside(when, move.what, 1 if move.how == "next" else -1, about)


def _beside(when: date, what: str, step: int, about: About) -> date:
    """The next such day, or the one before; never this one."""
    if what == "workday":
        return _workdays_on(when, step, about)
    away = (_WEEKDAYS.index(what) - when.weekday()) * step % 7 or 7
    return when + timedelta(days=away * step)


def _months_on(when: date, months: int) -> date:
    year, month = divmod(when.year * 12 + when.month - 1 + months, 12)
    return date(year, month + 1, min(when.day, monthrange(year, month + 1)[1]))


def _edge(when: date, period: str, *, last: bool) -> date:
    if period == "week":
        return when + timedelta(days=(6 if last else 0) - when.weekday())
    months = _MONTHS[period]
    first = when.replace(month=(when.month - 1) // months * months + 1, day=1)
    return _months_on(first, months) - timedelta(days=1) if last else first


def _workdays_on(when: date, count: int, about: About) -> date:
    known = about.known()
    if known is None:
        raise Undated("no calendar says which days are workdays: the job names none in policies.calendar")
    day, step, left, looked = day_of(when), 1 if count > 0 else -1, abs(count), 0
    while left:
        day += step
        looked += 1
        if looked > LOOKED_DAYS_MAX:
            raise Undated(f"calendar {known.name} has no workday within {LOOKED_DAYS_MAX} days of {when}")
        if known.works(day):
            left, looked = left - 1, 0
    return date_of(day)
