"""Did every delivery that a hook took come to what its sender was told? Compared with ledger and runs.

Rules of this file:

1. Each trigger that a delivery fired has one outcome: an entry of the ledger, or a run that has not begun. Of
   one cause there is one at most, by the unique index of its key.
2. What was answered without a run has its entry at once, with this outcome and reason.
3. Deliveries are remembered for a day: what is older is told by the ledger alone.
4. It reads page by page, each a short snapshot: a delivery is never changed, and outcomes are added only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from scheduler.store.connection import Store
from scheduler.store.tables import deliveries, ledger
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.deliveries import Delivery, Firing
from scheduler.words.causes import Kind

Problem = tuple[str, int, int, int, int, str]
"""kind, trigger, job, instant, entry, detail."""

DELIVERIES_A_SLICE = 500


def check(store: Store, from_ms: int, to_ms: int, look_up: Callable[[], None]) -> Iterator[Problem]:
    """What is wrong of what was taken in (from_ms, to_ms]. `look_up` is called between slices."""
    after = (from_ms, "\U0010ffff", "", 0)  # behind all of that instant
    while True:
        with store.snapshot():
            page = deliveries.between(store, after, to_ms, DELIVERIES_A_SLICE)
            found = [_judge(store, row, each) for row in page for each in deliveries.firings_of(row.firings)]
        yield from filter(None, found)
        look_up()
        if len(page) < DELIVERIES_A_SLICE:
            return
        last = page[-1]
        after = (last.at_ms, last.namespace, last.hook, last.serial)


def _undecided(store: Store, job: int, key: str) -> int | None:
    """The run that was made of it and has not begun."""
    found = run_rows.of_cause(store, job, Kind.WEBHOOK, key)
    run = None if found is None else run_rows.get(store, found)
    return None if run is None or run.decided else run.id


def _judge(store: Store, row: Delivery, told: Firing) -> Problem | None:
    key = f"{told.trigger}/{row.delivery}"
    entry = ledger.of_cause(store, told.job, Kind.WEBHOOK, key)
    run = None if entry is not None else _undecided(store, told.job, key)
    what = f"delivery {row.delivery} to hook {row.namespace}/{row.hook}"
    if entry is None and run is None:
        return ("missing", 0, told.job, row.at_ms, 0, f"{what}: nothing came of {told.name}")
    outcome, number = ("", run) if entry is None else (entry.outcome, entry.run)
    if not told.outcome and number != told.run:
        detail = f"{what}: run {told.run} of {told.name} was told, run {number or 'none'} it was"
        return ("cause", 0, told.job, row.at_ms, 0 if entry is None else entry.seq, detail)
    if told.outcome and (outcome, number) != (told.outcome, told.run):
        detail = f"{what}: {told.outcome} was told of {told.name}, {outcome or 'a run'} it was"
        return ("cause", 0, told.job, row.at_ms, 0 if entry is None else entry.seq, detail)
    return None
