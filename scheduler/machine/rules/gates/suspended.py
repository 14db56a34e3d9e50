"""A task of a run that a person keeps back: held until it is released, or suspended. A release or a resume
opens it (`machine.hands`). Asked after what a task needs: one that never can start ends meanwhile."""

from __future__ import annotations

from scheduler.machine.rules import periods
from scheduler.machine.rules.gates.verdict import READY, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import Facts, TaskView
from scheduler.store.tables import holds
from scheduler.words.lifecycle import KEPT_BACK

NAME = "suspended"
WAITS = Waits("its run is kept back by a person")


def judge(view: TaskView) -> Verdict:
    return WAITS if view.run.state in KEPT_BACK else READY


def words(verdict: Verdict, view: TaskView, facts: Facts) -> Words:
    state = view.run.state
    opens = f"a release (run release {view.run.id})" if state == "held" else f"run resume {view.run.id}"
    hold = holds.get(facts.store, view.run.id)
    if hold is None:
        return Words(f"its run is {state}", opens)
    by = f" by {hold.actor}" if hold.actor else ""
    why = f": {hold.reason}" if hold.reason else ""
    longer = periods.longer(facts.store, view.run, hold.since_ms, facts.now_ms)
    return Words(f"its run is {state}{by}{why}{longer}", opens, hold.since_ms)
