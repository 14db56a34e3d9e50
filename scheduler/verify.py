"""Was every due tick decided exactly once? Recomputed from the schedules, compared with the ledger.

Rules of this file:

1. What was due comes from the eras of the triggers and `scheduler.ticks` alone, never from what was decided.
2. Every due instant behind an era's watermark has exactly one outcome: a ledger entry, or a run that is still
   pending. What lies at or beyond the watermark is undecided; it is overdue when its time has passed.
3. Nothing that was not due has an outcome.
4. Every hash of the ledger, from the first entry that may concern the range up to the head, follows from the
   entry before it. Stamps never go back, so that first entry is found by halving.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field

from scheduler.store import ledger, runs, triggers
from scheduler.store import state as state_rows
from scheduler.store.connection import Store
from scheduler.store.ledger import Entry
from scheduler.store.triggers import Trigger
from scheduler.ticks import schedule

PROBLEMS_MAX = 100
DECIDED_AHEAD_MAX_MS = 60_000
"""An entry is written at most so long before its instant: a tick is fired `lead` ahead, far less than
this.
"""

_SLICE = 10_000
_BEFORE_ALL_MS = -(1 << 60)
_INSTANTS_MAX = 10_000_000


@dataclass(frozen=True, slots=True)
class Problem:
    """kind: missing | doubled | not_due | chain."""

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
    overdue: int = 0  #: of these, those whose time has passed
    entries: int = 0  #: ledger entries whose hashes were checked
    problems: list[Problem] = field(default_factory=list)  #: the first of them
    problem_count: int = 0

    @property
    def ok(self) -> bool:
        return self.problem_count == 0

    def report(self, problem: Problem) -> None:
        self.problem_count += 1
        if len(self.problems) < PROBLEMS_MAX:
            self.problems.append(problem)


def verify(store: Store, from_ms: int, to_ms: int, *, now_ms: int) -> Verification:
    """Check the ticks in (from_ms, to_ms] in one snapshot. A tick younger than `now_ms` may still be
    undecided.
    """
    with store.snapshot():
        state = state_rows.load(store)
        result = Verification(from_ms, to_ms, state.idx, state.ledger_head)
        entries = _read_ledger(store, result, state.ledger_seq)
        after = 0
        while True:
            eras = triggers.overlapping(store, from_ms, to_ms, after, _SLICE)
            for era in eras:
                _check_era(store, result, era, entries.pop(era.id, []), now_ms)
            if len(eras) < _SLICE:
                break
            after = eras[-1].id
        for trigger, left in sorted(entries.items()):
            for entry in left:
                _not_due(result, entry, f"trigger {trigger} has no era at that time")
    return result


def verify_chain(store: Store) -> Verification:
    """Check every hash of the ledger, from the first entry to the head that the state names, and no ticks."""
    with store.snapshot():
        state = state_rows.load(store)
        result = Verification(_BEFORE_ALL_MS, _BEFORE_ALL_MS, state.idx, state.ledger_head)
        _read_ledger(store, result, state.ledger_seq)
    return result


def _read_ledger(store: Store, result: Verification, last_seq: int) -> dict[int, list[Entry]]:
    """Check the chain, and gather the entries that touch the range by trigger, in the order of writing."""
    seq = _first_concerned(store, last_seq, result.from_ms - DECIDED_AHEAD_MAX_MS) - 1
    head = ledger.hash_of(store, seq)
    found: dict[int, list[Entry]] = {}
    while True:
        slice_ = ledger.after(store, seq, limit=_SLICE)
        for entry, written in slice_:
            if entry.seq != seq + 1:
                detail = f"entries {seq + 1} to {entry.seq - 1} are gone"
                result.report(Problem("chain", entry.trigger, entry.job, entry.first_ms, entry.seq, detail))
            elif ledger.chain(head, entry) != written:
                detail = "its hash does not follow from the entry before it"
                result.report(Problem("chain", entry.trigger, entry.job, entry.first_ms, entry.seq, detail))
            seq, head = entry.seq, written
            if entry.last_ms > result.from_ms and entry.first_ms <= result.to_ms:
                found.setdefault(entry.trigger, []).append(entry)
        result.entries += len(slice_)
        if len(slice_) < _SLICE:
            break
    if seq != last_seq or head != result.ledger_head:
        result.report(Problem("chain", 0, 0, 0, seq, "the last entry is not the head that the state names"))
    return found


def _first_concerned(store: Store, last_seq: int, decided_ms: int) -> int:
    low, high = 1, last_seq + 1
    while low < high:
        middle = (low + high) // 2
        stamp_ms = ledger.decided_ms(store, middle)
        if stamp_ms is not None and stamp_ms < decided_ms:
            low = middle + 1
        else:
            high = middle
    return low


def _check_era(store: Store, result: Verification, era: Trigger, entries: list[Entry], now_ms: int) -> None:
    from_ms = max(result.from_ms, era.from_ms)
    to_ms = result.to_ms if era.until_ms is None else min(result.to_ms, era.until_ms)
    due = schedule(era.spec).between(from_ms, to_ms, _INSTANTS_MAX)
    result.due += len(due)
    decided = Counter(_outcomes(store, result, era, entries, due, from_ms, to_ms))
    watermark_ms = era.next_due_ms
    for instant_ms in due:
        times = decided.pop(instant_ms, 0)
        if times > 1:
            result.report(Problem("doubled", era.id, era.job, instant_ms, 0, f"{times} outcomes"))
        elif times == 0 and watermark_ms is not None and instant_ms >= watermark_ms:
            result.undecided += 1
            result.overdue += instant_ms + era.jitter_ms < now_ms
        elif times == 0:
            result.report(Problem("missing", era.id, era.job, instant_ms, 0, "no outcome"))
    for instant_ms in sorted(decided):
        result.report(Problem("not_due", era.id, era.job, instant_ms, 0, "an outcome without a due instant"))


def _outcomes(
    store: Store,
    result: Verification,
    era: Trigger,
    entries: list[Entry],
    due: list[int],
    from_ms: int,
    to_ms: int,
) -> list[int]:
    """The instants of this era that have an outcome, once for each they have."""
    decided: list[int] = []
    outcomes = result.outcomes
    for entry in entries:
        said = f"{entry.outcome}({entry.reason})" if entry.reason else entry.outcome
        if entry.first_ms == entry.last_ms:
            decided.append(entry.first_ms)
            outcomes[said] += 1
            if entry.ticks != 1:
                _not_due(result, entry, f"one instant, counted {entry.ticks} times")
            continue
        covered = [ms for ms in due if entry.first_ms <= ms <= entry.last_ms]
        decided.extend(covered)
        outcomes[said] += len(covered)
        whole = from_ms < entry.first_ms and entry.last_ms <= to_ms
        if whole and (
            not covered
            or (covered[0], covered[-1], len(covered)) != (entry.first_ms, entry.last_ms, entry.ticks)
        ):
            _not_due(result, entry, f"{entry.ticks} instants in the entry, {len(covered)} were due")
    pending = runs.undecided_ticks(store, era.id, from_ms, to_ms)
    outcomes["pending"] += len(pending)
    decided.extend(pending)
    return decided


def _not_due(result: Verification, entry: Entry, detail: str) -> None:
    result.report(Problem("not_due", entry.trigger, entry.job, entry.first_ms, entry.seq, detail))
