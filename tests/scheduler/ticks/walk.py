"""Cron's instants by walking minute after minute: it shares nothing with the product but the text.

    python -m tests.scheduler.ticks.walk --triples 200000 --seed 1        every zone of tzdata, 2024 to 2030

Rules of this file:

1. An expression is drawn together with what it matches: sets of numbers, and a question for each special
   day. So nothing here reads cron's syntax.
2. Each minute of a window is shown to a clock of that zone (zoneinfo), as a person would read it: day,
   weekday, hour, minute, and whether it shows them for the second time. A gap is what the clock leaves out.
3. `literal` fires whenever the clock shows the time; `skip` not when it shows it again; `cron` as `literal`
   where minute or hour begins with a star, else as `skip`, and once right after a gap for all that was left
   out.
4. Four of five windows lie around a change of the zone's clock, where it has one in these years.
"""

from __future__ import annotations

import argparse
import random
import sys
from calendar import monthrange
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from functools import lru_cache
from importlib.resources import files
from zoneinfo import ZoneInfo

from scheduler.ticks import cron_spec, schedule
from tests.scheduler.ticks.test_oracles import packaged_zone

FIRST, LAST = datetime(2024, 1, 1, tzinfo=UTC), datetime(2031, 1, 1, tzinfo=UTC)
POLICIES = ("cron", "skip", "literal")
MINUTE = timedelta(minutes=1)
WINDOW_DAYS = 3
PER_WINDOW = 20  #: expressions that look at the same one
NAMES = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")

Days = Callable[[date], bool]


