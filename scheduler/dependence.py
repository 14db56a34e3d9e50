"""Did each `after` trigger fire what it had to? Recomputed from the ends of its jobs' runs, and compared with
what became of its firings.

Rules of this file:

1. Ends are numbered, each era hears of a range of them, in order. So its conditions are judged again one by
   one, from the last firing before the range on whose run consumed everything.
2. Each true one is a firing with one outcome: an entry of the ledger, a run that has not begun, or it waits
   for room. What was fired without a true one is a problem too.
3. It reads page by page, each a short snapshot: what was is never changed, and outcomes are added only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field

from scheduler.model.after import After, read_after
from scheduler.store.connection import Store
from scheduler.store.reads import ends as end_reads
from scheduler.store.reads import ledger as ledger_reads
from scheduler.store.tables import ends, ledger, listeners, postponed, triggers
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.ends import End
from scheduler.store.tables.triggers import Trigger
from scheduler.words.causes import Kind

Problem = tuple[str, int, int, int, int, str]
"""kind, trigger, job, instant, entry, detail."""

TRIGGERS_A_SLICE = 200
ENDS_A_SLICE = 2_000
ENTRIES_A_SLICE = 2_000
_CONSUMED, _NOT_CONSUMED, _NONE = True, False, None


@dataclass(slots=True)
class _Known:
    """What is known of a trigger, through all of its eras, by what was looked at last."""

    heard: dict[str, End] = field(default_factory=dict)
    fired: dict[str, None] = field(default_factory=dict)


def check(store: Store, from_ms: int, to_ms: int, look_up: Callable[[], None]) -> Iterator[Problem]:
    """What is wrong of the firings in (from_ms, to_ms]. `look_up` is called between slices."""
    known: dict[tuple[int, str], _Known] = {}
    after = 0
    while True:
        with store.snapshot():
            page = end_reads.listening(store, after, TRIGGERS_A_SLICE)
        for trigger in page:
            yield from _of_era(store, trigger, from_ms, to_ms, known)
            look_up()
        if len(page) < TRIGGERS_A_SLICE:
            return
        after = page[-1]


def _of_era(
    store: Store, trigger: int, from_ms: int, to_ms: int, known: dict[tuple[int, str], _Known]
) -> Iterator[Problem]:
    with store.snapshot():
        era = triggers.get(store, trigger)
        assert era is not None, "eras are never removed"
        condition = read_after(era.spec)
        if condition is None:
            return  # of several things together (`scheduler.completeness`)
        heard = listeners.of_trigger(store, trigger)
        through = heard[0].until_end if heard[0].until_end is not None else ends.seen_by(store, trigger)
        place = heard[0].from_end
        former = known.pop((era.job, era.key), _Known())
        parents = [each.parent for each in heard]
        mine = _Known({name: former.heard[name] for name in parents if name in former.heard}, former.fired)
        begun = end_reads.consumed(store, era.job, trigger, from_ms)
        if begun is not None and begun > place:
            place, mine.heard = begun, {}
    if heard[0].until_end is not None:
        known[era.job, era.key] = mine
    while place < through:
        with store.snapshot():
            page = end_reads.of_parents(store, parents, place, through, ENDS_A_SLICE)
            for end in page:
                if problem := _judge(store, era, condition, mine, end, from_ms, to_ms):
                    yield problem
        place = page[-1].id if len(page) == ENDS_A_SLICE else through
    yield from _unexpected(store, era, mine, from_ms, to_ms)


def _judge(
    store: Store, era: Trigger, condition: After, mine: _Known, end: End, from_ms: int, to_ms: int
) -> Problem | None:
    before = mine.heard.get(end.parent)
    if end.verdict and (before is None or before.run != end.run):
        return None  # of one that was consumed, or is not the newest
    mine.heard[end.parent] = end
    if condition.judge(mine.heard).value is not True:
        return None
    runs = ",".join(str(run) for run in sorted(each.run for each in mine.heard.values()))
    key = f"{era.key}/{runs}"
    outcome = _outcome(store, era, key)
    if outcome is _CONSUMED:
        mine.heard.clear()
    if not from_ms < end.at_ms <= to_ms:
        return None
    mine.fired[key] = None
    if outcome is _NONE:
        detail = f"runs {runs} made its condition true, and nothing came of it"
        return ("missing", era.id, era.job, end.at_ms, 0, detail)
    return None


def _outcome(store: Store, era: Trigger, key: str) -> bool | None:
    """Whether a run consumed what was heard; None: nothing came of the firing."""
    entry = ledger.of_cause(store, era.job, Kind.AFTER, key)
    if entry is not None:
        return bool(entry.run) and entry.reason not in ledger_reads.IN_THE_WAY
    if run_rows.of_cause(store, era.job, Kind.AFTER, key) is not None:
        return _CONSUMED
    waits = any(row.cause_key == key for row in postponed.of_job(store, era.job))
    return _NOT_CONSUMED if waits else _NONE


def _unexpected(store: Store, era: Trigger, mine: _Known, from_ms: int, to_ms: int) -> Iterator[Problem]:
    after = (from_ms, 1 << 62)
    while True:
        with store.snapshot():
            page = ledger_reads.of_events(store, era.id, after, to_ms, ENTRIES_A_SLICE)
        for entry, _ in page:
            if entry.key not in mine.fired:
                detail = f"{entry.key} fired, and no condition was true for that"
                yield ("not_due", era.id, era.job, entry.first_ms, entry.seq, detail)
        if len(page) < ENTRIES_A_SLICE:
            return
        after = (page[-1][0].first_ms, page[-1][0].seq)
