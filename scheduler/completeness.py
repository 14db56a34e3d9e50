"""Did each trigger that waits for several things together (`all_of`) come to one outcome for each plan date?

Rules of this file:

1. Each end and each notice that it has heard belongs to a plan date, which it gathers from then on: so there
   is a row for that date, and what came in time is noted there, or something newer.
2. A date that is over has one outcome: an entry of the ledger, a run that has not begun, or it waits for
   room. What was gathered says which: a run where all had come, none where something lacks.
3. An entry without such a date is a problem too; but in a restored state, where agents may prove one.
4. It reads page by page, each a short snapshot: what is over is never changed. Notices go when they have
   expired, so what is noted of them is all that is known.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from scheduler.machine.rules import gathered
from scheduler.model.all_of import AllOf, read_all_of
from scheduler.reception import undecided
from scheduler.store.connection import Store
from scheduler.store.reads import ends as end_reads
from scheduler.store.reads import ledger as ledger_reads
from scheduler.store.tables import ends, gatherings, hearers, ledger, listeners, notices, postponed, triggers
from scheduler.store.tables.gatherings import Gathering
from scheduler.store.tables.triggers import Trigger
from scheduler.ticks import plan_days
from scheduler.words import reasons
from scheduler.words.causes import Kind

Problem = tuple[str, int, int, int, int, str]
"""kind, trigger, job, instant, entry, detail."""

TRIGGERS_A_SLICE = 200
ROWS_A_SLICE = 1_000  #: as many notices as may stand on a board


def check(store: Store, from_ms: int, to_ms: int, look_up: Callable[[], None]) -> Iterator[Problem]:
    """What is wrong of what came, and what was decided, in (from_ms, to_ms]. `look_up` is called between
    slices."""
    after = 0
    while True:
        with store.snapshot():
            page = end_reads.gathering(store, after, TRIGGERS_A_SLICE)
            eras = [era for trigger in page if (era := triggers.get(store, trigger)) is not None]
        for era in eras:
            all_of = read_all_of(era.spec)
            if all_of is not None:
                yield from _ends_of(store, era, from_ms, to_ms)
                yield from _notices_of(store, era, all_of, from_ms, to_ms)
                yield from _dates_of(store, era, all_of, from_ms, to_ms)
                yield from _entries_of(store, era, from_ms, to_ms)
                look_up()
        if len(page) < TRIGGERS_A_SLICE:
            return
        after = page[-1]


def _ends_of(store: Store, era: Trigger, from_ms: int, to_ms: int) -> Iterator[Problem]:
    with store.snapshot():
        heard = listeners.of_trigger(store, era.id)
        seen = ends.seen_by(store, era.id)
    parents = [each.parent for each in heard]
    place = heard[0].from_end if heard else 0
    through = 0 if not heard else seen if heard[0].until_end is None else heard[0].until_end
    while place < through:
        with store.snapshot():
            page = end_reads.of_parents(store, parents, place, through, ROWS_A_SLICE)
            for end in page:
                if from_ms < end.at_ms <= to_ms and not end.verdict:
                    what = f"the end of run {end.run}"
                    yield from _noted(store, era, end.plan_day, end.parent, end.id, end.at_ms, what)
        place = page[-1].id if len(page) == ROWS_A_SLICE else through


def _notices_of(store: Store, era: Trigger, all_of: AllOf, from_ms: int, to_ms: int) -> Iterator[Problem]:
    """Those that stand."""
    for board in dict.fromkeys(each.board for each in all_of.notices):
        with store.snapshot():
            hearer = hearers.get(store, era.id, board)
            heard = range(0) if hearer is None else range(hearer.from_serial, hearer.through)
            for notice in notices.after(store, board, heard.start, ROWS_A_SLICE) if heard else ():
                if notice.serial > heard.stop or not from_ms < notice.posted_ms <= to_ms:
                    continue
                what = f"notice {notice.serial} of board {board}"
                for each in all_of.notices:
                    if each.is_meant(board, notice.key, notice.plan_day):
                        yield from _noted(
                            store, era, notice.plan_day, each.part, notice.serial, notice.posted_ms, what
                        )


def _noted(
    store: Store, era: Trigger, plan_day: int, part: str, number: int, at_ms: int, what: str
) -> Iterator[Problem]:
    row = gatherings.get(store, era.job, era.key, plan_day)
    if row is None:
        detail = f"{what} came, and nothing is gathered for {plan_days.text_of(plan_day)}"
        yield ("missing", era.id, era.job, at_ms, 0, detail)
        return
    counts = row.ended == gatherings.MISSED and row.trigger == era.id and not _is_cut(store, row)
    if not counts or not row.opened_ms <= at_ms < row.until_ms:
        return
    if gatherings.parts(store, row).get(part, 0) < number:
        detail = f"{what} came in time, and is not gathered for {plan_days.text_of(plan_day)}"
        yield ("missing", era.id, era.job, at_ms, 0, detail)


def _is_cut(store: Store, row: Gathering) -> bool:
    """Whether it was given up before its time, for later dates."""
    entry = ledger.of_cause(store, row.job, Kind.ALL_OF, _key(row))
    return entry is not None and entry.reason == reasons.BUFFER_FULL


def _key(row: Gathering) -> str:
    return f"{row.key}/{plan_days.text_of(row.plan_day)}"


def _dates_of(store: Store, era: Trigger, all_of: AllOf, from_ms: int, to_ms: int) -> Iterator[Problem]:
    after_day = -1
    while True:
        with store.snapshot():
            page = gatherings.of_trigger(store, era.id, after_day, ROWS_A_SLICE)
            for row in page:
                at_ms = row.until_ms if row.due_ms is None else row.due_ms
                if from_ms < at_ms <= to_ms:
                    yield from _date(store, era, all_of, row, at_ms)
        if len(page) < ROWS_A_SLICE:
            return
        after_day = page[-1].plan_day


def _date(store: Store, era: Trigger, all_of: AllOf, row: Gathering, at_ms: int) -> Iterator[Problem]:
    if not row.is_over:
        return
    key = _key(row)
    entry = ledger.of_cause(store, row.job, Kind.ALL_OF, key)
    waits = undecided(store, row.job, key, Kind.ALL_OF) or postponed.get(store, row.trigger, key) is not None
    seq = 0 if entry is None else entry.seq
    if entry is None and not (waits and row.ended == gatherings.FIRED):
        yield ("missing", era.id, era.job, at_ms, 0, f"{key} is over, and nothing came of it")
        return
    if row.ended == gatherings.MISSED and entry is not None and entry.outcome != "missed":
        yield ("not_due", era.id, era.job, at_ms, seq, f"{key} lacks {row.lacked}, and is {entry.outcome}")
    if era.from_ms > row.opened_ms:
        return  # another text of it may have decided
    lacking = gathered.come(store, row).lacking(all_of, at_ms, row.floor_ms)
    if row.ended == gatherings.FIRED and lacking:
        yield ("not_due", era.id, era.job, at_ms, seq, f"{key} fired, and not all of it had come")
    in_time = entry is not None and entry.reason == reasons.WINDOW
    if row.ended == gatherings.MISSED and in_time and not lacking:
        yield ("missing", era.id, era.job, at_ms, seq, f"{key} is missed, and all of it had come")


def _entries_of(store: Store, era: Trigger, from_ms: int, to_ms: int) -> Iterator[Problem]:
    after = (from_ms, 1 << 62)
    while not store.value("SELECT restores FROM state"):
        with store.snapshot():
            page = ledger_reads.of_events(store, era.id, after, to_ms, ROWS_A_SLICE)
            for entry, _ in page:
                day = entry.key.rpartition("/")[2]
                row = gatherings.get(store, era.job, era.key, plan_days.parse(day))
                if row is None or not row.is_over:
                    detail = f"{entry.key} has an outcome, and nothing was gathered for it"
                    yield ("not_due", era.id, era.job, entry.first_ms, entry.seq, detail)
        if len(page) < ROWS_A_SLICE:
            return
        after = (page[-1][0].first_ms, page[-1][0].seq)
