"""Which files of one folder are complete, and which are gone. No clock, no disk: a look and an instant come
in.

Rules of this file:

1. A file is complete when size, mtime and ctime stood still for so long by the agent's own monotonic clock,
   from one look to a later one: never by the age of its mtime, which copying programs set to anything. Of
   one whose mtime is zero (rsync's mark of a part) nothing is said.
2. What was told is told again until it is known. What is known and not there any more is gone, or is
   another file.
3. A folder that is not there, or that is on another file system than before and has none of the files that
   are known (a mount that is missing), proves nothing gone.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from agent.watching.facts import Facts

AGAIN_MS = 5_000
TOLD_AT_ONCE_MAX = 100

Key = tuple[str, str]  #: path, identity


@dataclass(frozen=True, slots=True)
class Asked:
    """What a trigger asks for, as a Watch says it."""

    trigger: int
    dir: str
    match: str
    stable_ms: int
    whole: bool  #: nothing of it is told before all stand still


@dataclass(slots=True)
class _Still:
    facts: Facts
    since_ms: float


class Folder:
    def __init__(self, asked: Asked, known: Iterable[tuple[int, str, str]]) -> None:
        self.asked = asked
        self._known: dict[Key, int] = {}
        self._still: dict[str, _Still] = {}
        self._told_ms: dict[Key, float] = {}
        self._gone_ms: dict[int, float] = {}  #: by serial
        self._more_gone = False  #: more than are told at once
        self._device: int | None = None
        self.begin_anew(known)

    def begin_anew(self, known: Iterable[tuple[int, str, str]]) -> None:
        """All that is known, by a node that has just registered the agent."""
        self._known = {(path, identity): serial for serial, path, identity in known}
        self._told_ms.clear()
        self._gone_ms.clear()

    def is_known(self, files: Iterable[tuple[int, str, str]]) -> None:
        """The answer to what was told."""
        for serial, path, identity in files:
            self._known[path, identity] = serial
            self._told_ms.pop((path, identity), None)

    def forget(self, serials: Iterable[int]) -> None:
        """The answer to what was gone, or moved."""
        ended = set(serials)
        for serial in ended:
            self._gone_ms.pop(serial, None)
        for key in [key for key, serial in self._known.items() if serial in ended]:
            del self._known[key]

    def look(self, device: int, files: Iterable[Facts], now_ms: float) -> tuple[list[Facts], list[int]]:
        """What is to be told now: complete files, serials of those that are gone."""
        there = {facts.path: facts for facts in files}
        for path in [path for path in self._still if path not in there]:
            del self._still[path]
        for path, facts in there.items():
            before = self._still.get(path)
            if before is None or before.facts != facts:
                self._still[path] = _Still(facts, now_ms)
        gone = self._gone(device, {(path, facts.identity) for path, facts in there.items()}, now_ms)
        new = [each for path, each in self._still.items() if (path, each.facts.identity) not in self._known]
        complete = [each.facts for each in new if self._is_complete(each, now_ms)]
        if self.asked.whole and len(complete) < len(new):
            return [], gone
        arrived = [facts for facts in complete if self._is_to_tell(facts, now_ms)]
        if not self.asked.whole:
            arrived = arrived[:TOLD_AT_ONCE_MAX]
        for facts in arrived:
            self._told_ms[facts.path, facts.identity] = now_ms
        return arrived, gone

    def wait_ms(self, now_ms: float) -> float | None:
        """How long until a file may be complete that is not, or is to be told again, or there is more to
        tell of those that are gone; None: never."""
        found = now_ms if self._more_gone else None
        for path, each in self._still.items():
            key = (path, each.facts.identity)
            if key in self._known or not each.facts.modified_ns:
                continue
            told_ms = self._told_ms.get(key)
            at_ms = each.since_ms + self.asked.stable_ms if told_ms is None else told_ms + AGAIN_MS
            found = at_ms if found is None else min(found, at_ms)
        return None if found is None else max(0.0, found - now_ms)

    def _is_complete(self, each: _Still, now_ms: float) -> bool:
        return each.facts.modified_ns != 0 and now_ms - each.since_ms >= self.asked.stable_ms

    def _is_to_tell(self, facts: Facts, now_ms: float) -> bool:
        told_ms = self._told_ms.get((facts.path, facts.identity))
        return told_ms is None or now_ms - told_ms >= AGAIN_MS

    def _gone(self, device: int, there: set[Key], now_ms: float) -> list[int]:
        self._more_gone = False
        here = any(key in there for key in self._known)
        if self._known and not here and device != self._device:
            return []
        self._device = device
        found: list[int] = []
        for key, serial in self._known.items():
            told_ms = self._gone_ms.get(serial)
            if key not in there and (told_ms is None or now_ms - told_ms >= AGAIN_MS):
                if len(found) == TOLD_AT_ONCE_MAX:
                    self._more_gone = True
                    break
                self._gone_ms[serial] = now_ms
                found.append(serial)
        return found
