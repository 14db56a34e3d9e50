"""Whether each tick of a job on a plan date came to its end (`requires`: count: all). Writes nothing.

Rules of this file:

1. A tick counts by the run that it made, or by one that repeats that; what was coalesced or skipped is left
   out. One that was missed never ends so, and one that is yet to come, waits or goes on has not.
2. By the entries of the ledger: what became of a tick is there whatever was pruned since.
3. Of a job with more ticks on the date than TICKS_MAX nobody says so: to look at them costs too much.
"""

from __future__ import annotations

from scheduler.model.quantities import format_instant
from scheduler.store.connection import Store
from scheduler.store.tables import changed_ticks, jobs, ledger, namespaces, overrides, required, triggers
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.ledger import Entry
from scheduler.ticks import plan_days, schedule
from scheduler.words.causes import TICKS
from scheduler.words.lifecycle import RUN_ENDS

TICKS_MAX = 1_000
ACTIVE_MAX = 200
LEFT_OUT = ("skipped", "coalesced")


def lacking(store: Store, parent: str, state: str, day: int) -> str | None:
    """What of them lacks, in words; empty: nothing does. None: the job has no tick on that date."""
    _, namespace, name = parent.split("/", 2)
    job = jobs.find(store, namespace, name)
    if job is None:
        return None
    from_ms, until_ms = plan_days.span_of(namespaces.plan_days_of(store, namespace), day)
    if (at_ms := _undecided(store, job.id, from_ms, until_ms)) is not None:
        return f"the tick of {format_instant(at_ms)} has not come to its end"
    entries = ledger.of_span(store, job.id, from_ms, until_ms, TICKS_MAX + 1)
    if len(entries) > TICKS_MAX:
        return f"the job has more than {TICKS_MAX} ticks on a date"
    ended = required.ended_so(store, parent, state, day)
    for entry in entries:
        if entry.kind not in TICKS or entry.outcome in LEFT_OUT:
            continue
        said = f"the tick of {format_instant(entry.first_ms)}"
        if entry.outcome == "missed":
            return f"{said} was missed"
        if entry.run not in ended and not _is_kept_so(store, entry, state):
            return f"{said} has not {'ended' if state == 'ended' else state} (run {entry.run})"
    return "" if any(entry.kind in TICKS for entry in entries) else None


def _undecided(store: Store, job: int, from_ms: int, until_ms: int) -> int | None:
    """A tick of the span that its trigger is yet to come to, that a person keeps, or whose run waits."""
    for era in triggers.undecided(store, job):
        assert era.next_due_ms is not None
        last_ms = until_ms if era.until_ms is None else min(until_ms, era.until_ms + 1)
        at_ms = schedule(era.spec).next(max(from_ms, era.next_due_ms) - 1)
        if at_ms is not None and at_ms < last_ms:
            return at_ms
    for tick in changed_ticks.of_job(store, job, TICKS_MAX):
        if tick.passed and from_ms <= tick.at_ms < until_ms:
            return tick.at_ms
    for run in run_rows.active(store, job, limit=ACTIVE_MAX):
        if not run.decided and run.tick_ms is not None and from_ms <= run.tick_ms < until_ms:
            return run.tick_ms
    return None


def _is_kept_so(store: Store, entry: Entry, state: str) -> bool:
    """By the run itself: it ended before anybody waited for ends of its job."""
    run = run_rows.get(store, entry.run)
    if run is None or run.state not in RUN_ENDS:
        return False
    verdict = overrides.get(store, run.id)
    return required.is_so(run.state if verdict is None else verdict.verdict, state)
