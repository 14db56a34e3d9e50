"""Ticks that were missed, and the policies that say what becomes of them (docs/reference/job.md, "Policies").

Rules of this file:

1. `latest` runs the newest missed tick within the window, the others there are coalesced into it; `all` runs
   the newest `max` within the window, set aside in an era of their own and one at a time, each when nothing
   of the job is active (with overlap allow: at once, as many as a plan may); `none` runs none. What is not
   run is missed(window), or missed(buffer_full) beyond `max`. `gaps.py` keeps several gaps within it.
2. Equal outcomes in a row are one range. A long gap is worked off in slices, and what a plan leaves undone
   the next one does: a tick that others were coalesced into runs all the same, with a newer one behind it,
   also where an edit between the two plans says `all` or `none`.
3. Ticks of a paused job are skipped(paused), those of a deleted one skipped(cancelled), however old. So are
   those that came due in a pause of everything or of their namespace, or before one that stands; those of a
   plan date that is closed; and those in a blackout of their job, or outside of its windows where these skip.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable
from dataclasses import dataclass, field

from scheduler.model.compiled import CompiledJob
from scheduler.plan import gaps
from scheduler.plan.hold import by_themselves, changed
from scheduler.plan.opening import skipped_by
from scheduler.plan.view import View
from scheduler.store.tables import ledger
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.triggers import BEHIND, DueTrigger
from scheduler.ticks import Schedule, nominal_ms
from scheduler.words.commands import Account, Command, Fire, SetAside
from scheduler.words.reasons import BUFFER_FULL, BY_PERSON, PAUSED, WINDOW

_LOOK_BACK_MS = (60_000, 3_600_000, 86_400_000, 31 * 86_400_000, 400 * 86_400_000)
SLICE = 5_000


@dataclass(slots=True)
class Budget:
    """What one plan may still do for backlogs. Counted down, so not frozen."""

    fires: int
    instants: int
    planned: set[int] = field(default_factory=set)  #: eras that it has commands of


def closed(trigger: DueTrigger, ticks: Schedule, budget: Budget) -> list[int]:
    """What is left of an era that ended, or a slice of it."""
    until_ms = trigger.next_due_ms if trigger.until_ms is None else trigger.until_ms
    return _slice(trigger.next_due_ms, until_ms, ticks, budget)


def until(trigger: DueTrigger, last_ms: int, ticks: Schedule, budget: Budget) -> list[int]:
    """The watermark and what follows it, up to `last_ms`, or a slice of that."""
    return _slice(trigger.next_due_ms, last_ms, ticks, budget)


def _slice(first_ms: int, until_ms: int, ticks: Schedule, budget: Budget) -> list[int]:
    """The watermark and what follows it, up to `until_ms`."""
    instants = [first_ms, *ticks.between(first_ms, until_ms, SLICE)]
    budget.instants -= len(instants)
    return instants


def edge_ms(view: View, trigger: DueTrigger) -> int:
    """The last instant that is older than the grace."""
    grace_ms = view.due.job(trigger).catchup_grace_ms
    return trigger.end_ms(view.now_ms - grace_ms - trigger.jitter_ms - 1)


def catch_up(
    view: View, trigger: DueTrigger, ticks: Schedule, budget: Budget
) -> tuple[list[Command], int | None]:
    """Commands for the missed ticks, and the first live instant once none of them is left (else None)."""
    epoch, job = view.epoch, view.due.job(trigger)
    # Instants that ran before a restore, or of which a person said something: the machine knows them too.
    ran = by_themselves(view.store, view.hold, trigger)
    if trigger.closed == BEHIND and trigger.state != "paused" and job.catchup_mode == "all":
        return gaps.next_of_gap(trigger, ticks, epoch, ran), None
    last_ms = edge_ms(view, trigger)
    if trigger.next_due_ms > last_ms:
        return [], trigger.next_due_ms
    instants = _slice(trigger.next_due_ms, last_ms, ticks, budget)
    pauses = view.pauses.of(view.store, trigger.namespace, trigger.next_due_ms)

    closed = skipped_by(view.store, job, trigger)
    said_of = changed(view.store, trigger)

    def skipped(due_ms: int) -> str:
        if due_ms in said_of:  # nothing is coalesced into it: it may never run
            return BY_PERSON
        at_ms = due_ms + trigger.jitter_ms
        if trigger.state == "paused" or any(pause.covers(at_ms, view.now_ms) for pause in pauses):
            return PAUSED
        return closed(due_ms) if closed is not None else ""

    runs = _to_run(trigger, job, ticks, last_ms, view.now_ms, skipped)
    owed_ms = _owed_ms(view, trigger, last_ms, skipped)
    if owed_ms is not None and owed_ms not in runs:
        runs = sorted({owed_ms, *runs})
    else:
        owed_ms = None  # its turn comes with theirs
    key = trigger_rows.key_of(view.store, trigger.id) if job.of_triggers else ""
    one_at_a_time = job.catchup_mode == "all" and job.overlap_of(key) != "allow"
    window_ms = view.now_ms - job.catchup_window_ms
    chosen = frozenset(runs)
    commands: list[Command] = []
    group: list[int] = []
    verdict = ("", "")

    def next_run(due_ms: int) -> int | None:
        place = bisect_right(runs, due_ms)
        return runs[place] if place < len(runs) else None

    def flush(next_ms: int | None) -> None:
        if group:
            outcome, reason = verdict
            into_ms = next_run(group[-1]) if outcome == "coalesced" else None
            commands.append(
                Account(epoch, trigger.id, group[0], group[-1], len(group), next_ms, outcome, reason, into_ms)
            )
            group.clear()

    for place, due_ms in enumerate(instants):
        if due_ms in chosen or due_ms in ran:
            flush(due_ms)
            if one_at_a_time and due_ms in chosen and due_ms != owed_ms:  # what is owed is no tick of the gap
                waiting = sum(1 for run_ms in runs if run_ms >= due_ms)
                surplus = gaps.too_many(view, trigger, waiting, job.catchup_max, budget.planned)
                if surplus is None or surplus:  # set aside by the next plan, which follows at once
                    return [*commands, *(surplus or [])], None
                after_ms = ticks.next(runs[-1])
                return [*commands, SetAside(epoch, trigger.id, due_ms, runs[-1], after_ms)], None
            if budget.fires <= 0:
                return commands, None
            budget.fires -= due_ms not in ran
            after_ms = instants[place + 1] if place + 1 < len(instants) else ticks.next(due_ms)
            nominal = nominal_ms(trigger.spec, due_ms)
            commands.append(Fire(epoch, trigger.id, due_ms, after_ms, 0, True, nominal))
            continue
        reason = skipped(due_ms)
        said = ("skipped", reason) if reason else _verdict(trigger, job, due_ms, window_ms, next_run(due_ms))
        if group and said != verdict:
            flush(due_ms)
        verdict = said
        group.append(due_ms)
    next_ms = ticks.next(instants[-1])
    flush(next_ms)
    return commands, next_ms if next_ms is not None and next_ms > last_ms else None


def _to_run(
    trigger: DueTrigger,
    job: CompiledJob,
    ticks: Schedule,
    edge_ms: int,
    now_ms: int,
    skipped: Callable[[int], str],
) -> list[int]:
    """The missed instants that the policy runs, oldest first."""
    if trigger.state == "paused":
        return []
    wanted = {"latest": 1, "all": job.catchup_max}.get(job.catchup_mode, 0)
    if wanted <= 0:
        return []
    floor_ms = max(trigger.next_due_ms - 1, now_ms - job.catchup_window_ms - trigger.jitter_ms - 1)
    found: list[int] = []
    for back_ms in _LOOK_BACK_MS:
        after_ms = max(floor_ms, edge_ms - back_ms)
        found = [due_ms for due_ms in ticks.between(after_ms, edge_ms, 1_000_000) if not skipped(due_ms)]
        if len(found) >= wanted or after_ms == floor_ms:
            break
    return found[-wanted:]


def _owed_ms(view: View, trigger: DueTrigger, edge_ms: int, skipped: Callable[[int], str]) -> int | None:
    """The missed tick that a plan before this one let others be coalesced into."""
    into_ms = ledger.awaited_ms(view.store, trigger.id)
    if into_ms is None or not trigger.next_due_ms <= into_ms <= edge_ms or skipped(into_ms):
        return None
    return into_ms


def _verdict(
    trigger: DueTrigger, job: CompiledJob, due_ms: int, window_ms: int, into_ms: int | None
) -> tuple[str, str]:
    if job.catchup_mode == "none" or due_ms + trigger.jitter_ms < window_ms or into_ms is None:
        return "missed", WINDOW
    return ("coalesced", "") if job.catchup_mode == "latest" else ("missed", BUFFER_FULL)
