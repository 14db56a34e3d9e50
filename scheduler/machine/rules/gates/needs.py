"""The tasks that a task needs, by counts of those that ended. An end opens it (`steps.telling`).

A failure that is allowed counts as a success for `all_success`; a skipped need is none, so it skips too. The
`any_*` rules start as early as they can.
"""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Never, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import Facts, TaskView
from scheduler.store.tables import tasks as task_rows
from scheduler.words.lifecycle import TASK_ENDS

NAME = "needs"
READ_MAX, TOLD_MAX = 50, 5
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
    states = {name: task_rows.state_of(facts.store, view.run.id, name) for name in needs[:READ_MAX]}
    if isinstance(verdict, Never):
        ended = [f"{name} {state}" for name, state in states.items() if state in TASK_ENDS]
        told = _few(ended, view.needs - view.open_needs)
        return Words(f"its rule {view.rule} cannot be met any more: {told}")
    open_ = [f"{name} ({state})" for name, state in states.items() if state not in TASK_ENDS]
    said = f"it needs {_few(open_, view.open_needs)} to end"
    return Words(said, f"the end of what it needs, by its rule {view.rule}")


def _few(names: list[str], number: int) -> str:
    """The first of so many; where none of them is known by name, how many they are."""
    told = names[:TOLD_MAX]
    if not told:
        return f"{number} tasks"
    return ", ".join(told) + (f" and {number - len(told)} more" if number > len(told) else "")