@dataclass(frozen=True, slots=True)
class Expression:
    text: str
    minutes: frozenset[int]
    hours: frozenset[int]
    months: frozenset[int]
    of_month: Days
    of_week: Days
    either: bool  #: of the two kinds of days one is enough
    is_fixed: bool  #: minute and hour are, as cron says

    def matches_day(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        found = self.of_month(day), self.of_week(day)
        return any(found) if self.either else all(found)


@dataclass(frozen=True, slots=True)
class Shown:
    """What the clock shows at an instant, or would have shown."""

    at: datetime
    day: date
    hour: int
    minute: int
    again: bool
    left_out: bool  #: it never did: `at` is right after the gap


def zones() -> list[str]:
    names = files("tzdata").joinpath("zones").read_text(encoding="ascii").split()
    return sorted(set(names) - {"Factory"})


@lru_cache(maxsize=64)
def changes(zone: str) -> tuple[datetime, ...]:
    """Days in which this zone's clock is changed."""
    clock, found = packaged_zone(zone), []
    day, before = FIRST, FIRST.astimezone(clock).utcoffset()
    while day < LAST:
        day += timedelta(days=1)
        offset = day.astimezone(clock).utcoffset()
        if offset != before:
            found.append(day - timedelta(days=1))
        before = offset
    return tuple(found)


def shown(clock: ZoneInfo, start: datetime, minutes: int) -> list[Shown]:
    """Each minute after `start`, and what was left out right before it."""
    found = []
    before = start.astimezone(clock).utcoffset() or timedelta()
    for number in range(1, minutes + 1):
        at = start + number * MINUTE
        local = at.astimezone(clock)
        offset = local.utcoffset() or timedelta()
        for step in range(int((offset - before) / MINUTE)):
            gone = (at + before + step * MINUTE).replace(tzinfo=None)
            found.append(Shown(at, gone.date(), gone.hour, gone.minute, again=False, left_out=True))
        again = bool(local.fold)
        found.append(Shown(at, local.date(), local.hour, local.minute, again=again, left_out=False))
        before = offset
    return found


def expected(expression: Expression, dst: str, window: list[Shown]) -> list[datetime]:
    days: dict[date, bool] = {}
    found: dict[datetime, None] = {}
    by_clock = dst == "literal" or (dst == "cron" and not expression.is_fixed)
    for each in window:
        if each.minute not in expression.minutes or each.hour not in expression.hours:
            continue
        if (each.left_out and (by_clock or dst == "skip")) or (each.again and not by_clock):
            continue
        if each.day not in days:
            days[each.day] = expression.matches_day(each.day)
        if days[each.day]:
            found[each.at] = None
    return list(found)


def _numbers(rng: random.Random, low: int, high: int, star: float) -> tuple[str, frozenset[int]]:
    every = range(low, high + 1)
    if rng.random() < star:
        return "*", frozenset(every)
    if rng.random() < 0.15:
        step = rng.randint(1, high)
        return f"*/{step}", frozenset(every[::step])
    texts, found = [], set()
    for _ in range(rng.choice((1, 1, 1, 2, 3))):
        first, last = sorted((rng.randint(low, high), rng.randint(low, high)))
        step = rng.choice((1, 1, 2, 3, 7))
        if first == last or rng.random() < 0.6:
            texts.append(str(first))
            found.add(first)
        else:
            texts.append(f"{first}-{last}" + (f"/{step}" if step > 1 else ""))
            found.update(range(first, last + 1, step))
    return ",".join(texts), frozenset(found)


def _last(day: date) -> int:
    return monthrange(day.year, day.month)[1]


def _weekday_near(day: date, number: int) -> bool:
    """Whether it is the working day nearest to that date, within its month."""
    wanted = day.replace(day=number)
    shift = {5: -1, 6: 1}.get(wanted.weekday(), 0)
    if not 1 <= number + shift <= _last(day):
        shift = 2 if shift < 0 else -2
    return day.day == number + shift


def _of_month(rng: random.Random) -> tuple[str, Days]:
    before, near = rng.randint(1, 6), rng.randint(1, 28)
    special: list[tuple[str, Days]] = [
        ("L", lambda day: day.day == _last(day)),
        (f"L-{before}", lambda day: day.day == _last(day) - before),
        ("LW", lambda day: _weekday_near(day, _last(day))),
        (f"{near}W", lambda day: _weekday_near(day, near)),
    ]
    if rng.random() < 0.2:
        return rng.choice(special)
    text, numbers = _numbers(rng, 1, 31, 0.5)
    return text, lambda day: day.day in numbers


def _of_week(rng: random.Random) -> tuple[str, Days]:
    weekday, nth = rng.randint(0, 6), rng.randint(1, 5)
    special: list[tuple[str, Days]] = [
        (f"{NAMES[weekday]}#{nth}", lambda day: _is(day, weekday) and (day.day - 1) // 7 + 1 == nth),
        (f"{NAMES[weekday]}L", lambda day: _is(day, weekday) and day.day + 7 > _last(day)),
    ]
    if rng.random() < 0.15:
        return rng.choice(special)
    text, numbers = _numbers(rng, 0, 6, 0.6)
    return text, lambda day: (day.weekday() + 1) % 7 in numbers


def _is(day: date, weekday: int) -> bool:
    return (day.weekday() + 1) % 7 == weekday


def drawn(rng: random.Random) -> Expression:
    minute, minutes = _numbers(rng, 0, 59, 0.15)
    hour, hours = _numbers(rng, 0, 23, 0.3)
    if rng.random() < 0.5:  # where clocks change
        first = rng.randint(0, 3)
        hour, hours = f"{first}", frozenset({first})
    of_month, in_month = _of_month(rng)
    month, months = _numbers(rng, 1, 12, 0.8)
    of_week, in_week = _of_week(rng)
    starred = of_month.startswith("*") or of_week.startswith("*")
    return Expression(
        f"{minute} {hour} {of_month} {month} {of_week}", minutes, hours, months, in_month, in_week,
        either=not starred, is_fixed=not minute.startswith("*") and not hour.startswith("*"),
    )  # fmt: skip


def windows(rng: random.Random, names: list[str]) -> Iterator[tuple[str, datetime]]:
    """A zone after the other, and where to look."""
    while True:
        for name in rng.sample(names, len(names)):
            days = changes(name)
            if days and rng.random() < 0.8:
                start = rng.choice(days) - timedelta(minutes=rng.randint(0, 1_440))
            else:
                start = FIRST + timedelta(minutes=rng.randint(0, (LAST - FIRST) // MINUTE - 5_000))
            yield name, start


def differences(rng: random.Random, names: list[str], triples: int) -> Iterator[str]:
    """What differs, of so many of (zone, expression, window), each by every policy and cut at random."""
    minutes = WINDOW_DAYS * 1_440
    for name, start in windows(rng, names):
        window = shown(packaged_zone(name), start, minutes)
        for _ in range(min(PER_WINDOW, triples)):
            expression = drawn(rng)
            for dst in POLICIES:
                want = [round(at.timestamp() * 1000) for at in expected(expression, dst, window)]
                try:
                    ticks = schedule(cron_spec(expression.text, tz=name, dst=dst))
                except ValueError as error:
                    yield f"{expression.text!r} is refused: {error}"
                    continue
                after, until = (round((start + n * MINUTE).timestamp() * 1000) for n in (0, minutes))
                cut = rng.randint(after, until)
                whole = ticks.between(after, until, limit=10**6)
                parts = ticks.between(after, cut, limit=10**6) + ticks.between(cut, until, limit=10**6)
                if whole != want or parts != whole:
                    told = [str(datetime.fromtimestamp(ms / 1000, UTC)) for ms in set(whole) ^ set(want)]
                    yield f"{name} {dst} {expression.text!r} from {start}: {sorted(told)[:4]}, cut at {cut}"
        triples -= PER_WINDOW
        if triples <= 0:
            return


def main() -> int:
    made = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0] if __doc__ else None)
    made.add_argument("--triples", type=int, default=200_000, help="of zone, expression and window")
    made.add_argument("--seed", type=int, default=1)
    given = made.parse_args()
    found = Counter[str]()
    for each in differences(random.Random(given.seed), zones(), given.triples):
        found[each] += 1
        print(each, flush=True)
    print(f"{given.triples:,} triples, seed {given.seed}, {len(zones())} zones: {found.total()} differences")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
