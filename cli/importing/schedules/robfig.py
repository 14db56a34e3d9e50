"""Schedules of robfig/cron v3, which Kubernetes and Dkron read with: by its source (parser.go, spec.go).

Sunday is 0 alone. A range that runs backwards is refused. `*` and `?` are the same. Day fields are joined by
AND where one of them has a `*` or `?` without a step, else by OR, also beside `*/2`. Hours that clocks skip
are lost, those that come twice run twice: our `literal`. `@every` counts elapsed time in whole seconds.
"""

from __future__ import annotations

import re

from cli.importing.gathering import NotTaken, seconds, zone_of
from cli.importing.schedules.spelling import BOUNDS, MONTHS, WEEKDAYS, Read, expression, spelled

_ALIASES = {
    "@yearly": "0 0 1 1 *", "@annually": "0 0 1 1 *", "@monthly": "0 0 1 * *", "@weekly": "0 0 * * 0",
    "@daily": "0 0 * * *", "@midnight": "0 0 * * *", "@hourly": "0 * * * *",
}  # fmt: skip
_GO_UNITS = {"h": 3600.0, "m": 60.0, "s": 1.0, "ms": 0.001, "us": 1e-6, "µs": 1e-6, "ns": 1e-9}
_GO_PART = re.compile(r"([0-9]+(?:\.[0-9]*)?|\.[0-9]+)(h|ms|m|s|us|µs|ns)")
_FIELDS = ("second", "minute", "hour", "day", "month", "weekday")


def robfig(text: str, tz: str, *, with_seconds: bool = False) -> Read:
    """The trigger of a schedule. `tz`: its zone, where it does not begin with one of its own. `with_seconds`:
    six fields, seconds first, and nothing else. Raises NotTaken."""
    text = text.strip()
    notes = []
    if text.startswith(("TZ=", "CRON_TZ=")):
        own, _, text = text.partition(" ")
        tz = zone_of(own.partition("=")[2])
        notes.append(f"it says its zone itself: {tz}")
        text = text.strip()
    if text.startswith("@every "):
        return Read({"every": seconds(_every_s(text.removeprefix("@every ")))}, notes)
    if text.startswith("@"):
        if text not in _ALIASES:
            raise NotTaken(f"{text} is no schedule there: it refuses it")
        return Read({"cron": _ALIASES[text], "tz": tz, "dst": "literal"}, notes)
    words = text.split()
    if len(words) != (6 if with_seconds else 5):
        count = "six fields, seconds first" if with_seconds else "five fields"
        raise NotTaken(f"{text!r} has {len(words)} fields, where it takes {count}: it refuses it")
    numbers, stars = {}, {}
    for kind, word in zip(_FIELDS if with_seconds else _FIELDS[1:], words, strict=True):
        numbers[kind], stars[kind] = _numbers(kind, word)
    spelt = {"second": "0"} | {kind: spelled(found, kind) for kind, found in numbers.items()}
    for kind in ("day", "weekday"):
        if stars[kind]:
            spelt[kind] = "*"
    trigger = {"cron": expression(*(spelt[kind] for kind in _FIELDS)), "tz": tz, "dst": "literal"}
    if not (stars["day"] or stars["weekday"]):
        if "*" in (spelt["day"], spelt["weekday"]):  # by OR with every day
            trigger["cron"] = expression(
                spelt["second"], spelt["minute"], spelt["hour"], "*", spelt["month"], "*"
            )
        notes.append("day of month and day of week: either one is enough, as it was there")
    return Read(trigger, notes)


def _every_s(text: str) -> float:
    """A duration of Go in seconds: at least one, fractions of a second are dropped."""
    parts = list(_GO_PART.finditer(text.strip()))
    if not parts or "".join(part[0] for part in parts) != text.strip():
        raise NotTaken(f"@every {text}: it is no duration, such as 90m or 1h30m")
    return float(max(1, int(sum(float(part[1]) * _GO_UNITS[part[2]] for part in parts))))


def _numbers(kind: str, word: str) -> tuple[set[int], bool]:
    """What a field means, and whether it counts as unrestricted."""
    found: set[int] = set()
    star = False
    for item in word.split(","):
        reach, slash, step_word = item.partition("/")
        step = _number("", step_word, item) if slash else 1
        low, high = BOUNDS[kind]
        if reach in ("*", "?"):
            star = star or step == 1
        else:
            first, dash, last = reach.partition("-")
            low = _number(kind, first, item)
            high = _number(kind, last, item) if dash else (high if slash else low)
        if not step or not BOUNDS[kind][0] <= low <= high <= BOUNDS[kind][1]:
            sunday = "; Sunday is 0 there" if kind == "weekday" and high == 7 else ""
            raise NotTaken(f"{item!r} is no {kind} there{sunday}: it refuses the schedule")
        found.update(range(low, high + 1, step))
    return found, star


def _number(kind: str, word: str, item: str) -> int:
    names = {"month": MONTHS, "weekday": WEEKDAYS}.get(kind, ())
    if word.lower() in names:
        return names.index(word.lower()) + (kind == "month")
    if not (word.isascii() and word.isdigit()):
        raise NotTaken(f"{item!r} is no {kind or 'step'} there: it refuses the schedule")
    return int(word[:6])
