"""What may keep a tick, a run or a task from going on: one ordered list each.

Rules of this package:

1. A gate is a file: its name, `judge(view) -> Ready | Waits(reason) | Never(outcome, reason)`, and the words
   to a verdict. It writes nothing and knows no other gate.
2. The machine decides by these lists and by nothing else, the first closed gate speaks; what something waits
   for is told from the same lists (`scheduler.explain`). A new reason to wait is a file here and its line.
3. A gate that was closed is asked again when what may open it happens: its file names the step that does.
4. A list is asked for every tick, run and task: a gate that is open costs one comparison.

The lists in the order of a tick's life: TICK (does it fire?), FIRE (do its plan date, its job and its dates
let it, then?), RUN (is it made, and do others of its job have to end first?), ADMIT (may it go on, by what it
requires, its job and its namespace?), TASK (is it queued?), PLACE (is it given to an agent?).
"""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache
from typing import Protocol, TypeVar

from scheduler.machine.rules.gates import (
    admission,
    agents,
    blackout,
    changed,
    closed,
    failures,
    group,
    held,
    hold,
    kind,
    locks,
    needs,
    over,
    overlap,
    paused,
    paused_all,
    quota,
    requires,
    rest,
    retry,
    share,
    stopping,
    suspended,
    turn,
    undated,
    user,
    waiting,
    when,
    window,
)
from scheduler.machine.rules.gates.verdict import READY, Never, Ready, Verdict, Waits, Words
from scheduler.machine.rules.gates.views import (
    AdmitView,
    Facts,
    FireView,
    Fits,
    PlaceView,
    RunView,
    TaskView,
    TickView,
)

__all__ = [
    "ADMIT",
    "FIRE",
    "PLACE",
    "READY",
    "RUN",
    "TASK",
    "TICK",
    "AdmitView",
    "Facts",
    "FireView",
    "Fits",
    "Gate",
    "Never",
    "PlaceView",
    "Ready",
    "RunView",
    "TaskView",
    "TickView",
    "Verdict",
    "Waits",
    "Words",
    "judge",
    "judge_place",
]

V = TypeVar("V")
View = TypeVar("View", contravariant=True)


class Gate(Protocol[View]):
    NAME: str

    def judge(self, view: View, /) -> Verdict:
        """Whether it is open for this tick, run or task."""

    def words(self, verdict: Verdict, view: View, facts: Facts, /) -> Words:
        """Of a verdict that is not READY: why, and what would open it. For people: what it reads is bounded,
        and the machine never asks."""


TICK: tuple[Gate[TickView], ...] = (over, paused_all, paused, changed, turn)
FIRE: tuple[Gate[FireView], ...] = (closed, blackout, admission, undated)
RUN: tuple[Gate[RunView], ...] = (overlap,)
ADMIT: tuple[Gate[AdmitView], ...] = (requires, failures, admission, quota)
TASK: tuple[Gate[TaskView], ...] = (
    stopping, waiting, group, needs, rest, when, suspended, held, window, share,
)  # fmt: skip
PLACE: tuple[Gate[PlaceView], ...] = (retry, hold, paused_all, user, kind, locks, agents)


@lru_cache(maxsize=256)
def judge_place(view: PlaceView) -> Verdict:
    """As `judge` of PLACE, whose view is plain values alone: of such as were judged before it is known."""
    return judge(PLACE, view)


def judge(gates: Sequence[Gate[V]], view: V) -> Verdict:
    """What the first gate that is closed says; READY: none is."""
    for gate in gates:
        verdict = gate.judge(view)
        if verdict is not READY:
            return verdict
    return READY
