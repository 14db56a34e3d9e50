"""Failed runs in a row: what fires by itself waits after them, as the job says. Time opens it (the planner's
pass `waits`), or a release. Counted from the end of the job's last run; asked when a run is made or goes on,
and no more once it has gone on."""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import AdmitView, Facts

NAME = "failures"
WAITS = Waits("runs of its job failed in a row")


def judge(view: AdmitView) -> Verdict:
    return READY if view.delayed_ms <= view.now_ms else WAITS


def words(verdict: Verdict, view: AdmitView, facts: Facts) -> Words:
    since_ms = facts.run.created_ms if facts.run is not None else None
    return Words(f"{view.failures} {WAITS.reason}", "time, or a release", since_ms, view.delayed_ms)
