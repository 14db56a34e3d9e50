"""The tasks that a task needs, by counts of those that ended. An end opens it (`steps.telling`).

Each rule asks for ends of one sort and for a number of them (`CompiledTask.wanted`): of all needs, of one, or
of N. So it is met as early as it can be, and given up as soon as it cannot be met any more. A task with a
condition (`gates.when`), or one that is divided over what a task gives, waits for the others too, and for the
tasks that it asks.

A failure that is allowed counts as a success for `all_success`; a skipped need is none, so it skips too,
while `none_failed` takes it: there either-or branches meet.
"""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Never, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import Facts, TaskView
from scheduler.store.tables import tasks as task_rows
from scheduler.words.counted import counted
from scheduler.words.lifecycle import TASK_ENDS, in_words

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
        "none_failed": int(succeeded or state == "skipped" or (failed and may_fail)),
        "any_success": int(succeeded),
        "n_of": int(succeeded),
        "any_failed": int(failed),
        "all_done": 1,
    }


def judge(view: TaskView) -> Verdict:
    if not view.needs:
        return READY
    if view.met_needs >= view.wanted:
        is_early = view.open_needs and (view.when is not None or view.waits_all)
        return WAITS if is_early else READY
    return NEVER if view.met_needs + view.open_needs < view.wanted else WAITS


def words(verdict: Verdict, view: TaskView, facts: Facts) -> Words:
    needs = () if facts.compiled is None else (*facts.compiled.needs, *facts.compiled.asks)
    states = {name: task_rows.state_of(facts.store, view.run.id, name) for name in needs[:READ_MAX]}
    if isinstance(verdict, Never):
        ended = [f"{name} {in_words(state)}" for name, state in states.items() if state in TASK_ENDS]
        told = _few(ended, max(view.needs, len(needs)) - view.open_needs)
        return Words(f"its rule {_rule(view)} cannot be met any more: {told}")
    open_ = [f"{name} ({in_words(state)})" for name, state in states.items() if state not in TASK_ENDS]
    said = f"it needs {_few(open_, view.open_needs)} to end"
    return Words(said, f"the end of what it needs, by its rule {_rule(view)}")


def _rule(view: TaskView) -> str:
    return f"{view.wanted} of {view.needs}" if view.rule == "n_of" else view.rule


def _few(names: list[str], number: int) -> str:
    """The first of so many; where none of them is known by name, how many they are."""
    told = names[:TOLD_MAX]
    if not told:
        return counted(number, "task")
    return ", ".join(told) + (f" and {number - len(told)} more" if number > len(told) else "")
