"""What will become of a job's coming ticks as things stand: for the plan of a day.

The gates that are asked are the machine's own. Those that depend on what other runs do at that moment, and on
agents, are left out: nobody knows it yet (`explain_instant` tells how it is now).
"""

from __future__ import annotations

from typing import NamedTuple

from scheduler.explain.findings import READY_WORD, Finding, ask
from scheduler.machine.rules import gates
from scheduler.machine.rules.gates import Facts, FireView, TickView, blackout, closed
from scheduler.machine.rules.gates.changed import words_of
from scheduler.model.compiled import CompiledJob
from scheduler.store.connection import Store
from scheduler.store.tables import pauses, zones
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.changed_ticks import ChangedTick

RUNS, WAITS = "runs", "waits"


class Outlook(NamedTuple):
    forecast: str  #: runs; waits, for somebody; or how it would end: `skipped(paused)`
    said: str  #: why, or why then, in words; empty: nothing is in its way
    starts_ms: int | None  #: when it would start; None: it would not
    waits: tuple[str, ...]  #: what its run waits for by its job's own words


class Outlooks:
    """Of the ticks of one job on one plan date. It reads its part of the state once."""

    def __init__(
        self, store: Store, namespace: str, job: CompiledJob, now_ms: int, closed_day: int | None
    ) -> None:
        """`closed_day`: the plan date of the ticks, where that is closed."""
        self._closed_day = closed_day
        self._facts = Facts(store, now_ms, namespace)
        self._pauses = pauses.of(store, namespace)
        self._job = job
        admission = None if job.openings is None else job.openings.admission
        self._zone = zones.in_force(store, "" if admission is None else admission.tz)
        self._admission = admission
        self._requires = () if job.requires is None else tuple([each.text for each in job.requires.each])

    def of(self, trigger: int, due_ms: int, changed: ChangedTick | None = None) -> Outlook:
        """Of a tick of that date that is not decided and has no run. `changed`: what a person said of it."""
        said = ""
        if changed is not None and changed.move_ms is not None:
            due_ms, said, changed = changed.move_ms, words_of(changed).reason, None
        asked = self._asked(trigger, due_ms, changed)
        first = next((each for each in asked if each.state != READY_WORD), None)
        if first is not None:
            return Outlook(first.outcome or WAITS, first.reason, None, ())
        starts_ms, waits = max(due_ms, self._facts.now_ms), list(self._requires)
        if self._admission is not None:
            opening = self._admission.at(self._zone, starts_ms)
            if not opening.is_open:
                starts_ms = opening.until_ms
                waits.append(f"an admission window: {', '.join(self._admission.texts)}")
        return Outlook(RUNS, said, starts_ms, tuple(waits))

    def _asked(self, trigger: int, due_ms: int, changed: ChangedTick | None) -> list[Finding]:
        facts, openings, closed_day = self._facts, self._job.openings, self._closed_day
        row = trigger_rows.firing(facts.store, trigger)
        if row is None:
            return []
        paused = any(each.covers(due_ms, facts.now_ms) for each in self._pauses)
        found = ask(gates.TICK, TickView(row, paused, changed), facts)
        if openings is not None or closed_day is not None:
            asked = gates.FIRE if openings is not None and openings.skips else (closed, blackout)
            found += ask(asked, FireView(openings, self._zone, due_ms, facts.now_ms, closed_day), facts)
        return found
