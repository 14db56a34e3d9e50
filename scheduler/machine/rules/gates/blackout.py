"""A span in which a job's own policy lets nothing fire by itself: skipped. Time ends it; what a person asks
for runs all the same."""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Never, Verdict, Words
from scheduler.machine.rules.gates.views import Facts, FireView
from scheduler.words import reasons

NAME = "blackout"
NEVER = Never("skipped", reasons.BLACKOUT)


def judge(view: FireView) -> Verdict:
    openings = view.openings
    return READY if openings is None or openings.blacked_out(view.due_ms, view.now_ms) is None else NEVER


def words(verdict: Verdict, view: FireView, _: Facts) -> Words:
    assert view.openings is not None
    span = view.openings.blacked_out(view.due_ms, view.now_ms)
    assert span is not None
    why = f": {span.reason}" if span.reason else ""
    return Words(f"a blackout of its job{why}", "", span.from_ms, None)
