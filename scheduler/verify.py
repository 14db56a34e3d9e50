"""Was every due tick decided exactly once? Recomputed from the schedules, compared with the ledger.

Rules of this file:

1. What was due comes from the eras of the triggers and `scheduler.ticks` alone, never from what was decided.
2. Every due instant behind an era's watermark has exactly one outcome: a ledger entry, a run that is still
   pending, a person's word that holds or moved it, or an agent that has it in advance. What was moved to an
   earlier instant is an era of its own, once it has come. What lies at or beyond the watermark is undecided.
3. Nothing that was not due has an outcome.
4. Every hash of the ledger, from the first entry that may concern the range up to the head, follows from the
   entry before it. Stamps never go back, so that first entry is found by halving.
5. It reads in slices, each a short snapshot of its own: one long one would keep the write-ahead log growing.
   The ledger only grows and keeps its order, so its head carries over from slice to slice. Of each stretch
   of instants of an era all that counts (the era, its entries, its undecided runs) is read in one slice.
   A slice that was broken off, as a machine with much else to do may be too slow for it, is read in halves.
6. What fired since runs of other jobs had ended is recomputed from those ends (`scheduler.dependence`), what
   waits for several things together is compared with what came (`scheduler.completeness`).
7. What hooks have taken is compared with what came of it (`scheduler.reception`).
8. What is counted from the end of a run says from which, and when that was (`scheduler.anchors`).
9. How a run of an instant ended, where its entries do not tell, is a result (`machine.steps.backfilling`): it
   and its run say the same, as long as the run is kept, and none is lacking.
10. An entry and its run tell the same cause, as long as the run is kept, and no tick has two runs. Of what
   is no tick the unique index of its key sees to that.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from typing import NamedTuple, TypeVar

from scheduler import anchors, completeness, dependence, reception
from scheduler.store import state as state_rows
from scheduler.store.connection import QueryTooLongError, Store
from scheduler.store.reads import ledger as ledger_reads
from scheduler.store.reads import runs as run_reads
from scheduler.store.reads import triggers as trigger_reads
from scheduler.store.tables import changed_ticks, ledger, reservations, triggers
from scheduler.store.tables.ledger import Entry
from scheduler.store.tables.triggers import Trigger
from scheduler.ticks import SpecError, schedule
from scheduler.words.causes import RESULTS
from scheduler.words.counted import counted

PROBLEMS_MAX = 100
DECIDED_AHEAD_MAX_MS = 60_000
"""An entry is written at most so long before its instant: a tick is fired `lead` ahead, far less than
this.
"""

SLICE_ENTRIES = 5_000
"""Of the ledger, read at once; as many due instants are compared with theirs at once."""
SLICE_ERAS = 500
SLICE_RUNS = 20_000
"""Only looked through, by SQLite itself: some 10 ms."""

SLICE_LEAST = 50

_T = TypeVar("_T")
_BEFORE_ALL_MS = -(1 << 60)
_ENTRIES_MAX = 10_000_000


@dataclass(frozen=True, slots=True)
class Problem:
    """kind: missing | doubled | not_due | chain | cause | unreadable."""

    kind: str
    trigger: int
    job: int
    instant_ms: int
    seq: int
    detail: str


@dataclass(slots=True)
class Verification:
    """What came of the ticks in (from_ms, to_ms]. Filled while it is counted, so not frozen."""

    from_ms: int
    to_ms: int
    index: int
    ledger_head: bytes
    due: int = 0  #: instants that the schedules give
    outcomes: Counter[str] = field(default_factory=Counter)  #: ticks by ran, skipped(reason)…, pending
    undecided: int = 0  #: at or beyond their trigger's watermark
    overdue: int = 0  #: of these, those whose time has passed and that do not wait to be caught up
    entries: int = 0  #: ledger entries whose hashes were checked
    entries_of: int = 0  #: that are to be checked: from the first that may concern the range to the head
    events: int = 0  #: of these, those of the range that tell of no tick
    problems: list[Problem] = field(default_factory=list)  #: the first of them
    problem_count: int = 0

    @property
    def ok(self) -> bool:
        return self.problem_count == 0

    def report(self, problem: Problem) -> None:
        self.problem_count += 1
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)


@dataclass(frozen=True, slots=True)
class _Stretch:
    """Due instants of one era in (after_ms, until_ms], few enough to be looked at in one slice."""

    era: Trigger
    due: list[int]
    after_ms: int
    until_ms: int


class _Slice(NamedTuple):
    entries: list[tuple[Entry, bytes]]
    touching: list[Entry]  #: of these, the ticks of the range
    strange: list[Entry]  #: of those, what is of no era
    odd: list[tuple[Entry, str, str]]  #: of another cause than their run
    unanchored: list[tuple[Entry, str]]  #: not counted from what they say, and why
    other_ends: list[tuple[Entry, str]]  #: results whose run ended in another state


LookUp = Callable[["Verification"], None]


def _on(result: Verification) -> None:
    """Nobody looks up."""


def verify(
    store: Store, from_ms: int, to_ms: int, *, now_ms: int, look_up: LookUp = _on
) -> Verification:  # fmt: skip
    """Check the ticks in (from_ms, to_ms]. One younger than `now_ms` may still be undecided. The hashes are
    checked up to the head of when it began. `look_up` is called between slices, with what was counted so far;
    what it raises ends the check. Raises ValueError within a snapshot, which would make one of all slices.
    """
    if store.is_in_snapshot:
        raise ValueError("verify reads in slices, each a snapshot of its own: it cannot be within one")
    state = state_rows.load(store)
    result = Verification(from_ms, to_ms, state.idx, state.ledger_head)
    begun = _read_ledger(store, result, state.ledger_seq, look_up)
    _look_for_doubled_runs(store, result)
    _look_for_lacking_results(store, result)
    ended = _ended_undecided(store, result)
    for stretches in _slices(store, result):
        for stretch, era, entries, pending in _read(store, stretches, begun, ended):
            _check(result, stretch, era, entries, pending, now_ms)
        look_up(result)
    result.overdue += anchors.overdue(store, from_ms, min(to_ms, now_ms), SLICE_ENTRIES)
    for proof in (
        dependence.check, reception.check, reception.check_notices, reception.check_files,
        completeness.check,
    ):
        for problem in proof(store, from_ms, to_ms, lambda: look_up(result)):
            result.report(Problem(*problem))
    return result


def verify_chain(store: Store) -> Verification:
    """Check every hash of the ledger, from the first entry to the head that the state names, and no ticks."""
    state = state_rows.load(store)
    result = Verification(_BEFORE_ALL_MS, _BEFORE_ALL_MS, state.idx, state.ledger_head)
    _read_ledger(store, result, state.ledger_seq, _on)
    return result


def _read_ledger(
    store: Store, result: Verification, last_seq: int, look_up: LookUp
) -> dict[int, list[Entry]]:
    """Check the chain; gives the entries that begin before the range and reach into it, by trigger."""
    seq = _first_concerned(store, last_seq, result.from_ms - DECIDED_AHEAD_MAX_MS) - 1
    result.entries_of = last_seq - seq
    head = ledger_reads.hash_of(store, seq)
    begun: dict[int, list[Entry]] = {}
    known: set[int] = set()

    def read(
        limit: int,
    ) -> _Slice:
        strange: list[Entry] = []
        with store.snapshot():
            slice_ = ledger_reads.after(store, seq, limit=min(limit, last_seq - seq))
            told = [e for e, _ in slice_ if e.last_ms > result.from_ms and e.first_ms <= result.to_ms]
            touching = [entry for entry in told if not entry.key]
            events = [entry for entry in told if entry.key and entry.kind not in RESULTS]
            strange += [entry for entry in events if not _is_of_trigger(store, entry)]
            for entry in touching:
                if entry.trigger not in known and not _has_era(store, result, entry.trigger):
                    strange.append(entry)
                else:
                    known.add(entry.trigger)
            odd = ledger_reads.of_other_causes(store, seq, slice_[-1][0].seq) if slice_ else []
            unanchored = [(entry, why) for entry in told if (why := anchors.wrong(store, entry))]
            other = ledger_reads.of_other_ends(store, seq, slice_[-1][0].seq) if slice_ else []
        return _Slice(slice_, touching, strange, odd, unanchored, other)

    while seq < last_seq:
        slice_, touching, strange, odd, unanchored, other_ends = _patiently(read, SLICE_ENTRIES)
        for entry, kind, key in odd:
            detail = f"run {entry.run} tells another cause: {kind} {key}".rstrip()
            result.report(Problem("cause", entry.trigger, entry.job, entry.first_ms, entry.seq, detail))
        for entry, why in unanchored:
            result.report(Problem("cause", entry.trigger, entry.job, entry.first_ms, entry.seq, why))
        for entry, state in other_ends:
            detail = f"run {entry.run} is {state}, and not {entry.reason}"
            result.report(Problem("cause", entry.trigger, entry.job, entry.first_ms, entry.seq, detail))
        for entry in strange:
            _not_due(result, entry, f"trigger {entry.trigger} has no era at that time")
        for entry, written in slice_:
            if entry.seq != seq + 1:
                detail = f"entries {seq + 1} to {entry.seq - 1} are gone"
                result.report(Problem("chain", entry.trigger, entry.job, entry.first_ms, entry.seq, detail))
            elif ledger.chain(head, entry) != written:
                detail = "its hash does not follow from the entry before it"
                result.report(Problem("chain", entry.trigger, entry.job, entry.first_ms, entry.seq, detail))
            seq, head = entry.seq, written
            if entry.key and entry.kind not in RESULTS:
                result.events += result.from_ms < entry.first_ms <= result.to_ms
        for entry in touching:
            if entry.first_ms <= result.from_ms:
                begun.setdefault(entry.trigger, []).append(entry)
        result.entries += len(slice_)
        if not slice_:
            break
        look_up(result)
    with store.snapshot():
        is_newest = ledger_reads.newest_seq(store) == state_rows.load(store).ledger_seq
    if seq != last_seq or head != result.ledger_head or not is_newest:
        result.report(Problem("chain", 0, 0, 0, seq, "the last entry is not the head that the state names"))
    return begun


def _patiently(read: Callable[[int], _T], most: int) -> _T:
    """What `read` gives of so many rows, or of fewer where it is broken off. Raises QueryTooLongError where
    even the fewest take too long."""
    limit = most
    while True:
        try:
            return read(limit)
        except QueryTooLongError:
            if limit <= SLICE_LEAST:
                raise
            limit //= 2


def _has_era(store: Store, result: Verification, trigger: int) -> bool:
    era = triggers.get(store, trigger)
    return era is not None and (
        era.from_ms < result.to_ms and (era.until_ms is None or era.until_ms > result.from_ms)
    )


def _is_of_trigger(store: Store, entry: Entry) -> bool:
    """Whether the trigger of what fired once is one of its job."""
    era = triggers.get(store, entry.trigger)
    return era is not None and era.job == entry.job


def _first_concerned(store: Store, last_seq: int, decided_ms: int) -> int:
    low, high = 1, last_seq + 1
    while low < high:
        middle = (low + high) // 2
        stamp_ms = ledger_reads.decided_ms(store, middle)
        if stamp_ms is not None and stamp_ms < decided_ms:
            low = middle + 1
        else:
            high = middle
    return low


def _look_for_doubled_runs(store: Store, result: Verification) -> None:
    """No tick of the range has two runs. Those of no era are adopted ones, of ticks decided without them."""
    last: tuple[int, int] | None = (0, 1 << 62)
    while last is not None:
        after = last

        def read(
            limit: int, after: tuple[int, int] = after
        ) -> tuple[list[tuple[int, int, int]], tuple[int, int] | None]:
            with store.snapshot():
                return run_reads.doubled(store, after, limit)

        found, last = _patiently(read, SLICE_RUNS)
        for trigger, tick_ms, count in found:
            if result.from_ms < tick_ms <= result.to_ms:
                result.report(Problem("doubled", trigger, 0, tick_ms, 0, f"{count} runs"))


def _look_for_lacking_results(store: Store, result: Verification) -> None:
    last: int | None = 0
    while last is not None:
        after = last

        def read(limit: int, after: int = after) -> tuple[list[run_reads.Undecided], int | None]:
            with store.snapshot():
                return run_reads.ended_without_result(store, after, limit)

        found, last = _patiently(read, SLICE_RUNS)
        for run in found:
            at_ms = run.due_ms if run.tick_ms is None else run.tick_ms
            if result.from_ms < at_ms <= result.to_ms:
                detail = f"run {run.id} ended, and no entry says how"
                result.report(Problem("missing", run.trigger, run.job, at_ms, 0, detail))


def _ended_undecided(store: Store, result: Verification) -> dict[int, list[int]]:
    """Instants by trigger whose run ended and has no ledger entry: an outcome that was never written down.
    What is no tick is told at once.

    No command leaves such a run, at any moment, so slices cannot disagree. They are looked for in one go
    over the table: asking for the runs of each era would read the table in random order.
    """
    found: dict[int, list[int]] = {}
    last: int | None = 0
    while last is not None:
        after = last

        def read(limit: int, after: int = after) -> tuple[list[run_reads.Undecided], int | None]:
            with store.snapshot():
                return run_reads.ended_undecided(store, after, limit)

        ended, last = _patiently(read, SLICE_RUNS)
        for run in ended:
            if run.tick_ms is not None:
                found.setdefault(run.trigger, []).append(run.tick_ms)
            else:
                detail = f"run {run.id} ended without an entry"
                result.report(Problem("missing", run.trigger, run.job, run.due_ms, 0, detail))
    return found


def _slices(store: Store, result: Verification) -> Iterator[list[_Stretch]]:
    """All eras of the range, cut and gathered to slices of bounded work. One whose schedule cannot be read
    here is a problem: nobody can tell what of it was due."""
    from_ms, to_ms = result.from_ms, result.to_ms
    slice_: list[_Stretch] = []
    instants = after = 0
    while True:
        eras = trigger_reads.overlapping(store, from_ms, to_ms, after, SLICE_ERAS)
        for era in eras:
            try:
                schedule(era.spec)
            except SpecError as error:
                result.report(Problem("unreadable", era.id, era.job, era.from_ms, 0, str(error)))
                continue
            for stretch in _stretches(era, from_ms, to_ms):
                slice_.append(stretch)
                instants += len(stretch.due)
                if instants >= SLICE_ENTRIES or len(slice_) >= SLICE_ERAS:
                    yield slice_
                    slice_, instants = [], 0
        if len(eras) < SLICE_ERAS:
            break
        after = eras[-1].id
    if slice_:
        yield slice_


def _stretches(era: Trigger, from_ms: int, to_ms: int) -> Iterator[_Stretch]:
    """The range in stretches of one era; one where nothing is due. What is due is never all held at once: of
    a job of every second it were a million instants in twelve days."""
    end_ms = to_ms if era.until_ms is None else min(to_ms, era.until_ms)
    after_ms, at_ms = from_ms, max(from_ms, era.from_ms)
    while True:
        due = schedule(era.spec).between(at_ms, end_ms, SLICE_ENTRIES + 1)
        if len(due) <= SLICE_ENTRIES:
            yield _Stretch(era, due, after_ms, to_ms)
            return
        until_ms = due[SLICE_ENTRIES - 1]
        yield _Stretch(era, due[:SLICE_ENTRIES], after_ms, until_ms)
        after_ms = at_ms = until_ms


def _read(
    store: Store,
    stretches: list[_Stretch],
    begun: dict[int, list[Entry]],
    ended: dict[int, list[int]],
) -> list[tuple[_Stretch, Trigger, list[Entry], list[int]]]:
    """Each stretch with its era, its entries and its undecided instants, all of one moment. `begun`: entries
    that go on after the last stretch of their trigger; kept up to date for the next."""
    try:
        found, going_on = _read_once(store, stretches, begun, ended)
    except QueryTooLongError:
        if len(stretches) == 1:
            raise
        half = len(stretches) // 2
        found = _read(store, stretches[:half], begun, ended)
        return found + _read(store, stretches[half:], begun, ended)
    begun.update(going_on)
    return found


def _read_once(
    store: Store,
    stretches: list[_Stretch],
    begun: dict[int, list[Entry]],
    ended: dict[int, list[int]],
) -> tuple[list[tuple[_Stretch, Trigger, list[Entry], list[int]]], dict[int, list[Entry]]]:
    """All of one snapshot, and the entries that go on behind these stretches."""
    found = []
    carried: dict[int, list[Entry]] = {}
    with store.snapshot():
        for stretch in stretches:
            era = triggers.get(store, stretch.era.id) or stretch.era  # which is never removed
            after_ms, until_ms = stretch.after_ms, stretch.until_ms
            before = carried[era.id] if era.id in carried else begun.get(era.id, [])
            entries = {entry.seq: entry for entry in before}
            for entry, _ in ledger_reads.of_trigger(store, era.id, after_ms, until_ms, limit=_ENTRIES_MAX):
                if not entry.key:
                    entries[entry.seq] = entry
            carried[era.id] = [entry for entry in entries.values() if entry.last_ms > until_ms]
            end_ms = until_ms if era.until_ms is None else min(until_ms, era.until_ms)
            begin_ms = max(after_ms, era.from_ms)
            pending = run_reads.undecided_ticks(store, era.job, era.id, begin_ms, end_ms)
            left = changed_ticks.left_behind(store, era.job, era.key, begin_ms, end_ms)
            pending += [*left, *reservations.pending(store, era.id, begin_ms, end_ms)]
            pending += [ms for ms in ended.get(era.id, ()) if begin_ms < ms <= end_ms]
            if era.closed != triggers.AHEAD:
                of_others = frozenset(triggers.ahead(store, era.job, era.key, begin_ms, end_ms))
                stretch = replace(stretch, due=[ms for ms in stretch.due if ms not in of_others])
            found.append((stretch, era, [entries[seq] for seq in sorted(entries)], pending))
    return found, carried


def _check(
    result: Verification,
    stretch: _Stretch,
    era: Trigger,
    entries: list[Entry],
    pending: list[int],
    now_ms: int,
) -> None:
    end_ms = stretch.until_ms if era.until_ms is None else min(stretch.until_ms, era.until_ms)
    due = _within(stretch.due, stretch.after_ms, end_ms)
    result.due += len(due)
    decided = Counter(pending)
    result.outcomes["pending"] += len(pending)
    for entry in entries:
        decided.update(_decided_by(result, stretch, era, entry))
    watermark_ms = era.next_due_ms
    for instant_ms in due:
        times = decided.pop(instant_ms, 0)
        if times > 1:
            result.report(Problem("doubled", era.id, era.job, instant_ms, 0, f"{times} outcomes"))
        elif times == 0 and watermark_ms is not None and instant_ms >= watermark_ms:
            result.undecided += 1
            result.overdue += era.closed != triggers.BEHIND and instant_ms + era.jitter_ms < now_ms
        elif times == 0:
            result.report(Problem("missing", era.id, era.job, instant_ms, 0, "no outcome"))
    for instant_ms in sorted(decided):
        result.report(Problem("not_due", era.id, era.job, instant_ms, 0, "an outcome without a due instant"))


def _decided_by(result: Verification, stretch: _Stretch, era: Trigger, entry: Entry) -> list[int]:
    """The instants of this stretch that an entry decided."""
    said = f"{entry.outcome}({entry.reason})" if entry.reason else entry.outcome
    if entry.first_ms == entry.last_ms:
        result.outcomes[said] += 1
        if entry.ticks != 1:
            _not_due(result, entry, f"one instant, counted {entry.ticks} times")
        return [entry.first_ms]
    from_ms, to_ms = max(stretch.after_ms, entry.first_ms - 1), min(stretch.until_ms, entry.last_ms)
    covered = _within(stretch.due, from_ms, to_ms)
    result.outcomes[said] += len(covered)
    end_ms = result.to_ms if era.until_ms is None else min(result.to_ms, era.until_ms)
    ends_here = stretch.after_ms < entry.last_ms <= stretch.until_ms
    if ends_here and max(result.from_ms, era.from_ms) < entry.first_ms and entry.last_ms <= end_ms:
        first_ms, last_ms, count = _whole(stretch, entry)
        if (first_ms, last_ms, count) != (entry.first_ms, entry.last_ms, entry.ticks):
            were = counted(count, "was", "were")
            _not_due(result, entry, f"{counted(entry.ticks, 'instant')} in the entry, {were} due")
    return covered


def _whole(stretch: _Stretch, entry: Entry) -> tuple[int, int, int]:
    """The first and the last due instant of an entry that ends in this stretch, and how many were due."""
    due = _within(stretch.due, entry.first_ms - 1, entry.last_ms)
    count, first_ms, last_ms = len(due), due[0] if due else 0, due[-1] if due else 0
    at_ms = entry.first_ms - 1  # it may have begun before this stretch, or been written since that was read
    while at_ms < stretch.after_ms:
        before = schedule(stretch.era.spec).between(at_ms, stretch.after_ms, SLICE_ENTRIES)
        if not before:
            break
        if at_ms < entry.first_ms:
            first_ms = before[0]
        count += len(before)
        at_ms = before[-1]
        last_ms = max(last_ms, at_ms)
    return first_ms, last_ms, count


def _within(instants: list[int], after_ms: int, until_ms: int) -> list[int]:
    return instants[bisect_right(instants, after_ms) : bisect_right(instants, until_ms)]


def _not_due(result: Verification, entry: Entry, detail: str) -> None:
    result.report(Problem("not_due", entry.trigger, entry.job, entry.first_ms, entry.seq, detail))
