"""Gaps that were set aside (`catchup: all`): the next tick of one, and how many may wait.

Rules of this file:

1. Of each trigger at most `max` missed ticks wait, those of all its gaps together, the newest: before another
   gap is set aside, what is too much of the older ones is missed(buffer_full). Gaps of triggers that the job
   has no more count with those of any. So of a job never more wait than `max` for each of its triggers.
2. A tick that ran before a restore is fired, which the machine turns into the entry of that run.
"""

from __future__ import annotations

from scheduler.plan.hold import by_themselves, miss
from scheduler.plan.view import View
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.triggers import DueTrigger
from scheduler.ticks import Schedule, nominal_ms, schedule
from scheduler.words.commands import Command, Fire
from scheduler.words.reasons import BUFFER_FULL

FIRES_MAX = 100
_INSTANTS_MAX = 1_000_000
"""More than any gap holds: each was cut to `max` when it was set aside."""


def next_of_gap(trigger: DueTrigger, ticks: Schedule, epoch: int, ran: frozenset[int]) -> list[Command]:
    """The instants at the begin of the gap that ran before a restore, and one to run."""
    commands: list[Command] = []
    due_ms: int | None = trigger.next_due_ms
    while due_ms is not None and due_ms <= trigger.end_ms(due_ms) and len(commands) < FIRES_MAX:
        next_ms = ticks.next(due_ms)
        commands.append(Fire(epoch, trigger.id, due_ms, next_ms, 0, True, nominal_ms(trigger.spec, due_ms)))
        if due_ms not in ran:
            break
        due_ms = next_ms
    return commands


def too_many(
    view: View, trigger: DueTrigger, wanted: int, max_: int, planned: set[int]
) -> list[Command] | None:
    """What has to be missed of older gaps before so many ticks (`wanted`) may be set aside beside them. None:
    that cannot be told now, this plan holds commands of one of them (`planned`, which grows by the others).
    """
    commands: list[Command] = []
    trimmed: list[int] = []
    left = max(0, max_ - wanted)
    for gap in trigger_rows.behind(view.store, trigger.job, trigger.id, max_ + 1):
        assert gap.next_due_ms is not None
        assert gap.until_ms is not None
        if not view.cache.can_read(gap.spec):
            continue
        ticks = schedule(gap.spec)
        instants = [gap.next_due_ms, *ticks.between(gap.next_due_ms, gap.until_ms, _INSTANTS_MAX)]
        surplus = len(instants) - left
        if surplus > 0:
            if gap.id in planned:
                return None
            ran = by_themselves(view.store, view.hold, gap)
            commands += miss(gap, ticks, instants[:surplus], ran, view.epoch, "missed", BUFFER_FULL)
            trimmed.append(gap.id)
        left = max(0, -surplus)
    planned.update(trimmed)
    return commands
