"""Jobs that are due at instants said one by one, and on days said in a roundabout way, in a story.

instants  what comes of them is due at instants that this file has counted by itself: each `at` when a client
          asked for it, and the others on the day of the story, every other second or never

A story begins on 14 November 2023, late in the evening of a Tuesday: the 17th last day of its month, and the
ninth working day where the 13th is off.
"""

from __future__ import annotations

from collections.abc import Iterator

from scheduler.model import parse_job, prepare
from scheduler.model.known_dates import dates_of
from scheduler.model.objects.parsing import parse_document, prepare_document
from scheduler.model.quantities import format_instant
from scheduler.store.connection import Store
from scheduler.words.commands import PreparedJob, PreparedObject

KEPT = {"overlap": "allow", "catchup": {"mode": "all"}, "retention": {"runs": 10_000}}
ONCE, DAYS, MOVED, CALENDAR = "once", "days", "moved", "worked"
BEGIN_MS, STEP_MS, COUNT = 1_000, 1_500, 12
"""Of the instants said one by one: from when they are put."""
EVERY_MS = 2_000
BY_CALENDAR = {"include": [CALENDAR]}
DAY_BEFORE = {"cron": "*/2 13-15 22 13 * *"}
"""At the time of a story, and on a day that is off: what moves is no more than some of a day's instants."""
DUE: dict[str, dict[str, object]] = {
    "from-the-end": {"cron": "*/2 * * L-16 * *"},
    "workday": {"cron": "*/2 * * * * *", "calendar": BY_CALENDAR, "workday": {"nth": 9, "of": "month"}},
}
NEVER: dict[str, dict[str, object]] = {
    "last": {"cron": "*/2 * * L * *"},
    "both": {"cron": "*/2 * * 15 * 2", "days": "both"},
    "from-the-other": {
        "cron": "*/2 * * * * *",
        "calendar": BY_CALENDAR,
        "workday": {"nth": -9, "of": "month"},
    },
}
MOVES: dict[str, dict[str, object]] = {
    name: {**DAY_BEFORE, "calendar": {**BY_CALENDAR, "nonworking": name}} for name in ("after", "before")
}
"""To the day of the story, and to the Friday before it."""


class Instants:
    def __init__(self) -> None:
        self._asked: set[int] = set()
        self.seen: dict[str, int] = {}  #: how many ticks there were of each trigger

    def put(self, now_ms: int) -> tuple[PreparedObject, tuple[PreparedJob, ...]]:
        """The calendar, and the jobs; again with other instants where nobody knows whether they were put."""
        days = {"calendar": CALENDAR, "weekend": ["sat", "sun"], "exclude": ["2023-11-13"]}
        calendar = prepare_document(parse_document(days), now_ms)
        assert isinstance(calendar, PreparedObject)
        spec = calendar.spec
        first_ms = (now_ms + BEGIN_MS) // 1_000 * 1_000
        times = [first_ms + number * STEP_MS for number in range(COUNT)]
        self._asked.update(times)
        jobs = {
            ONCE: [{"at": format_instant(at_ms)} for at_ms in times],
            DAYS: [{**trigger, "id": name} for name, trigger in {**DUE, **NEVER}.items()],
            MOVED: [{**trigger, "id": name} for name, trigger in MOVES.items()],
        }
        return calendar, tuple(
            prepare(
                parse_job({"job": name, "noop": True, "triggers": triggers, "policies": KEPT}), now_ms, 0,
                calendars=lambda namespace, name: dates_of(namespace, name, spec),
            )
            for name, triggers in jobs.items()
        )  # fmt: skip

    def judge(self, store: Store) -> Iterator[tuple[str, str]]:
        """What is wrong by this state."""
        ticks = (
            "SELECT j.name, t.key, l.first_ms, l.last_ms, l.count FROM ledger l"
            " JOIN triggers t ON t.id = l.trigger JOIN jobs j ON j.id = l.job"
            " WHERE j.name IN ('once', 'days', 'moved') AND l.kind = 'tick' ORDER BY l.seq"
        )
        seen: dict[str, int] = {}
        for job, key, first_ms, last_ms, count in store.rows(ticks):
            which = job if job == ONCE else key
            seen[which] = seen.get(which, 0) + count
            for ms in (first_ms, last_ms):
                if ms not in self._asked if job == ONCE else key in (*NEVER, "before") or ms % EVERY_MS:
                    yield "instants", f"{key} of {job} was due at {format_instant(ms)}"
            if job != ONCE and count != (last_ms - first_ms) // EVERY_MS + 1:
                yield "instants", f"{key}: {count} ticks from {first_ms} to {last_ms}"
        for which, count in seen.items():
            self.seen[which] = max(count, self.seen.get(which, 0))
