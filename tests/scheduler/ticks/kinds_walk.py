"""Elapsed time, ISO 8601 repeats, calendars and working days, against walks that know nothing of ours.

    python -m tests.scheduler.ticks.kinds_walk --triples 200000 --seed 1        of each kind

every     step by step from its start
iso8601   each instant from the start by dateutil, through zoneinfo; hours elapse
days      an expression of cron, or one of these, by a calendar: day by day (`test_dated.Walk`)

Each triple is a spec, a zone of tzdata and a range within 2024 to 2030, which is cut at random. An
expression of cron is looked at under each DST policy.
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Callable, Iterator, Sequence
from datetime import UTC, date, datetime, timedelta

from dateutil.relativedelta import relativedelta

from scheduler.ticks import cron_spec, dated_spec, every_spec, iso8601_spec, schedule
from scheduler.ticks.dated import NONWORKING
from scheduler.ticks.dates import written
from tests.scheduler.ticks.test_dated import Walk
from tests.scheduler.ticks.test_oracles import packaged_zone
from tests.scheduler.ticks.walk import FIRST, LAST, POLICIES, changes, zones

DAY_MS, MINUTE_MS = 86_400_000, 60_000
FIRST_MS, LAST_MS = (round(at.timestamp() * 1000) for at in (FIRST, LAST))
MANY = 10**6
PERIODS = {"Y": "years", "M": "months", "W": "weeks", "D": "days"}
WORKDAYS = (1, 2, 5, 15, -1, -3)
HOURS = (0, 1, 1, 1, 2, 2, 2, 3)  #: in which clocks change
MONTHS = {"month": 1, "quarter": 3, "year": 12}

Range = tuple[int, int]
Case = tuple[str, bytes, Range, list[int]]
"""In words, the spec, the range and the instants in it."""
Triple = list[Case]
"""One, or one for each DST policy."""


def _range(rng: random.Random, zone: str, days: float) -> Range:
    """Mostly around a change of the clocks."""
    days_of = changes(zone)
    length_ms = round(days * DAY_MS)
    if days_of and rng.random() < 0.8:
        after_ms = round(rng.choice(days_of).timestamp() * 1000) - rng.randint(0, length_ms)
    else:
        after_ms = rng.randint(FIRST_MS, LAST_MS - length_ms)
    return after_ms, after_ms + length_ms


def every(rng: random.Random, zone: str) -> Triple:
    after_ms, until_ms = _range(rng, zone, 3)
    period_ms = rng.choice((rng.randint(600_000, 10**7), rng.randint(1, 3_000) * MINUTE_MS))
    start_ms = after_ms + rng.randint(-400, 40) * period_ms + rng.randint(-1, 1)
    want, at_ms = [], start_ms
    while at_ms <= until_ms:
        want += [at_ms] if at_ms > after_ms else []
        at_ms += period_ms
    spec = every_spec(period_ms, start_ms)
    return [(f"every {period_ms} ms from {start_ms}", spec, (after_ms, until_ms), want)]


def _walk(zone: str, off: set[date], worked: set[date], weekend: set[int]) -> Walk:
    """By the zone data of the package, as the product has it, not by that of this host."""
    walk = Walk(off, worked, weekend, "UTC")
    walk.zone = packaged_zone(zone)
    return walk


def repeat(rng: random.Random, zone: str) -> tuple[str, Callable[[int], int]]:
    """A text, and its n-th instant."""
    walk = _walk(zone, set(), set(), set())
    minute = rng.randrange((LAST - FIRST) // timedelta(minutes=1))
    written_as = (FIRST + timedelta(minutes=minute)).replace(tzinfo=None)
    # What no clock shows means the first instant after it, and is counted from that.
    start = walk.of(walk.instant_ms(written_as.date(), written_as.time())).replace(tzinfo=None)
    units = rng.sample(sorted(PERIODS), rng.choice((0, 1, 1, 1, 2)))
    parts = {unit: rng.randint(1, 3 if unit == "Y" else 40) for unit in units}
    minutes = rng.choice((0, rng.randint(1, 3_000))) if parts else rng.randint(60, 5_000)
    period = "P" + "".join(f"{parts[unit]}{unit}" for unit in PERIODS if unit in parts)
    period += f"T{minutes}M" if minutes else ""

    def nth(n: int) -> int:
        local = start + relativedelta(**{PERIODS[unit]: n * number for unit, number in parts.items()})
        return walk.instant_ms(local.date(), local.time()) + n * minutes * MINUTE_MS

    return f"{written_as.isoformat()}/{period}", nth


def iso8601(rng: random.Random, zone: str) -> Triple:
    text, nth = repeat(rng, zone)
    count = rng.choice((1, 2, 12, 40))
    instants = [nth(n) for n in range(count)]
    around = rng.choice(instants)
    after_ms = around - rng.randint(0, 40) * DAY_MS - rng.randint(0, 1)
    until_ms = around + rng.randint(0, 400) * DAY_MS
    want = sorted({at_ms for at_ms in instants if after_ms < at_ms <= until_ms})
    return [(f"R{count}/{text}", iso8601_spec(f"R{count}/{text}", zone), (after_ms, until_ms), want)]


def days(rng: random.Random, zone: str) -> Triple:
    after_ms, until_ms = _range(rng, zone, rng.choice((3, 10, 30)))
    around = datetime.fromtimestamp(after_ms / 1000, UTC).date()
    some = [around + timedelta(days=rng.randint(-40, 80)) for _ in range(rng.choice((0, 5, 30)))]
    off, worked = set(some[::2]), set(some[1::2])
    weekend = set(rng.sample(range(7), rng.choice((0, 1, 2, 2, 2, 4))))
    minute, hour = rng.randrange(60), rng.choice((*HOURS, rng.randrange(24)))
    text = f"{minute} {hour} {rng.choice(('*', '*', '1-20', '31', 'L'))} * *"
    bare = {f"{text} {dst}": cron_spec(text, tz=zone, dst=dst) for dst in POLICIES}
    if rng.random() < 0.2:
        text = f"R400/{repeat(rng, zone)[0]}"
        bare = {text: iso8601_spec(text, zone)}
    nonworking, workday = rng.choice(NONWORKING), None
    if rng.random() < 0.4:
        nonworking, workday = "ignore", (rng.choice(WORKDAYS), rng.choice(tuple(MONTHS)))
    is_included = rng.random() < 0.5
    dates = written("c", weekend=weekend, off=off, worked=worked, until=None)
    by = {"include": [dates]} if is_included else {"exclude": [dates]}
    walk = _walk(zone, off, worked, weekend)
    reach_ms = 50 * DAY_MS if nonworking in ("before", "after", "modified") else 0
    said = f"{nonworking} {workday} {'in' if is_included else 'ex'}cluded, {weekend}, {sorted(off)}"
    triple = []
    for words, each in bare.items():
        spec = dated_spec(each, nonworking=nonworking, workday=workday, **by)
        due = {
            _due(walk, at_ms, nonworking, workday, is_included=is_included)
            for at_ms in schedule(each).between(after_ms - reach_ms, until_ms + reach_ms, MANY)
        }
        want = sorted(at_ms for at_ms in due if at_ms is not None and after_ms < at_ms <= until_ms)
        triple.append((f"{words} {said}", spec, (after_ms, until_ms), want))
    return triple


def _due(
    walk: Walk, at_ms: int, nonworking: str, workday: tuple[int, str] | None, *, is_included: bool
) -> int | None:
    day: date = walk.of(at_ms).date()
    if workday is not None:
        # Whether it is one is asked of the walk, which counts through the period, for working days alone.
        return at_ms if walk.works(day) and walk.workday(day, workday[0], MONTHS[workday[1]]) else None
    if nonworking == "ignore":
        return at_ms if (walk.works(day) if is_included else day not in walk.off) else None
    return walk.moved(at_ms, nonworking)


KINDS: dict[str, Callable[[random.Random, str], Triple]] = {"every": every, "iso8601": iso8601, "days": days}


def differences(kind: str, rng: random.Random, triples: int, names: Sequence[str] = ()) -> Iterator[str]:
    names = names or zones()
    for number in range(triples):
        zone = names[number * len(names) // triples]  # one after the other: changes are looked for once
        for said, spec, (after_ms, until_ms), want in KINDS[kind](rng, zone):
            ticks, cut_ms = schedule(spec), rng.randint(after_ms, until_ms)
            whole = ticks.between(after_ms, until_ms, MANY)
            parts = ticks.between(after_ms, cut_ms, MANY) + ticks.between(cut_ms, until_ms, MANY)
            if whole != want or parts != whole or (want and ticks.next(after_ms) != want[0]):
                told = [str(datetime.fromtimestamp(ms / 1000, UTC)) for ms in set(whole) ^ set(want)]
                yield f"{kind} {zone} {said}, after {after_ms}: {sorted(told)[:4]}, cut at {cut_ms}"


def main() -> int:
    made = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0] if __doc__ else None)
    made.add_argument("--triples", type=int, default=200_000, help="of spec, zone and range, of each kind")
    made.add_argument("--seed", type=int, default=1)
    made.add_argument("--kind", choices=KINDS, help="this one alone")
    given = made.parse_args()
    count = 0
    for kind in [given.kind] if given.kind else KINDS:
        found = 0
        for each in differences(kind, random.Random(f"{kind} {given.seed}"), given.triples):
            found += 1
            print(each, flush=True)
        print(f"{kind}: {given.triples:,} triples, seed {given.seed}: {found} differences", flush=True)
        count += found
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
