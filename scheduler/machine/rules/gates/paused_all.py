"""A pause of everything, or of a namespace: its ticks are skipped, and what waits to start goes on waiting. A
resume opens it, or its end (the planner's pass `pauses`).

Rules of this file:

1. A tick that came due in a pause is skipped(paused) whenever it is decided: a resume makes up for nothing.
   While a pause stands, so is what was due before it: nothing starts.
2. Nothing new starts: no task is given to an agent, of no run, whoever asked for it. What an agent has goes
   on. The queue stays, and goes on where it stopped.
"""

from __future__ import annotations

from scheduler.machine.rules.gates.verdict import READY, Never, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import Facts, PlaceView, TickView
from scheduler.store.tables import pauses
from scheduler.words import reasons

NAME = "pause_all"
NEVER = Never("skipped", reasons.PAUSED)
WAITS = Waits("everything is paused")


def judge(view: TickView | PlaceView) -> Verdict:
    if not view.paused:
        return READY
    return NEVER if isinstance(view, TickView) else WAITS


def words(verdict: Verdict, view: TickView | PlaceView, facts: Facts) -> Words:
    found = [pause for pause in pauses.of(facts.store, facts.namespace) if pause.stands(facts.now_ms)]
    if not found:
        return Words("everything was paused when it came due; a resume makes up for nothing")
    pause = found[-1]
    what = f"namespace {pause.namespace}" if pause.namespace else "everything"
    by = f" by {pause.actor}" if pause.actor else ""
    said = f"{what} is paused{by}: {pause.reason}"
    return Words(said, f"a resume of {what}", pause.since_ms, pause.until_ms)
