"""Periods of JS7 and of JobScheduler 1.x: one start, or a repeat between a begin and an end, on certain days.

By their source (JOC, scheduler_object.cxx): a repeat's steps are counted from the begin, the end is excluded,
and each is kept as a time of the clock that comes once a day. So nothing runs in the hour that clocks skip,
and the hour that comes twice runs once: our `skip`.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
from typing import Any, NamedTuple

from cli.importing.gathering import NotTaken
from cli.importing.schedules.spelling import expression, spelled

DAY_S = 86_400
TRIGGERS_MAX = 20


def clock_s(text: str) -> int:
    """Seconds of the day of a begin, an end or a start: `05`, `05:30`, `05:30:00`, filled from the right."""
    words = text.strip().split(":")
    if not 1 <= len(words) <= 3 or not all(
        word.isascii() and word.isdigit() and len(word) < 3 for word in words
    ):
        raise NotTaken(f"{text!r} is no time of the day")
    hour, minute, second = (*map(int, words), 0, 0)[:3]
    if minute > 59 or second > 59 or hour * 3600 + minute * 60 + second > DAY_S:
        raise NotTaken(f"{text!r} is no time of the day")
    return hour * 3600 + minute * 60 + second


def repeated(begin_s: int, end_s: int, step_s: int) -> set[int]:
    if step_s <= 0:
        raise NotTaken("a repeat of no time")
    return set(range(begin_s, end_s, step_s))


class Days(NamedTuple):
    """Days of the month, months and days of the week; one of the two day fields is `*`."""

    day: str = "*"
    month: str = "*"
    weekday: str = "*"


def triggers(starts: Iterable[tuple[Days, set[int]]], tz: str) -> list[dict[str, Any]]:
    """Cron triggers for these seconds of these days. What several name is due once. Raises NotTaken."""
    by_time: dict[int, set[Days]] = defaultdict(set)
    for days, times in starts:
        for time_s in times:
            if time_s < DAY_S:
                by_time[time_s].add(days)
    by_days: dict[frozenset[Days], list[int]] = defaultdict(list)
    for time_s, some in sorted(by_time.items()):
        by_days[frozenset(some)].append(time_s)
    found = []
    for several, times_s in by_days.items():
        days, joined = _together(several)
        for at in _clock_fields(times_s):
            found.append({"cron": expression(*at, *days), "tz": tz, "dst": "skip"} | joined)
    if len(found) > TRIGGERS_MAX:
        raise NotTaken("it is due at times that cron's fields cannot say: use `every`, with a start")
    return found


def _together(several: frozenset[Days]) -> tuple[Days, dict[str, str]]:
    if Days() in several:
        return Days(), {}
    if len({days.month for days in several}) > 1:
        raise NotTaken("other days in some months than in others, at one time: make two jobs of it")
    month = next(iter(several)).month
    day = ",".join(sorted({days.day for days in several if days.day != "*"})) or "*"
    weekday = ",".join(sorted({days.weekday for days in several if days.weekday != "*"})) or "*"
    return Days(day, month, weekday), {"days": "either"} if "*" not in (day, weekday) else {}


def _clock_fields(times_s: Iterable[int]) -> Iterator[tuple[str, str, str]]:
    """Seconds, minutes and hours: as few as there can be whose products are these times."""
    by_hour: dict[int, set[tuple[int, int]]] = defaultdict(set)
    for time_s in times_s:
        by_hour[time_s // 3600].add((time_s // 60 % 60, time_s % 60))
    hours: dict[frozenset[tuple[int, int]], list[int]] = defaultdict(list)
    for hour, within in sorted(by_hour.items()):
        hours[frozenset(within)].append(hour)
    for within_hour, some in hours.items():
        by_minute: dict[int, set[int]] = defaultdict(set)
        for minute, second in within_hour:
            by_minute[minute].add(second)
        minutes: dict[frozenset[int], list[int]] = defaultdict(list)
        for minute, second_set in sorted(by_minute.items()):
            minutes[frozenset(second_set)].append(minute)
        for second_numbers, minute_numbers in minutes.items():
            yield spelled(second_numbers, "second"), spelled(minute_numbers, "minute"), spelled(some, "hour")


def last_day(days_before: int) -> str:
    """So many days before the last one of the month."""
    if not 0 <= days_before <= 27:
        raise NotTaken(
            f"{days_before} days before a month's last: only the last 28 days of a month can be kept"
        )
    return f"L-{days_before}" if days_before else "L"
