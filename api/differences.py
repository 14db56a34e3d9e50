"""What the leader's look through the ledger has found, and how far it is, as JSON."""

from __future__ import annotations

from typing import Any

from api.instants import rfc3339
from api.ports import Proved
from scheduler.store.connection import Store
from scheduler.store.reads import jobs as job_reads
from scheduler.store.tables import differences


def difference_json(store: Store) -> dict[str, Any] | None:
    """That the ledger differs from what was due, where first, and the command that shows all of it."""
    found = differences.get(store)
    if found is None:
        return None
    namespace, name = job_reads.names(store, [found.job]).get(found.job, (None, None))
    at = rfc3339(found.at_ms)
    return {
        "since": rfc3339(found.since_ms),
        "problems": found.problems,
        "kind": found.kind,
        "job": name,
        "namespace": namespace,
        "at": at,
        "detail": found.detail,
        "command": "cronclave verify",
    }


def proved_json(proved: Proved) -> dict[str, Any] | None:
    """Of a leader that has looked through the ledger."""
    if proved.recent_ms is None and proved.whole_ms is None:
        return None
    return {
        "whole": rfc3339(proved.whole_ms),
        "recent": rfc3339(proved.recent_ms),
        "took_seconds": round(proved.took_s, 3),
        "due": proved.due,
        "entries": proved.entries,
    }
