"""What a run requires of other jobs and of boards. Ends of those jobs, notices and verdicts open it (the
planner's pass `required`), a release too; its timeout ends the wait (the pass `waits`)."""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import AdmitView, Facts

NAME = "requires"
WAITS = Waits("something that it requires is not there")


def judge(view: AdmitView) -> Verdict:
    return WAITS if view.lacks else READY


def words(verdict: Verdict, view: AdmitView, facts: Facts) -> Words:
    since_ms = facts.run.created_ms if facts.run is not None else None
    return Words(f"it requires {'; '.join(view.lacks)}", "that, or a release", since_ms, view.gives_up_ms)
