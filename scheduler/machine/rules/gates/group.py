"""The group that a task is in: what is inside begins with it, or catches a failure of it once all its tasks
have ended. The group's beginning opens it, or its failure (`steps.telling`)."""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Never, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import Facts, TaskView
from scheduler.words.lifecycle import TASK_ENDS, in_words

NAME = "group"
WAITS = Waits("its group has not begun")
NEVER = Never("skipped", "group")


def judge(view: TaskView) -> Verdict:
    group = view.group
    if group is None or group.is_open:
        return READY
    return NEVER if group.state in TASK_ENDS else WAITS


def words(verdict: Verdict, view: TaskView, facts: Facts) -> Words:
    group = view.group
    assert group is not None
    said = f"its group {group.name} is {in_words(group.state)}"
    if isinstance(verdict, Never):
        return Words(said)
    if group.is_catch and group.state == "active":
        return Words(f"group {group.name} has not failed", f"a failure of group {group.name}")
    return Words(said, f"the beginning of group {group.name}")
