"""The events that a front remembers, for streams that come back and for who waits for a change.

Rules: bounded; a look-up costs the logarithm of what is kept plus what it gives out, so that a thousand
readers may ask at every commit; what is forgotten is said (`since`).
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Sequence

from scheduler.words.events import Event

EVENTS_MAX = 50_000
AFTER_ALL = 999_999_999
"""Above every event's number within its command, and still the second half of an id."""

Id = tuple[int, int]  #: (index of the command, number of the event within it)
Entry = tuple[int, int, int, Event]  #: (index, n, stamp_ms, event)
_LATER_THAN_ALL = 1 << 63  #: as a stamp: sorts behind every entry of the same id


class History:
    """Events in the order of their ids. `since`: every event after it is kept; `last`: the newest id."""

    def __init__(self, since: Id = (0, -1), *, most: int = EVENTS_MAX) -> None:
        self._most = most
        self._slack = most // 8  #: forgotten in one go, since what is kept moves up each time
        self.begin(since)

    def begin(self, since: Id) -> None:
        """Forget everything: another state took the place of the former one."""
        self.since = self.last = since
        self._entries: list[Entry] = []

    def add(self, stamp_ms: int, events: Iterable[tuple[int, int, Event]]) -> None:
        entries = self._entries
        entries.extend((index, n, stamp_ms, event) for index, n, event in events)
        if not entries:
            return
        self.last = entries[-1][:2]
        if len(entries) > self._most + self._slack:
            surplus = len(entries) - self._most
            self.since = entries[surplus - 1][:2]
            del entries[:surplus]

    def behind(self, after: Id, most: int | None = None) -> Sequence[Entry] | None:
        """The first `most` events after the id `after`, all by default; None: some are forgotten."""
        if after < self.since:
            return None
        entries = self._entries
        if after >= self.last:
            return ()
        start = bisect_right(entries, (*after, _LATER_THAN_ALL))
        return entries[start:] if most is None else entries[start : start + most]
