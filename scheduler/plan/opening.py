"""Which missed ticks of a job its blackouts and windows skip, as one plan sees them."""

from __future__ import annotations

from collections.abc import Callable

from scheduler.machine.rules import gates
from scheduler.machine.rules.gates import FireView, Never
from scheduler.model.compiled import CompiledJob
from scheduler.store.connection import Store
from scheduler.store.tables import zones


def skipped_by(store: Store, job: CompiledJob) -> Callable[[int], str] | None:
    """Why what is due then is skipped, whenever it is decided; empty: it is not. None: nothing is."""
    openings = job.openings
    if openings is None:
        return None
    tz = "" if openings.admission is None else openings.admission.tz
    zone = zones.in_force(store, tz)

    def reason(due_ms: int) -> str:
        verdict = gates.judge(gates.FIRE, FireView(openings, zone, due_ms, due_ms))
        return verdict.reason if isinstance(verdict, Never) else ""

    return reason
