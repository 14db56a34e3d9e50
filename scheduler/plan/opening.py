"""Which missed ticks of a job its plan dates, blackouts and windows skip, as one plan sees them."""

from __future__ import annotations

from collections.abc import Callable

from scheduler.machine.rules import gates
from scheduler.machine.rules.gates import FireView, Never
from scheduler.model.compiled import CompiledJob
from scheduler.store.connection import Store
from scheduler.store.tables import closed_dates, namespaces, zones
from scheduler.store.tables.triggers import DueTrigger
from scheduler.ticks import nominal_ms, plan_days


def skipped_by(store: Store, job: CompiledJob, trigger: DueTrigger) -> Callable[[int], str] | None:
    """Why a tick of the trigger is skipped, whenever it is decided; empty: it is not. None: nothing is."""
    openings, closed = job.openings, closed_dates.of(store, job.namespace)
    if openings is None and not closed.is_any:
        return None
    tz = "" if openings is None or openings.admission is None else openings.admission.tz
    zone = zones.in_force(store, tz)
    dates = namespaces.plan_days_of(store, job.namespace)

    def reason(tick_ms: int) -> str:
        due_ms, day = tick_ms + trigger.jitter_ms, None
        if closed.is_any:
            stood_ms = nominal_ms(trigger.spec, tick_ms)
            day = plan_days.day_of(dates, tick_ms if stood_ms is None else stood_ms)
        closed_day = day if closed.has(day) else None
        verdict = gates.judge(gates.FIRE, FireView(openings, zone, due_ms, due_ms, closed_day))
        return verdict.reason if isinstance(verdict, Never) else ""

    return reason
