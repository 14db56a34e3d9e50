"""The JSON of what is expected, and of what does not hold (docs/reference/api.md)."""

from __future__ import annotations

from typing import Any

from api.instants import rfc3339
from scheduler.explain.expectations import said
from scheduler.model.expected import STALLED, TOO_FEW
from scheduler.store.connection import Store
from scheduler.store.reads import expectations as reads
from scheduler.store.tables import watches
from scheduler.store.tables.unmet import Unmet


def unmet_json(row: Unmet) -> dict[str, Any]:
    few = row.what == TOO_FEW
    return {
        "id": row.id,
        "namespace": row.namespace,
        "job": row.name,
        "run": row.run or None,
        "attempt": row.part if row.what == STALLED else None,
        "what": row.what,
        "said": said(row),
        "limit": rfc3339(row.limit_ms),
        "at": rfc3339(row.at_ms),
        "over": rfc3339(row.over_ms),
        "found": row.found,
        "wanted": row.wanted,
        "period": {"from": rfc3339(row.part), "until": rfc3339(row.limit_ms)} if few else None,
        "acknowledged": None
        if row.acknowledged_ms is None
        else {
            "by": row.actor or None,
            "since": rfc3339(row.acknowledged_ms),
            "until": rfc3339(row.acknowledged_until_ms),
            "reason": row.reason or None,
        },
    }


def of_run_json(store: Store, run: int) -> dict[str, Any] | None:
    """None: nothing is expected of it, and nothing was told."""
    now, told = watches.get(store, run), reads.of_run(store, run)
    if not told and (now is None or now.next_ms is None):
        return None
    return {
        "start_by": rfc3339(None if now is None else now.start_ms),
        "end_by": rfc3339(None if now is None else now.end_ms),
        "at_risk_from": rfc3339(None if now is None else now.risk_ms),
        "long_from": rfc3339(None if now is None else now.long_ms),
        "usual_ms": None if now is None else now.usual_ms,
        "told": [unmet_json(row) for row in told],
    }
