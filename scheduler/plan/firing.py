"""Ticks of one trigger that fire now, one after the other.

While overload is declared, what is older than two periods of its trigger (2 s at least, the job's own grace
at most) is not fired tick by tick: under `catchup: latest` the newest of the range fires for all of it, under
`none` none does. One command ends the range, however long. `all` runs each, late. A tick that others were
coalesced into is itself fired always.
"""

from __future__ import annotations

from collections.abc import Iterator

from scheduler.machine.rules import selectors
from scheduler.model.compiled import CompiledJob
from scheduler.plan.hold import changed
from scheduler.plan.opening import skipped_by
from scheduler.plan.view import View
from scheduler.store.tables import ledger
from scheduler.store.tables.pauses import ALL
from scheduler.store.tables.triggers import DueTrigger
from scheduler.ticks import nominal_ms
from scheduler.words.commands import Account, Fire
from scheduler.words.reasons import OVERLOAD

TICKS_OF_ONE_TRIGGER_MAX = 120
SHED_PERIODS = 2
SHED_MS_MIN = 2_000
OUTCOMES = {"latest": "coalesced", "none": "missed"}
"""What becomes of ticks under overload, by the mode of catching up."""

Turn = list[Account | Fire]
"""A tick of a trigger, with what ends for it."""


def fire_live(view: View, trigger: DueTrigger, due_ms: int | None) -> Iterator[Turn]:
    """Fire each instant from `due_ms` up to the lead."""
    job = view.due.job(trigger)
    kept_back = view.pauses.kept_back(view.now_ms)
    may_start = trigger.state == "active" and not {ALL, trigger.namespace}.intersection(kept_back)
    first = job.placed_early if may_start else None
    selector = None if first is None else selectors.of_task(first, job.namespace)
    last_ms = trigger.end_ms(view.due.fire_ms - trigger.jitter_ms)
    turn: Turn = []
    if view.overloaded and may_start and due_ms is not None:
        due_ms = _shed(view, trigger, job, due_ms, turn)
    for _ in range(TICKS_OF_ONE_TRIGGER_MAX):
        if due_ms is None or due_ms > last_ms:
            break
        next_ms = view.cache.next(trigger.id, trigger.spec, due_ms)
        agent = 0 if selector is None else view.places.take_for_tick(selector)
        nominal = nominal_ms(trigger.spec, due_ms)
        turn.append(Fire(view.epoch, trigger.id, due_ms, next_ms, agent, False, nominal))
        yield turn
        turn, due_ms = [], next_ms
    if turn:
        yield turn


def _shed(view: View, trigger: DueTrigger, job: CompiledJob, due_ms: int, turn: Turn) -> int | None:
    """End what is too old. Returns the instant to go on with."""
    outcome = OUTCOMES.get(job.catchup_mode)
    next_ms = view.cache.next(trigger.id, trigger.spec, due_ms)
    if outcome is None or next_ms is None or trigger.closed or view.hold.restore is not None:
        return due_ms
    grace_ms = min(job.catchup_grace_ms, max(SHED_MS_MIN, SHED_PERIODS * (next_ms - due_ms)))
    edge_ms = trigger.end_ms(view.now_ms - grace_ms - trigger.jitter_ms)
    if due_ms > edge_ms or ledger.awaited_ms(view.store, trigger.id) == due_ms:
        return due_ms
    if any(at_ms <= edge_ms for at_ms in changed(view.store, trigger)):
        return due_ms
    ended = [due_ms]
    while next_ms is not None and next_ms <= edge_ms:
        ended.append(next_ms)
        next_ms = view.cache.next(trigger.id, trigger.spec, next_ms)
    into_ms = ended.pop() if outcome == "coalesced" else None
    if into_ms is not None:
        next_ms = into_ms
    closed = skipped_by(view.store, job, trigger)
    if closed is not None and any(closed(at_ms) for at_ms in (*ended, into_ms or due_ms)):
        return due_ms  # each says by itself why it is skipped
    if ended and not view.pauses.of(view.store, trigger.namespace, due_ms):
        turn.append(
            Account(
                view.epoch, trigger.id, due_ms, ended[-1], len(ended), next_ms, outcome, OVERLOAD, into_ms
            )
        )
        return next_ms
    return due_ms
