"""The tasks that a task needs, by counts of those that ended. An end opens it (`steps.telling`).

A failure that is allowed counts as a success for `all_success`; a skipped need is none, so it skips too. The
`any_*` rules start as early as they can.
"""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Never, Verdict, Waits
from scheduler.machine.rules.gates.views import TaskView

NAME = "needs"
TASK_FAILURES = frozenset({"failed", "timed_out", "lost", "expired"})
WAITS = Waits("tasks that it needs have not ended")
NEVER = Never("skipped", "upstream")


def met_by_rule(state: str, *, may_fail: bool) -> dict[str, int]:
    """For each rule 1 when a need that ended like this is what the rule asks for, else 0."""
    succeeded, failed = state == "succeeded", state in TASK_FAILURES
    return {
        "all_success": int(succeeded or (failed and may_fail)),
        "any_success": int(succeeded),
        "any_failed": int(failed),
        "all_done": 1,
    }


def judge(view: TaskView) -> Verdict:
    if not view.needs:
        return READY
    if view.rule.startswith("any_"):
        if view.met_needs:
            return READY
        return WAITS if view.open_needs else NEVER
    if view.met_needs + view.open_needs < view.needs:
        return NEVER
    return WAITS if view.open_needs else READY
