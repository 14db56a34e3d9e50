"""Schedules with what takes their place, and elapsed time with a start, by walking minute after minute.

    python -m tests.scheduler.ticks.shared_walk --stories 2000 --seed 1

Each minute of a window is asked: whose time is it, the schedule's or that of a substitute? And does a trigger
of that one match? Cron's expressions and clocks are those of `walk`. What a job has of the schedule is
compared as a whole, cut at random, one by one (`next`) and as a list (`upcoming`).
"""

from __future__ import annotations

import argparse
import random
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any, NamedTuple

from scheduler.model.known_dates import NO_CALENDARS
from scheduler.model.known_schedules import in_force, prepared_of
from scheduler.model.objects.parsing import Definition, parse_document, prepare_object
from scheduler.ticks import cron_spec, never_reason, schedule
from tests.scheduler.ticks import walk
from tests.scheduler.ticks.test_oracles import packaged_zone

MINUTES = walk.WINDOW_DAYS * 1_440
MINUTE_MS = 60_000


class Whose(NamedTuple):
    """A schedule or a substitute: when it is in force, and at which minutes its triggers are due."""

    document: dict[str, Any]
    from_ms: int
    until_ms: int
    due: set[int]


def _ms(at: datetime) -> int:
    return round(at.timestamp() * 1000)


def _text(ms: int) -> str:
    return datetime.fromtimestamp(ms / 1000, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _triggers(
    rng: random.Random, zone: str, start_ms: int, window: list[walk.Shown], most: int
) -> tuple[list[dict[str, Any]], set[int]]:
    triggers: list[dict[str, Any]] = []
    due: set[int] = set()
    for number in range(rng.randint(0 if most < 3 else 1, most)):
        if rng.random() < 0.4:
            period, anchor = rng.choice((7, 45, 90, 1_441)), start_ms + rng.randint(-2_000, 2_000) * MINUTE_MS
            triggers.append({"every": f"{period}m", "start": _text(anchor), "id": f"t{number}"})
            for step in range(MINUTES + 1):
                at_ms = start_ms + step * MINUTE_MS
                if at_ms >= anchor and (at_ms - anchor) % (period * MINUTE_MS) == 0:
                    due.add(at_ms)
            continue
        expression, dst = walk.drawn(rng), rng.choice(walk.POLICIES)
        if never_reason(cron_spec(expression.text, tz=zone, dst=dst), 0):
            continue  # it is refused
        triggers.append({"cron": expression.text, "tz": zone, "dst": dst, "id": f"t{number}"})
        due |= {_ms(at) for at in walk.expected(expression, dst, window)}
    if not triggers and most == 3:  # all that were drawn never fire; a schedule of its own has one
        return _triggers(rng, zone, start_ms, window, most)
    return triggers, due


def story(rng: random.Random, zone: str, start: datetime) -> tuple[list[Whose], int]:
    start_ms, window = _ms(start), walk.shown(packaged_zone(zone), start, MINUTES)
    triggers, due = _triggers(rng, zone, start_ms, window, 3)
    found = [Whose({"schedule": "s", "triggers": triggers}, 0, 0, due)]
    cuts = sorted(start_ms + step * MINUTE_MS for step in rng.sample(range(-600, MINUTES + 600), 6))
    for number in range(rng.randint(0, 3)):
        from_ms, until_ms = cuts[2 * number : 2 * number + 2]
        if number and rng.random() < 0.3:
            from_ms = cuts[2 * number - 1]  # where the one before ends
        triggers, due = _triggers(rng, zone, start_ms, window, 2)
        name, valid = f"x{number}", {"from": _text(from_ms), "until": _text(until_ms)}
        document = {"schedule": name, "substitute": "s", "valid": valid, "triggers": triggers}
        found.append(Whose(document, from_ms, until_ms, due))
    return found, start_ms


def expected(parts: list[Whose], start_ms: int) -> list[int]:
    found = []
    for step in range(1, MINUTES + 1):
        at_ms = start_ms + step * MINUTE_MS
        whose = next((each for each in parts[1:] if each.from_ms <= at_ms < each.until_ms), parts[0])
        if at_ms in whose.due:
            found.append(at_ms)
    return found


def differences(rng: random.Random, stories: int) -> Iterator[str]:
    names = walk.zones()
    for zone, start in walk.windows(rng, names):
        if stories <= 0:
            return
        stories -= 1
        parts, start_ms = story(rng, zone, start)
        made: dict[str, bytes] = {}
        for each in parts:
            parsed = parse_document(each.document)
            assert isinstance(parsed, Definition)
            made[parsed.name] = prepare_object(parsed, start_ms).spec
        meant = in_force("default", "s", made.pop("s"), "", made)
        triggers = prepared_of(meant, "default", "j", start_ms, named="s", calendars=NO_CALENDARS)
        end_ms = start_ms + MINUTES * MINUTE_MS
        whole: set[int] = set()
        for trigger in triggers:
            ticks = schedule(trigger.spec)
            found = ticks.between(start_ms, end_ms, 10**6)
            cut = rng.randint(start_ms, end_ms)
            if ticks.between(start_ms, cut, 10**6) + ticks.between(cut, end_ms, 10**6) != found:
                yield f"{zone} from {start}: {trigger.spec!r} cut at {cut}"
            one: list[int] = []
            at_ms = start_ms
            while len(one) < 200 and (following := ticks.next(at_ms)) is not None and following <= end_ms:
                one.append(following)
                at_ms = following
            listed = [ms for ms in ticks.upcoming(start_ms, 50) if ms <= end_ms]
            if one != found[:200] or listed != found[:50]:
                yield f"{zone} from {start}: {trigger.spec!r}, one by one"
            whole |= set(found)
        want = expected(parts, start_ms)
        if sorted(whole) != want:
            told = [_text(ms) for ms in sorted(whole ^ set(want))[:4]]
            yield f"{zone} from {start}: {told} of {[each.document for each in parts]}"


def main() -> int:
    made = argparse.ArgumentParser(description=__doc__.partition("\n\n")[0] if __doc__ else None)
    made.add_argument("--stories", type=int, default=2_000)
    made.add_argument("--seed", type=int, default=1)
    given = made.parse_args()
    count = 0
    for each in differences(random.Random(given.seed), given.stories):
        count += 1
        print(each, flush=True)
    print(f"{given.stories:,} schedules with substitutes, seed {given.seed}: {count} differences")
    return 1 if count else 0


if __name__ == "__main__":
    sys.exit(main())
