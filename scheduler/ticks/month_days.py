"""Which days of a month an expression matches.

Plain numbers and `L-3` are decided here. The forms that depend on the month (L, W, #) are croniter's: this is
the one file that imports it. croniter only ever sees naive dates and one form at a time: it takes
no mixed lists, joins `*/2` in a day field by OR unlike cron, and its zones fire twice in an overlap.
"""

from __future__ import annotations

from calendar import monthrange
from datetime import datetime, timedelta
from functools import lru_cache

from croniter import croniter  # type: ignore[import-untyped]  # it ships no types

from scheduler.ticks.expression import LAST_WORKDAY, Days, Expression, Join

_NEAREST_TO_THE_END = "31w"
"""To croniter the working day nearest to the month's last day, however short the month. Here `31W` means a
month that has a 31st, as `31` does: only LW is this form.
"""
CYCLE_YEARS = 400
"""The Gregorian calendar repeats, weekdays included."""


@lru_cache(maxsize=16_384)
def month_days(
    days: Days, months: tuple[int, ...], weekdays: Days, year: int, month: int, join: Join = "debian"
) -> tuple[int, ...]:
    """The matching days of one month, ascending."""
    if month not in months:
        return ()
    first_weekday, length = monthrange(year, month)
    shift = first_weekday  # monthrange counts from Monday, cron from Sunday: day d is (shift + d) % 7
    by_day = set(days.values)
    by_weekday = {d for d in range(1, length + 1) if (shift + d) % 7 in weekdays.values}
    for form in days.special:
        if form == LAST_WORKDAY:
            by_day.update(_special_days(_NEAREST_TO_THE_END, "*", year, month))
        elif form.startswith("l-"):
            by_day.add(length - int(form[2:]))
        elif not form.endswith("w") or int(form[:-1]) <= length:
            by_day.update(_special_days(form, "*", year, month))
    for form in weekdays.special:
        by_weekday.update(_special_days("*", form, year, month))
    either = join == "either" or (join == "debian" and not (days.star or weekdays.star))
    matching = by_day | by_weekday if either else by_day & by_weekday
    return tuple(d for d in range(1, length + 1) if d in matching)


@lru_cache(maxsize=4_096)
def _special_days(day: str, weekday: str, year: int, month: int) -> tuple[int, ...]:
    start = datetime(year, month, 1)
    instants = croniter(f"0 0 {day} * {weekday}", start - timedelta(minutes=1), ret_type=datetime)
    found: list[int] = []
    while len(found) < 31:
        instant = instants.get_next()
        if (instant.year, instant.month) != (year, month):
            break
        found.append(instant.day)
    return tuple(found)


def ever_matches(expression: Expression, join: Join = "debian") -> bool:
    """False for expressions such as `0 0 30 2 *`, whose day exists in no month of any year."""
    return any(
        month_days(expression.days, expression.months, expression.weekdays, year, month, join)
        for year in range(2000, 2000 + CYCLE_YEARS)
        for month in expression.months
    )
