"""Sets of numbers as fields of cron, in our spelling."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

BOUNDS = {
    "second": (0, 59),
    "minute": (0, 59),
    "hour": (0, 23),
    "day": (1, 31),
    "month": (1, 12),
    "weekday": (0, 6),
}
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")


@dataclass(slots=True)
class Read:
    """What was read: fields of a trigger, and what is to be known of it."""

    trigger: dict[str, Any]
    notes: list[str] = field(default_factory=list)


def spelled(numbers: Collection[int], kind: str) -> str:
    """`*` where it is all of them, `*/n` where it is each n-th, else ranges and numbers."""
    low, high = BOUNDS[kind]
    rest = sorted(set(numbers))
    if rest == list(range(low, high + 1)):
        return "*"
    step = rest[1] - rest[0] if len(rest) > 2 else 0
    if kind not in ("day", "weekday") and step > 1 and rest == list(range(low, high + 1, step)):
        return f"*/{step}"
    if step > 1 and rest == list(range(rest[0], rest[-1] + 1, step)):
        return f"{rest[0]}-{rest[-1]}/{step}"
    items: list[str] = []
    while rest:
        length = 1
        while length < len(rest) and rest[length] == rest[0] + length:
            length += 1
        items += [f"{rest[0]}-{rest[length - 1]}"] if length > 2 else [str(n) for n in rest[:length]]
        rest = rest[length:]
    return ",".join(items)


def expression(second: str, minute: str, hour: str, day: str, month: str, weekday: str) -> str:
    """Five fields where the second is 0."""
    five = f"{minute} {hour} {day} {month} {weekday}"
    return five if second == "0" else f"{second} {five}"
