"""The dates among the parameters of a run, counted: by its plan date, its tick, the clocks of its namespace's
plan dates, and its job's calendar as that stands now. Reads, and writes nothing."""

from __future__ import annotations

import json
from datetime import date
from functools import lru_cache
from typing import NamedTuple

from scheduler.model.compiled import CompiledJob
from scheduler.model.date_expressions import About, Known, Undated
from scheduler.model.known_dates import KIND, dates_of
from scheduler.model.param_values import dated_params
from scheduler.store.connection import Store
from scheduler.store.tables import namespaces, zones
from scheduler.store.tables import objects as object_rows
from scheduler.ticks.dates import Dates, day_of


class Dated(NamedTuple):
    params: str  #: as the run has them
    undated: str = ""  #: why there is none, in words; empty: there is


def of_run(
    store: Store, job: CompiledJob, params: str, *, plan_day: int, at_ms: int, zone_data: str
) -> Dated:
    """`at_ms`: its tick; of a run without one, when it is made. `zone_data`: the digest of those in force."""
    dated = job.dated
    if not dated:
        return Dated(params)
    allowance = namespaces.allowance(store, job.namespace)
    tz = "" if allowance is None else allowance.plan_tz
    about = About(plan_day, at_ms, zones.clock(store, zone_data, tz), lambda: _known(store, job))
    try:
        return Dated(dated_params(params, dated, about))
    except Undated as error:
        return Dated(params, str(error))


def _known(store: Store, job: CompiledJob) -> Known | None:
    if job.calendar is None:
        return None
    row = object_rows.find(store, KIND, *job.calendar)
    return None if row is None else _read(row.namespace, row.name, bytes(row.spec))


@lru_cache(maxsize=64)
def _read(namespace: str, name: str, spec: bytes) -> Known:
    told = json.loads(spec)["computed"]
    since, until = (
        None if told[field] is None else day_of(date.fromisoformat(told[field]))
        for field in ("known_from", "known_until")
    )
    return Known(f"{namespace}/{name}", Dates(dates_of(namespace, name, spec)), since, until)
