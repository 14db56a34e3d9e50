"""ISO 8601 repeats, such as `R5/2026-01-31T00:00:00Z/P1M`: what a text means, and its instants.

Rules of this file (docs/reference/job.md, "Repeats"):

1. The n-th instant is start + n × period, counted from the start and never from the one before: a month after
   31 January is 28 February, two months after it 31 March.
2. Years, months, weeks and days are counted on the local date of a zone: the trigger's, else the offset that
   the text is written with, else UTC. Hours, minutes and seconds elapse: PT24H is no day of the calendar.
3. A local time that is jumped over is the instant right after the jump, one that comes twice is the first.
4. Rn is n instants in all, the start among them; R alone has no end. `start/end` repeats the time between
   them: days where both are dates, else what elapses. `period/end` counts back from the end, and ascends.
   `R//period` starts when it is first applied, which whoever reads it has to say.
5. Errors say the reason and the way out: what libraries take in part (fractions of a month, signs, `R0`) is
   refused. So is what one Python reads and another does not.
"""

from __future__ import annotations

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta, timezone

from scheduler.ticks.zones import YEAR_MAX, Zone, year_start_s, zone

EXAMPLE = "R5/2026-01-31T00:00:00Z/P1M"
TEXT_CHARACTERS_MAX = 200
PERIOD_MS_MIN = 100
COUNT_MAX = 1_000_000_000
DAY_S, DAY_MS = 86_400, 86_400_000
END_MS = year_start_s(YEAR_MAX) * 1000
MONTH_MS = 146_097 * DAY_MS // 4_800  #: on the average: four hundred years have 146,097 days

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()
_TIMES_MS = {"H": 3_600_000, "M": 60_000, "S": 1_000}
_IN_BRACKETS = re.compile(r"\[[A-Za-z0-9/_+-]+\]")  # as Temporal writes a zone
_REPEAT = re.compile(r"R([0-9]*)")
_PERIOD = re.compile(
    r"P(?:([0-9]+)Y)?(?:([0-9]+)M)?(?:([0-9]+)W)?(?:([0-9]+)D)?"
    r"(T(?:([0-9]+(?:[.,][0-9]+)?)H)?(?:([0-9]+(?:[.,][0-9]+)?)M)?(?:([0-9]+(?:[.,][0-9]+)?)S)?)?"
)
_DATE = r"[0-9]{4}(?:-?[0-9]{2}-?[0-9]{2}|-?W[0-9]{2}-?[1-7])"
_TIME = r"(?:[01][0-9]|2[0-3])(?::?[0-5][0-9](?::?[0-5][0-9](?:[.,][0-9]{1,6})?)?)?"
_MOMENT = re.compile(rf"{_DATE}(?:T{_TIME}(?:Z|[+-][0-9]{{2}}(?::?[0-9]{{2}})?)?)?")
"""Stricter than what reads it, which takes more from one Python to the next: nodes have to agree."""


class RepeatError(ValueError):
    """A text that is no ISO 8601 repeat, or none that has instants."""

    def __init__(self, reason: str, hint: str = "") -> None:
        super().__init__(reason)
        self.hint = hint


@dataclass(frozen=True, slots=True)
class Period:
    """What is counted on the calendar, and what elapses."""

    months: int
    days: int
    elapsed_ms: int

    @property
    def average_ms(self) -> int:
        return self.months * MONTH_MS + self.days * DAY_MS + self.elapsed_ms


