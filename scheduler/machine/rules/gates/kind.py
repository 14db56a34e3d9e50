"""Its kind of work, with all that it asks of it, offered by an agent that it means. An agent opens it that
registers with such an executor (the planner's pass `queue`)."""

from __future__ import annotations

from scheduler.machine.rules import selectors
from scheduler.machine.rules.gates.verdict import READY, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import Facts, PlaceView
from scheduler.model.work import offered

NAME = "kind"
WAITS = Waits("no agent offers its kind of work")


def judge(view: PlaceView) -> Verdict:
    return READY if view.offered else WAITS


def words(verdict: Verdict, view: PlaceView, facts: Facts) -> Words:
    since_ms = facts.task.queued_ms if facts.task is not None else None
    if facts.fits is None:
        return Words(WAITS.reason, since_ms=since_ms)
    wanted = selectors.parse(facts.selector)
    none = f"no connected agent with {selectors.words(wanted)} offers work of kind {wanted.kind}"
    said = facts.fits.unknown or none
    if facts.fits.away:
        said += f"; {facts.fits.away} does, and is disconnected"
    elif facts.fits.refuses:
        said += f"; {facts.fits.refuses} does, and takes nothing new"
    return Words(said, offered(wanted.kind), since_ms)
