"""A tick of a paused job: skipped, however old it is."""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Never, Verdict
from scheduler.machine.rules.gates.views import TickView
from scheduler.words import reasons

NAME = "pause"


def judge(view: TickView) -> Verdict:
    return Never("skipped", reasons.PAUSED) if view.trigger.state == "paused" else READY
