"""Did every delivery that a hook took come to what its sender was told, and did each trigger fire of each
notice that it has heard, and of each file that it has done with? Compared with ledger and runs.

Rules of this file:

1. Each trigger that a delivery fired has one outcome: an entry of the ledger, or a run that has not begun. Of
   one cause there is one at most, by the unique index of its key.
2. What was answered without a run has its entry at once, with this outcome and reason.
3. Deliveries are remembered for a day: what is older is told by the ledger alone.
4. How far a trigger has heard the notices of its board is a row: each of these that has its key, and still is
   there, has one outcome.
5. Of each file that its trigger has done with there is the run that it names, or an entry, until it is gone.
6. It reads page by page, each a short snapshot: a delivery is never changed, and outcomes are added only.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from scheduler.model.noticing import is_meant
from scheduler.model.watching import read_file
from scheduler.store.connection import Store
from scheduler.store.tables import deliveries, files, folders, hearers, ledger, notices, triggers
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.deliveries import Delivery, Firing
from scheduler.store.tables.files import WAITING, SeenFile
from scheduler.store.tables.hearers import Hearer
from scheduler.words import causes
from scheduler.words.causes import Kind

Problem = tuple[str, int, int, int, int, str]
"""kind, trigger, job, instant, entry, detail."""

DELIVERIES_A_SLICE = 500
HEARERS_A_SLICE = 200
NOTICES_A_SLICE = 500
FILES_A_SLICE = 500


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


def undecided(store: Store, job: int, key: str, kind: Kind) -> int | None:
    """The run that was made of it and has not begun."""
    found = run_rows.of_cause(store, job, kind, key)
    run = None if found is None else run_rows.get(store, found)
    return None if run is None or run.decided else run.id


def check_notices(store: Store, from_ms: int, to_ms: int, look_up: Callable[[], None]) -> Iterator[Problem]:
    """What is wrong of notices that were posted in (from_ms, to_ms]."""
    after = (0, "")
    while True:
        with store.snapshot():
            page = hearers.page(store, after, HEARERS_A_SLICE)
        for hearer in page:
            yield from _heard_by(store, hearer, from_ms, to_ms)
            look_up()
        if len(page) < HEARERS_A_SLICE:
            return
        after = page[-1][:2]


def _heard_by(store: Store, hearer: Hearer, from_ms: int, to_ms: int) -> Iterator[Problem]:
    place = hearer.from_serial
    while True:
        with store.snapshot():
            era = triggers.get(store, hearer.trigger)
            assert era is not None, "eras are never removed"
            if not causes.is_noticed(era.event):
                return  # of several things together (`scheduler.completeness`)
            page = notices.after(store, hearer.board, place, NOTICES_A_SLICE)
            for notice in page:
                meant = notice.serial <= hearer.through and from_ms < notice.posted_ms <= to_ms
                if meant and is_meant(era.spec, notice.key, notice.plan_day):
                    key = f"{era.key}/{hearer.board.partition('/')[2]}/{notice.serial}"
                    if ledger.of_cause(store, era.job, Kind.NOTICE, key) is None and not undecided(
                        store, era.job, key, Kind.NOTICE
                    ):
                        detail = f"notice {notice.serial} of board {hearer.board}: nothing came of it"
                        yield ("missing", era.id, era.job, notice.posted_ms, 0, detail)
        if len(page) < NOTICES_A_SLICE:
            return
        place = page[-1].serial


def check_files(store: Store, from_ms: int, to_ms: int, look_up: Callable[[], None]) -> Iterator[Problem]:
    """What is wrong of files that agents told of in (from_ms, to_ms]."""
    after = (0, "", 0)
    while True:
        with store.snapshot():
            page = files.page(store, after, FILES_A_SLICE)
            told = [each for each in page if from_ms < each.seen_ms <= to_ms and each.state != WAITING]
            found = [_judge_file(store, each) for each in told]
        yield from filter(None, found)
        look_up()
        if len(page) < FILES_A_SLICE:
            return
        after = page[-1][:3]


def _judge_file(store: Store, file: SeenFile) -> Problem | None:
    folder = folders.get(store, file.job, file.key)
    era = None if folder is None or not folder.trigger else triggers.get(store, folder.trigger)
    what = f"file {file.serial} of trigger {file.key}, {file.path}"
    if file.run:
        run = run_rows.get(store, file.run)  # the older ones are purged
        if run is None or (run.job, run.cause) == (file.job, Kind.FILE):
            return None
        detail = f"{what}: run {file.run} is of {run.cause}"
        return ("cause", 0 if era is None else era.id, file.job, file.seen_ms, 0, detail)
    if era is None or read_file(era.spec).batch:  # the first of a batch has the entry for all
        return None
    if ledger.of_cause(store, file.job, Kind.FILE, f"{file.key}/{file.serial}") is not None:
        return None
    return ("missing", era.id, file.job, file.seen_ms, 0, f"{what}: nothing came of it")


def _judge(store: Store, row: Delivery, told: Firing) -> Problem | None:
    key = f"{told.trigger}/{row.delivery}"
    entry = ledger.of_cause(store, told.job, Kind.WEBHOOK, key)
    run = None if entry is not None else undecided(store, told.job, key, Kind.WEBHOOK)
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
