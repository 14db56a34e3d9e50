"""What an `all_of` trigger waits for: members that have all come, once for each plan date.

Rules of this file:

1. A member is a condition over ends of other jobs, a notice on a board, or a time of the day. Of a plan date
   those ends and notices count that have this date; of each job the newest end.
2. What comes is told by its *part*: a job as namespace/name, a board and key as `Posted.part`. So a member
   that an edit leaves as it is has come already, whatever else the edit changes.
3. A time of the day is its first instant within the plan date at which clocks show it. It begins nothing: a
   date of which nothing else comes is none of this trigger's.
4. Everything here is read from the trigger's spec, as of `after`; no pydantic, as the core reads it.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import Any, NamedTuple

from scheduler.model.after import After, Ended, Parent, read
from scheduler.model.noticing import written
from scheduler.ticks import plan_days, zone_files
from scheduler.ticks.zones import zone
from scheduler.words.causes import is_noticed
from scheduler.words.json_text import json_text

EVENT = "all_of"
MEMBERS_MAX = 20
JOBS_MAX = 40
WITHIN_MS = 86_400_000  #: where it does not say
WITHIN_MS_MAX = 35 * 86_400_000


class Posted(NamedTuple):
    """A notice on a board, with this key; None: with any."""

    board: str  #: namespace/name
    key: str | None

    @property
    def part(self) -> str:
        return f"notice/{self.board}" + ("" if self.key is None else f"/{self.key}")

    def __str__(self) -> str:
        return f"notice on {self.board}" + ("" if self.key is None else f" with key {self.key}")

    def is_meant(self, board: str, notice: str, plan_day: int) -> bool:
        if board != self.board:
            return False
        return self.key is None or written(self.key, plan_day) == notice


@dataclass(frozen=True, slots=True)
class At:
    """A time of the day."""

    text: str  #: HH:MM
    rules: str  #: the zone's, by their pin; empty: UTC

    def __str__(self) -> str:
        return self.text

    def instant_ms(self, day: int, begins_ms: int) -> int:
        """Within the plan date that begins then. 0: its zone has no such instant."""
        hours, _, minutes = self.text.partition(":")
        within_s = int(hours) * 3_600 + int(minutes) * 60
        clock = zone_files.pinned(self.rules) if self.rules else zone("UTC")
        for each in (day, day + 1):  # a date may begin later than midnight
            at_s = clock.instant_s(each * plan_days.DAY_S + within_s)
            if at_s is not None and at_s * 1_000 >= begins_ms:
                return at_s * 1_000
        return 0


@dataclass(frozen=True)
class AllOf:
    """A trigger's members, read."""

    members: tuple[After | Posted | At, ...]
    within_ms: int
    allow_cycle: bool

    @cached_property
    def conditions(self) -> tuple[After, ...]:
        return tuple(each for each in self.members if isinstance(each, After))

    @cached_property
    def parents(self) -> tuple[Parent, ...]:
        return tuple(dict.fromkeys(parent for each in self.conditions for parent in each.parents))

    @cached_property
    def notices(self) -> tuple[Posted, ...]:
        return tuple(each for each in self.members if isinstance(each, Posted))

    @cached_property
    def at(self) -> At | None:
        return next((each for each in self.members if isinstance(each, At)), None)

    def has_come(
        self, member: After | Posted | At, parts: Mapping[str, int], ends: Mapping[str, Ended], at_ms: int,
        floor_ms: int,
    ) -> bool:  # fmt: skip
        """By an instant. `parts`: what has come; `ends`: of its jobs, those ends."""
        if isinstance(member, After):
            return member.judge(ends).value is True
        return at_ms >= floor_ms if isinstance(member, At) else member.part in parts

    def lacking(
        self, parts: Mapping[str, int], ends: Mapping[str, Ended], at_ms: int, floor_ms: int
    ) -> list[After | Posted | At]:
        """What has not come by an instant, in the order of the text."""
        return [
            each for each in self.members if not self.has_come(each, parts, ends, at_ms, floor_ms)
        ]


def boards_of(event: str, spec: bytes) -> tuple[str, ...]:
    """The boards, as namespace/name, of whose notices a trigger hears."""
    if is_noticed(event):
        return (event.partition("/")[2],)
    found = read_all_of(spec) if event == EVENT else None
    return () if found is None else tuple(dict.fromkeys(each.board for each in found.notices))


def words(member: After | Posted | At) -> str:
    return member.text if isinstance(member, After) else str(member)


def all_of_spec(
    members: list[dict[str, Any]], namespace: str, within_ms: int, *, tz: str | None, allow_cycle: bool
) -> bytes:
    """Members are {after}, {board, key} or {at_least}."""
    fields: dict[str, object] = {
        "event": EVENT, "of": members, "namespace": namespace, "within_ms": within_ms
    }  # fmt: skip
    zoned = {} if tz is None else {"tz": tz}
    return json_text(fields | zoned | ({"allow_cycle": True} if allow_cycle else {}))


@lru_cache(maxsize=4_096)
def read_all_of(spec: bytes) -> AllOf | None:
    """The members of a trigger's spec; None: it is of another kind. Raises ValueError for one that cannot be
    read, which no door lets in."""
    if b'"all_of"' not in spec:
        return None
    fields = json.loads(spec)
    if not isinstance(fields, dict) or fields.get("event") != EVENT:
        return None
    told, within_ms, rules = fields.get("of"), fields.get("within_ms"), fields.get("rules", "")
    if not isinstance(told, list) or not 1 <= len(told) <= MEMBERS_MAX or type(within_ms) is not int:
        raise ValueError("not a trigger spec: `all_of` is {of, within_ms}")
    allow_cycle = fields.get("allow_cycle") is True
    members = tuple(_member(each, fields.get("namespace"), str(rules), allow_cycle) for each in told)
    found = AllOf(members, min(max(1, within_ms), WITHIN_MS_MAX), allow_cycle)
    if len(found.parents) > JOBS_MAX:
        raise ValueError(f"not a trigger spec: `all_of` names {len(found.parents)} jobs")
    return found


def _member(told: Any, namespace: object, rules: str, allow_cycle: bool) -> After | Posted | At:
    if isinstance(told, dict) and "after" in told:
        return read(told["after"], namespace, allow_cycle=allow_cycle)
    if isinstance(told, dict) and isinstance(told.get("board"), str):
        key = told.get("key")
        return Posted(told["board"], key if isinstance(key, str) else None)
    if isinstance(told, dict) and isinstance(told.get("at_least"), str):
        return At(told["at_least"], rules)
    raise ValueError("not a trigger spec: a member of `all_of` is {after}, {board, key} or {at_least}")
