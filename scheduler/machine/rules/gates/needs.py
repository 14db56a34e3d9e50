"""The tasks that a task needs, by counts of those that ended. An end opens it (`steps.telling`).

A failure that is allowed counts as a success for `all_success`; a skipped need is none, so it skips too. The
`any_*` rules start as early as they can.
"""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Never, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import Facts, TaskView
from scheduler.store import tasks as task_rows
from scheduler.words.lifecycle import TASK_ENDS

NAME = "needs"
NEEDS_READ_MAX, TOLD_MAX = 200, 5
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


def words(verdict: Verdict, view: TaskView, facts: Facts) -> Words:
    needs = facts.compiled.needs if facts.compiled is not None else ()
    states = {name: task_rows.state_of(facts.store, view.run.id, name) for name in needs[:NEEDS_READ_MAX]}
    if isinstance(verdict, Never):
        ended = [f"{name} {state}" for name, state in states.items() if state in TASK_ENDS]
        return Words(f"its rule {view.rule} cannot be met any more: {_few(ended)}")
    open_ = [f"{name} ({state})" for name, state in states.items() if state not in TASK_ENDS]
    return Words(f"it needs {_few(open_)} to end", f"the end of what it needs, by its rule {view.rule}")


def _few(names: list[str]) -> str:
    more = f" and {len(names) - TOLD_MAX} more" if len(names) > TOLD_MAX else ""
    return ", ".join(names[:TOLD_MAX]) + more
