"""Whether each tick of a job on a plan date came to its end (`requires`: count: all). Writes nothing.

Rules of this file:

1. A tick counts by the run that it made, or by one that repeats that; what was coalesced or skipped is left
   out. One that was missed never ends so, and one that is yet to come, waits or goes on has not.
2. By the entries of the ledger: what became of a tick is there whatever was pruned since.
3. A tick is of the date of its nominal instant: a calendar may have moved it to another day.
4. Of a job with more ticks on the date than TICKS_MAX nobody says so: to look at them costs too much. Entries
   that tell of results are none (`words.causes`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from scheduler.model.quantities import format_instant
from scheduler.store.connection import Store
from scheduler.store.tables import changed_ticks, jobs, ledger, namespaces, overrides, required, triggers
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.ledger import Entry
from scheduler.ticks import nominal_ms, plan_days, reach_ms, schedule
from scheduler.words.causes import TICKS, Kind
from scheduler.words.lifecycle import RUN_ENDS

TICKS_MAX = 1_000
ENTRIES_MAX = 5 * TICKS_MAX  #: with those of results
MOVED_MAX = 1_000  #: instants of one trigger that a calendar may have moved to a date, or from it
ERAS_MAX = 50  #: of triggers whose calendars move instants
LEFT_OUT = ("skipped", "coalesced")


def lacking(store: Store, parent: str, state: str, day: int) -> str | None:
    """What of them lacks, in words; empty: nothing does. None: the job has no tick on that date."""
    _, namespace, name = parent.split("/", 2)
    job = jobs.find(store, namespace, name)
    if job is None:
        return None
    span = plan_days.span_of(namespaces.plan_days_of(store, namespace), day)
    if (at_ms := _unended(store, job.id, span, day)) is not None:
        return f"the tick of {format_instant(at_ms)} has not come to its end"
    specs = triggers.moving(store, job.id, ERAS_MAX)
    reached = [reach_ms(spec, *span) for spec in specs.values()]
    entries = ledger.of_span(
        store, job.id, min([span[0], *(each[0] for each in reached)]),
        max([span[1], *(each[1] for each in reached)]), ENTRIES_MAX + 1,
    )  # fmt: skip
    ticks = [each for each in entries if each.kind in TICKS and _is_of(each, specs, span)]
    if len(ticks) > TICKS_MAX or len(entries) > ENTRIES_MAX:
        return f"the job has more than {TICKS_MAX} ticks on a date"
    ended = required.ended_so(store, parent, state, day)
    # In the order of instants, and of one in that of writing.
    results = {each.key.rpartition("/")[0]: each.reason for each in entries if each.kind == Kind.RESULT}
    for entry in ticks:
        if entry.outcome in LEFT_OUT:
            continue
        said = f"the tick of {format_instant(entry.first_ms)}"
        if entry.outcome == "missed":
            return f"{said} was missed"
        if entry.run not in ended and not _is_known_so(store, entry, state, results):
            return f"{said} has not {'ended' if state == 'ended' else state} (run {entry.run})"
    return "" if ticks else None


def first_ms(
    spec: bytes, span: tuple[int, int], next_ms: int = 0, without: Sequence[int] = ()
) -> int | None:
    """The first instant of a schedule, from that one on, that stands for one of the span. `without`: none of
    these."""
    from_ms, until_ms = reach_ms(spec, *span)
    most = MOVED_MAX if triggers.may_move(spec) else 1 + len(without)
    found = schedule(spec).between(max(from_ms, next_ms) - 1, until_ms - 1, most)
    return next((ms for ms in found if ms not in without and _stands_in(spec, ms, span)), None)


def _stands_in(spec: bytes, at_ms: int, span: tuple[int, int]) -> bool:
    return span[0] <= _stood_ms(spec, at_ms) < span[1]


def _stood_ms(spec: bytes, at_ms: int) -> int:
    stood_ms = nominal_ms(spec, at_ms)
    return at_ms if stood_ms is None else stood_ms


def _is_of(entry: Entry, specs: Mapping[int, bytes], span: tuple[int, int]) -> bool:
    """Whether one of its instants stands for one of the span."""
    first, last = entry.first_ms, entry.last_ms
    if (spec := specs.get(entry.trigger)) is not None:
        first, last = _stood_ms(spec, first), _stood_ms(spec, last)
    return first < span[1] and last >= span[0]


def _unended(store: Store, job: int, span: tuple[int, int], day: int) -> int | None:
    """A tick of the date that its trigger is yet to come to, that a person keeps, or whose run goes on."""
    for era in triggers.undecided(store, job):
        assert era.next_due_ms is not None
        came = triggers.ahead(store, job, era.key, era.next_due_ms - 1, 1 << 62)
        at_ms = first_ms(era.spec, span, era.next_due_ms, came)
        if at_ms is not None and (era.until_ms is None or at_ms <= era.until_ms):
            return at_ms
    for tick in changed_ticks.of_job(store, job, TICKS_MAX):
        if tick.passed and tick.plan_day == day:
            return tick.at_ms
    return run_rows.unended_of(store, job, day)


def _is_known_so(store: Store, entry: Entry, state: str, results: Mapping[str, str]) -> bool:
    """Of one that ended before anybody waited for ends of its job: by what the ledger tells of results, by
    the run itself, or, where that is gone, by its entry: without any result it ended well."""
    told = results.get(f"{triggers.key_of(store, entry.trigger)}/{entry.first_ms}")
    if told is not None:
        return required.is_so(told, state)
    run = run_rows.get(store, entry.run)
    if run is None:  # after a restore nobody knows
        return not store.value("SELECT restores FROM state") and required.is_so("succeeded", state)
    if run.state not in RUN_ENDS:
        return False
    verdict = overrides.get(store, run.id)
    return required.is_so(run.state if verdict is None else verdict.verdict, state)
