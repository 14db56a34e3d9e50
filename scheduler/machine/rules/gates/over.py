"""A tick of an era that is over, or of a job that is no more."""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Never, Verdict
from scheduler.machine.rules.gates.views import TickView
from scheduler.store.triggers import PAUSED
from scheduler.words import reasons

NAME = "era"


def judge(view: TickView) -> Verdict:
    if not view.trigger.is_over:
        return READY
    return Never("skipped", reasons.PAUSED if view.trigger.closed == PAUSED else reasons.CANCELLED)
