"""The parameters of runs that are yet to be made, where dates among them are counted."""

from __future__ import annotations

import json
from typing import Any

from scheduler.machine.rules import dated
from scheduler.model.compiled import CompiledJob
from scheduler.store.connection import Store
from scheduler.store.tables import namespaces
from scheduler.ticks import nominal_ms, plan_days


def of_run(store: Store, job: CompiledJob, params: str, plan_day: int, at_ms: int) -> dated.Dated:
    """By the calendars and clocks that are in force. `at_ms`: its tick, or now."""
    zone_data = store.value("SELECT zones FROM state WHERE id = 1")
    return dated.of_run(store, job, params, plan_day=plan_day, at_ms=at_ms, zone_data=zone_data)


def of_tick(store: Store, job: CompiledJob, trigger: str, spec: bytes, at_ms: int) -> dict[str, Any]:
    """For the answer that tells of a coming tick: nothing of a job without dates."""
    if not job.dated:
        return {}
    stood_ms = nominal_ms(spec, at_ms) if spec else None
    plan_day = plan_days.day_of(
        namespaces.plan_days_of(store, job.namespace), at_ms if stood_ms is None else stood_ms
    )
    said = of_run(store, job, job.params_of(trigger), plan_day, at_ms)
    return {"params": None if said.undated else json.loads(said.params), "undated": said.undated or None}