class RepeatSchedule:
    """The instants anchor + n × period, n from `first` to `last` (None: no end), ascending, none twice."""

    __slots__ = ("_anchor_ms", "_day_ms", "_first", "_last", "_local", "_period", "_zone")

    def __init__(self, anchor_ms: int, period: Period, zone: Zone, *, first: int, last: int | None) -> None:
        self._anchor_ms, self._period, self._zone = anchor_ms, period, zone
        self._first, self._last = first, last
        local_ms = anchor_ms + zone.offset_s(anchor_ms // 1000) * 1000
        days, self._day_ms = divmod(local_ms, DAY_MS)
        self._local = date.fromordinal(days + _EPOCH_ORDINAL)

    @property
    def zone(self) -> Zone:
        """Whose calendar its days, months and years are of."""
        return self._zone

    @property
    def per_day(self) -> int:
        return -(-DAY_MS // self._period.average_ms)

    @property
    def first_ms(self) -> int | None:
        """Its first instant of all; None: there is none after 1970."""
        return self._instant_ms(self._first)

    def between(self, after_ms: int, until_ms: int, limit: int = 10_000) -> list[int]:
        """The first `limit` ticks in (after_ms, until_ms]."""
        found: list[int] = []
        n = self._number_after(after_ms)
        while len(found) < limit:
            instant_ms = self._instant_ms(n)
            if instant_ms is None or instant_ms > until_ms:
                break
            if not found or instant_ms > found[-1]:
                found.append(instant_ms)
            n += 1
        return found

    def next(self, after_ms: int) -> int | None:
        """The first tick after `after_ms`; None: nothing comes."""
        return self._instant_ms(self._number_after(after_ms))

    def upcoming(self, after_ms: int, count: int) -> list[int]:
        """The next `count` ticks after `after_ms`."""
        return self.between(after_ms, YEAR_MAX * 366 * DAY_MS, count)

    def _number_after(self, after_ms: int) -> int:
        """Of the first instant after this one: estimated, then found among its neighbours."""
        n = max(self._first, (after_ms - self._anchor_ms) // self._period.average_ms)
        while n > self._first and self._is_after(n - 1, after_ms):
            n -= 1
        while not self._is_after(n, after_ms):
            n += 1
        return n

    def _is_after(self, n: int, after_ms: int) -> bool:
        instant_ms = self._instant_ms(n)
        return instant_ms is None or instant_ms > after_ms

    def _instant_ms(self, n: int) -> int | None:
        """None: it has no such instant."""
        if self._last is not None and n > self._last:
            return None
        period = self._period
        elapsed_ms = n * period.elapsed_ms
        if n == 0 or not (period.months or period.days):
            instant_ms = self._anchor_ms + elapsed_ms
            return instant_ms if instant_ms < END_MS else None
        years, month = divmod(self._local.year * 12 + self._local.month - 1 + n * period.months, 12)
        if not 1 <= years < YEAR_MAX:
            return None
        day = min(self._local.day, monthrange(years, month + 1)[1])
        days = date(years, month + 1, day).toordinal() - _EPOCH_ORDINAL + n * period.days
        naive_s, rest_ms = divmod(days * DAY_MS + self._day_ms, 1000)
        instant_s = self._zone.instant_s(naive_s)
        return None if instant_s is None else instant_s * 1000 + rest_ms + elapsed_ms


@dataclass(frozen=True, slots=True)
class _Moment:
    """An instant as it is written."""

    naive: datetime
    offset: timezone | None  #: None: it has none
    is_date: bool

    def instant_ms(self, where: Zone | None) -> int:
        if self.offset is not None:
            return (self.naive.replace(tzinfo=self.offset) - _EPOCH) // timedelta(milliseconds=1)
        naive_ms = (self.naive.replace(tzinfo=UTC) - _EPOCH) // timedelta(milliseconds=1)
        instant_s = (where or zone("UTC")).instant_s(naive_ms // 1000)
        if instant_s is None:
            raise RepeatError(f"{self.naive.isoformat()} is before 1970 or after the year {YEAR_MAX}")
        return instant_s * 1000 + naive_ms % 1000


def parse_repeat(text: str, named: Zone | None = None, first_applied_ms: int | None = None) -> RepeatSchedule:
    """The schedule of an ISO 8601 repeat in this zone; without a start it is counted from `first_applied_ms`.

    Raises RepeatError.
    """
    count, one, other = _split(text)
    last: int | None
    if not one:
        if first_applied_ms is None:
            raise RepeatError("nothing says when it was first applied", "give a start")
        first_applied = _EPOCH + timedelta(milliseconds=first_applied_ms)
        period, anchor = _period(other), _Moment(first_applied.replace(tzinfo=None), UTC, is_date=False)
        first, last = 0, None if count is None else count - 1
    elif _is_period(one):
        if count is None:
            raise RepeatError("a repeat that ends has to say how often", f"R12/{one[:40]}/{other[:40]}")
        period, anchor = _period(one), _moment(other)
        first, last = 1 - count, 0
    else:
        anchor = _moment(one)
        period = _period(other) if _is_period(other) else _between(anchor, _moment(other), named)
        first, last = 0, None if count is None else count - 1
    where = named or (zone("UTC") if anchor.offset is None else Zone(str(anchor.offset), anchor.offset))
    anchor_ms = anchor.instant_ms(named)
    if not 0 <= anchor_ms < END_MS:
        raise RepeatError(f"{anchor.naive.isoformat()} is before 1970 or after the year {YEAR_MAX}")
    repeated = RepeatSchedule(anchor_ms, period, where, first=first, last=last)
    first_ms = repeated.first_ms
    if first_ms is None or first_ms < 0:
        raise RepeatError("it begins before 1970", "give a smaller number")
    return repeated


def _split(text: str) -> tuple[int | None, str, str]:
    """How often, and the two parts behind it, in capitals."""
    if len(text) > TEXT_CHARACTERS_MAX:
        raise RepeatError("the text is too long")
    if _IN_BRACKETS.search(text):
        raise RepeatError("a repeat names no zone in brackets", "name it in tz")
    parts = text.upper().split("/")
    number = _REPEAT.fullmatch(parts[0])
    if number is None:
        raise RepeatError(f"{text[:60]!r} is no repeat: it begins with R", f"such as {EXAMPLE}")
    if number[1] and int(number[1][:12]) == 0:
        raise RepeatError(f"{parts[0][:20]} repeats nothing", "R1 is once, R alone is without end")
    if len(number[1]) > 10 or int(number[1] or 1) > COUNT_MAX:
        raise RepeatError(f"it repeats more than {COUNT_MAX:,} times", "R alone is without end")
    if len(parts) == 2 and _is_period(parts[1]):
        given, none = (f"{parts[0]}/{start}/{parts[1][:40]}" for start in ("2026-01-31T00:00:00Z", ""))
        raise RepeatError(f"{text[:60]} has no start", f"{given}, or {none} from when it is first applied")
    if len(parts) != 3:
        raise RepeatError(
            f"a repeat has three parts, not {len(parts)}", "R5/start/period, R5/start/end or R5/period/end"
        )
    if not parts[1] and not _is_period(parts[2]):
        raise RepeatError(f"{text[:60]} has no start", "R//P1D starts when it is first applied")
    if _is_period(parts[1]) and _is_period(parts[2]):
        raise RepeatError("two periods and no instant", "R5/start/period or R5/period/end")
    return (int(number[1]) if number[1] else None), parts[1], parts[2]


def _is_period(text: str) -> bool:
    return text.startswith(("P", "-P", "+P"))


def _period(text: str) -> Period:
    shown = text[:40]
    if text.startswith(("-", "+")):
        raise RepeatError(f"the period {shown} has a sign", "time goes forward: write it without")
    match = _PERIOD.fullmatch(text)
    if match is None:
        if re.fullmatch(r"P[0-9.,]*[.,][0-9]+[YMWD].*", text):
            raise RepeatError(f"{shown} has a fraction of a day or more", "PT36H instead of P1.5D")
        raise RepeatError(f"{shown!r} is no period", "such as P1D, P1M, PT24H or P1Y2M10DT2H30M")
    years, months, weeks, days = (int(part or 0) for part in match.group(1, 2, 3, 4))
    if match[5] == "T":
        raise RepeatError(f"nothing follows the T in {shown}", "such as PT15M")
    times = [(unit, part) for unit, part in zip("HMS", match.group(6, 7, 8), strict=True) if part]
    if any("." in part or "," in part for _, part in times[:-1]):
        raise RepeatError(f"in {shown} the fraction is not in the last part", "PT1H30M, not PT1.5H0M")
    period = Period(years * 12 + months, weeks * 7 + days, sum(_elapsed_ms(*each) for each in times))
    if period.average_ms < PERIOD_MS_MIN:
        short = f"the shortest period is {PERIOD_MS_MIN} ms"
        raise RepeatError(
            short if period.average_ms else f"{shown} is no time at all", "such as P1D or PT15M"
        )
    if period.average_ms >= END_MS:
        raise RepeatError(f"{shown} is longer than what is left of time")
    return period


def _elapsed_ms(unit: str, text: str) -> int:
    whole, _, fraction = text.replace(",", ".").partition(".")
    scale: int = 10 ** len(fraction)
    part, rest = divmod(int(fraction or 0) * _TIMES_MS[unit], scale)
    if rest:
        raise RepeatError(f"{text}{unit} is no whole number of milliseconds")
    return int(whole) * _TIMES_MS[unit] + part


def _moment(text: str) -> _Moment:
    if not text:
        raise RepeatError("an instant is missing at its end", f"such as {EXAMPLE}")
    matches = _MOMENT.fullmatch(text)
    try:
        found = datetime.fromisoformat(text) if matches else None
    except ValueError as error:
        raise RepeatError(f"{text[:40]!r} is no instant: {error}", "such as 2026-01-31T00:00:00Z") from None
    if found is None:
        raise RepeatError(f"{text[:40]!r} is no instant", "such as 2026-01-31T00:00:00Z")
    if found.microsecond % 1000:
        raise RepeatError(f"{text[:40]} is finer than a millisecond")
    offset = found.utcoffset()
    return _Moment(found.replace(tzinfo=None), None if offset is None else timezone(offset), "T" not in text)


def _between(start: _Moment, end: _Moment, where: Zone | None) -> Period:
    if start.is_date and end.is_date:
        days, elapsed_ms = (end.naive - start.naive).days, 0
    else:
        days, elapsed_ms = 0, end.instant_ms(where) - start.instant_ms(where)
    if days * DAY_MS + elapsed_ms < PERIOD_MS_MIN:
        raise RepeatError("its end is not after its start", "R5/start/end repeats the time between them")
    return Period(0, days, elapsed_ms)
