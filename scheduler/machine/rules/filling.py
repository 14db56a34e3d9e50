"""What is known of a past instant of a trigger, and whether a backfill makes a run of it. Asked by the
machine, by dry runs and by people; writes nothing.

Rules of this file:

1. An instant is known by its job, its trigger's own key and itself, whatever eras the trigger had. By which
   schedule it is one now is the asker's.
2. What goes on, or is decided by itself yet, is never doubled.
3. What came of it is what was written last: the entry of its tick, which tells that it ran and, unless a
   result says otherwise, well; a result (`words.causes`); the end of a backfill's run.
4. After a restore nobody knows how a run ended that is gone: agents proved of some that they ran, no more.
"""

from __future__ import annotations

from typing import NamedTuple

from scheduler.store.connection import Store
from scheduler.store.tables import backfills, changed_ticks, closed_dates, ledger, namespaces
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.backfills import Backfill
from scheduler.ticks import nominal_ms, plan_days
from scheduler.words.causes import Kind
from scheduler.words.commands import StartBackfill
from scheduler.words.outcomes import Code, Outcome

NONE, GOING, COMING, UNKNOWN, CLOSED = "none", "going", "coming", "unknown", "closed"
"""Beside how a run ended: nothing ran; a run goes on; it is yet to be decided; its plan date is closed."""
SUCCEEDED = "succeeded"
INSTANTS_MAX = 10_000  #: of one backfill
ACTIVE_MAX = 100  #: of its runs
REASON_LETTERS_MAX = 500


def judge(store: Store, job: int, command: StartBackfill, now_ms: int) -> Outcome | None:
    """The refusal of a backfill; None: it may begin."""
    era = next((each for each in trigger_rows.live(store, job) if each.key == command.trigger), None)
    if era is None:
        return Outcome(Code.NOT_FOUND, f"the job has no trigger {command.trigger}")
    if era.event:
        return Outcome(Code.INVALID, f"trigger {era.key} waits for an event: it has no past instants")
    if not command.from_ms < command.to_ms <= now_ms:
        return Outcome(Code.INVALID, "a backfill is of instants that are past, from one to a later one")
    if not 0 < command.instants <= INSTANTS_MAX:
        hint = "Take a shorter range, and the next one after it."
        said = f"a backfill is of 1 to {INSTANTS_MAX} instants, here are {command.instants}"
        return Outcome(Code.LIMIT, said, {"hint": hint})
    if not 0 < command.active_max <= ACTIVE_MAX:
        return Outcome(Code.INVALID, f"a backfill has 1 to {ACTIVE_MAX} runs at a time")
    if (command.first_day is None) is not (command.last_day is None):
        return Outcome(Code.INVALID, "a backfill of plan dates has a first one and a last one")
    if len(command.reason) > REASON_LETTERS_MAX:
        return Outcome(Code.INVALID, f"a reason of at most {REASON_LETTERS_MAX} letters")
    going = backfills.going(store, job, backfills.GOING_MAX)
    if len(going) == backfills.GOING_MAX:
        return Outcome(Code.LIMIT, f"{len(going)} backfills of the job go on, the most")
    return None if command.closed else _judge_dates(store, command)


def _judge_dates(store: Store, command: StartBackfill) -> Outcome | None:
    given = namespaces.plan_days_of(store, command.namespace)
    first, last = command.first_day, command.last_day
    if first is None or last is None:
        first, last = (plan_days.day_of(given, ms) for ms in (command.from_ms + 1, command.to_ms))
    day = closed_dates.of(store, command.namespace).first_of(first, last)
    if day is None:
        return None
    date = plan_days.text_of(day)
    hint = "Say closed (--closed) where its runs are meant all the same, or open the date: plan open."
    return Outcome(Code.CONFLICT, f"plan date {date} is closed", {"hint": hint, "plan_date": date})


class Known(NamedTuple):
    what: str  #: how the newest run ended, or one of the words above
    run: int = 0
    by_backfill: bool = False  #: that run was made by one


def look(store: Store, job: int, key: str, at_ms: int) -> Known:
    going = run_rows.going_of_instant(store, job, f"{key}/{at_ms}")
    if going is not None:
        return Known(GOING, going, by_backfill=True)
    result = ledger.newest_result(store, job, f"{key}/{at_ms}")
    by_itself = _by_itself(store, job, key, at_ms, after_seq=0 if result is None else result.seq)
    if by_itself is not None:
        return by_itself
    if result is not None:
        return Known(result.reason, result.run, by_backfill=result.kind == Kind.BACKFILL)
    return Known(NONE)


def _by_itself(store: Store, job: int, key: str, at_ms: int, *, after_seq: int) -> Known | None:
    """What came, or comes, of its tick, where that is newer than the entry `after_seq`."""
    number = trigger_rows.era_of(store, job, key, at_ms)
    era = None if number is None else trigger_rows.get(store, number)
    if era is None:  # before the job had the trigger
        return None
    entry = ledger.of_instant(store, era.id, at_ms)
    if entry is None:
        return _undecided(store, era, at_ms)
    if entry.seq < after_seq or entry.outcome != "ran":
        return None
    run = run_rows.get(store, entry.run)
    if run is not None:
        return Known(GOING if run.finished_ms is None else run.state, run.id)
    lost = bool(store.value("SELECT restores FROM state"))
    return Known(UNKNOWN if lost else SUCCEEDED, entry.run)


def _undecided(store: Store, era: trigger_rows.Trigger, at_ms: int) -> Known | None:
    run = run_rows.of_tick(store, era.id, at_ms)
    if run is not None:
        return Known(GOING, run)
    changed = changed_ticks.get(store, era.job, era.key, at_ms)
    if changed is not None or (era.next_due_ms is not None and at_ms >= era.next_due_ms):
        return Known(COMING)
    return None


def is_meant(
    store: Store, namespace: str, first_day: int | None, last_day: int | None, spec: bytes, at_ms: int
) -> bool:
    """Whether an instant of the range of a backfill is of its plan dates, where it is one of these."""
    if first_day is None or last_day is None:
        return True
    return first_day <= day_of(store, namespace, spec, at_ms) <= last_day


def day_of(store: Store, namespace: str, spec: bytes, at_ms: int) -> int:
    """The plan date of this instant: that for which it was before a calendar moved it."""
    stood_ms = nominal_ms(spec, at_ms)
    given = namespaces.plan_days_of(store, namespace)
    return plan_days.day_of(given, at_ms if stood_ms is None else stood_ms)


def leaves_out(store: Store, row: Backfill, spec: bytes, at_ms: int) -> str:
    """Why it makes no run of this instant; empty: it makes one. `spec`: of its trigger as that is now."""
    known = look(store, row.job, row.key, at_ms)
    if known.what in (GOING, COMING):
        return known.what
    if known.what == SUCCEEDED and not row.again and (row.missing_only or known.by_backfill):
        return SUCCEEDED
    if known.what == UNKNOWN and row.missing_only:
        return UNKNOWN
    if not row.closed and closed_on(store, row.namespace, spec, at_ms) is not None:
        return CLOSED
    return ""


def closed_on(store: Store, namespace: str, spec: bytes, at_ms: int) -> closed_dates.ClosedDate | None:
    """The plan date of this instant, if that is closed."""
    return closed_dates.get(store, namespace, day_of(store, namespace, spec, at_ms))
