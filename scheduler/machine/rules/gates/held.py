"""A task that a person lets wait before it starts, or that failed where a failure waits for a person (policy
`on_failure: hold`). A release opens it (`machine.task_hands`). Asked last, as `suspended` is."""

from __future__ import annotations

from scheduler.machine.rules import periods
from scheduler.machine.rules.gates.verdict import READY, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import Facts, TaskView
from scheduler.store.tables import holds

NAME = "held"
WAITS = Waits("it is held by a person")


def judge(view: TaskView) -> Verdict:
    return WAITS if view.held else READY


def words(verdict: Verdict, view: TaskView, facts: Facts) -> Words:
    task = facts.task
    if task is None or (hold := holds.get(facts.store, view.run.id, task.id)) is None:
        return Words(WAITS.reason, "a release of the task")
    of = f"{view.run.id} {task.name}" + (f" --member {task.member}" if task.member else "")
    act = f"run release {of}"
    why = f": {hold.reason}" if hold.reason else ""
    longer = periods.longer(facts.store, view.run, hold.since_ms, facts.now_ms)
    if hold.failed:
        said = f"it {hold.failed.replace('_', ' ')}{why}, and waits for a person{longer}"
        return Words(said, f"run retry {of}, skip, or {act}: it ends so", hold.since_ms)
    by = f" by {hold.actor}" if hold.actor else ""
    return Words(f"it is held{by}{why}{longer}", act, hold.since_ms)
