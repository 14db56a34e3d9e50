"""The windows of the week in which runs of a job may start. Time opens it (the planner's pass `waits`), a
person lets a run pass (`run release`, `job run --ignore-admission`).

Rules of this file:

1. A firing that comes outside of them is skipped, or its run waits, as the policy says. What a person asks
   for waits in either case.
2. A run that has not started when its window ends waits for the next one. One that has goes on, or ends as
   timed_out(admission), as the policy says.
3. Windows go by the zone data in force, so a Retime moves those to come.
"""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Never, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import AdmitView, Facts, FireView
from scheduler.model.openings import Admission
from scheduler.words import reasons

NAME = "admission"
NEVER = Never("skipped", reasons.ADMISSION)
WAITS = Waits("outside of its admission windows")


def judge(view: FireView | AdmitView) -> Verdict:
    if isinstance(view, AdmitView):
        return READY if view.opening is None or view.opening.is_open else WAITS
    admission = None if view.openings is None else view.openings.admission
    if admission is None or not admission.skips:
        return READY
    is_open = all(admission.at(view.zone, at_ms).is_open for at_ms in {view.due_ms, view.at_ms})
    return READY if is_open else NEVER


def words(verdict: Verdict, view: FireView | AdmitView, facts: Facts) -> Words:
    since_ms = facts.run.created_ms if facts.run is not None else None
    if isinstance(view, AdmitView):
        assert view.opening is not None
        return Words(_said(view.admission), "its next window, or a release", since_ms, view.opening.until_ms)
    assert view.openings is not None
    return Words(_said(view.openings.admission))


def _said(admission: Admission | None) -> str:
    if admission is None:
        return WAITS.reason
    return f"{WAITS.reason}: {', '.join(admission.texts)} ({admission.tz or 'UTC'})"
