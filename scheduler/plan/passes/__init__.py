"""What a plan consists of, in order: each pass is a file with the two functions of `Pass`.

Rules of this folder:

1. A new reason to plan is a new file and its line here. The planner asks every pass here when to plan next,
   so no clock is forgotten; a test holds that every file of the folder stands here.
2. A pass reads the state and writes nothing; it knows no other pass.
3. While a restore holds the state up, a pass looks at `hold` for what it may touch, and wakes nobody for what
   is held: that must not be looked at again and again.
4. Of what hardly any cluster uses no pass is asked while there is none (`WORKS_ON`): each that asks costs
   every plan a query, and every look when to plan next another.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from scheduler.plan.passes import (
    backfills,
    backlog,
    changed,
    closings,
    deadlines,
    deadlocks,
    defaults,
    delays,
    dependents,
    drains,
    effects,
    expectations,
    files,
    gatherings,
    holds,
    job_pauses,
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
    reservations,
    restore,
    returns,
    stages,
    startups,
    templates,
    timeouts,
    unfinished,
    upkeep,
    waits,
    wakes,
    windows,
)
from scheduler.plan.view import Outlook, View
from scheduler.store.connection import Store
from scheduler.store.tables import filled
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
    job_pauses,
    closings,
    restore,
    leases,
    drains,
    redates,
    live,
    changed,
    reservations,
    delays,
    startups,
    dependents,
    notices,
    files,
    gatherings,
    waits,
    windows,
    required,
    quotas,
    queue,
    deadlocks,
    timeouts,
    deadlines,
    expectations,
    effects,
    wakes,
    returns,
    holds,
    migration,
    stages,
    defaults,
    templates,
    backfills,
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

WORKS_ON: dict[Pass, frozenset[str]] = {
    job_pauses: frozenset({"job_pauses"}),
    closings: frozenset({"closings"}),
    holds: frozenset({"run_holds"}),
    redates: frozenset({"redates"}),
    backfills: frozenset({"backfills"}),
    changed: frozenset({"changed_ticks"}),
    reservations: frozenset({"autonomies", "reservations"}),
    delays: frozenset({"delays"}),
    returns: frozenset({"returns"}),
    startups: frozenset({"boots"}),
    dependents: frozenset({"ends", "postponed"}),
    notices: frozenset({"hearers"}),
    files: frozenset({"folders"}),
    gatherings: frozenset({"gatherings"}),
    waits: frozenset({"run_waits"}),
    windows: frozenset({"rounds"}),
    required: frozenset({"required"}),
    quotas: frozenset({"quota_waits"}),
    expectations: frozenset({"watches", "periods"}),
    defaults: frozenset({"namespaces"}),
    templates: frozenset({"template_changes"}),
    effects: frozenset({"outbox"}),
}
"""Passes that have nothing to propose, and wake nobody, while none of these tables has a row."""

_TABLES = tuple(sorted({table for tables in WORKS_ON.values() for table in tables}))


def idle(store: Store) -> frozenset[Pass]:
    """Those that need not be asked, by one query for all of them."""
    found = filled.of(store, _TABLES)
    return frozenset([each for each, tables in WORKS_ON.items() if found.isdisjoint(tables)])
