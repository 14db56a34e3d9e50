"""A tick of an era that is over, or of a job that is no more."""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Never, Verdict, Words
from scheduler.machine.rules.gates.views import Facts, TickView
from scheduler.store.tables.triggers import PAUSED
from scheduler.words import reasons

NAME = "era"


def judge(view: TickView) -> Verdict:
    if not view.trigger.is_over:
        return READY
    return Never("skipped", reasons.PAUSED if view.trigger.closed == PAUSED else reasons.CANCELLED)


def words(verdict: Verdict, view: TickView, _: Facts) -> Words:
    if view.trigger.closed == PAUSED:
        return Words("the job was paused when it came due; a resume makes up for nothing")
    return Words("the job was deleted", since_ms=view.trigger.until_ms)
