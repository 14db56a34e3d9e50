"""What a plan consists of, in order: each pass is a file with the two functions of `Pass`.

Rules of this folder:

1. A new reason to plan is a new file and its line here. The planner asks every pass here when to plan next,
   so no clock is forgotten; a test holds that every file of the folder stands here.
2. A pass reads the state and writes nothing; it knows no other pass.
3. While a restore holds the state up, a pass looks at `hold` for what it may touch, and wakes nobody for what
   is held: that must not be looked at again and again.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from scheduler.plan.passes import (
    backlog,
    deadlines,
    deadlocks,
    defaults,
    delays,
    dependents,
    drains,
    gatherings,
    leases,
    live,
    migration,
    nodes,
    notices,
    pauses,
    queue,
    quotas,
    redates,
    required,
    restore,
    stages,
    startups,
    timeouts,
    unfinished,
    upkeep,
    waits,
    wakes,
)
from scheduler.plan.view import Outlook, View
from scheduler.words.commands import Command


class Pass(Protocol):
    def plan(self, view: View, /) -> Sequence[Command]:
        """What to propose now."""

    def wake(self, outlook: Outlook, /) -> int | None:
        """The earliest instant at which time alone makes something due; None: only an event can, or another
        pass wakes for it. An instant in the past: now."""


DUE: tuple[Pass, ...] = (
    nodes,
    pauses,
    restore,
    leases,
    drains,
    redates,
    live,
    delays,
    startups,
    dependents,
    notices,
    gatherings,
    waits,
    required,
    quotas,
    queue,
    deadlocks,
    timeouts,
    deadlines,
    wakes,
    migration,
    stages,
    defaults,
)
"""What cannot wait, in the order of the commands."""

PLACED_FIRST: tuple[Pass, ...] = (queue,)
"""Planned before the others: queued tasks have places before ticks that fire now. A tick's command goes first
all the same: it is due."""

SPARE: tuple[Pass, ...] = (backlog, upkeep)
"""Planned in the room that those leave, if any."""

NEVER_CUT: tuple[Pass, ...] = (unfinished,)
"""Last, so that no task is placed that they end; never cut off, or full plans would keep them from their
turn."""

PASSES: tuple[Pass, ...] = (*DUE, *SPARE, *NEVER_CUT)
