"""Which cluster this agent belongs to, and what it tells a cluster that was restored from a backup.

1. An agent is pinned to (cluster uid, restore number) by the first Welcome. It follows a restore of the same
   lineage with a higher number, and refuses every other cluster: also the one that it came from, when that is
   started again.
2. Before it is welcomed by a restored cluster it tells what it ran. The pin is on disk before the first word
   of that: what the old cluster granted and has not started is dropped then, and nothing of it starts later.
3. `told` is on disk once the Welcome has come. Until then it tells all again; telling twice changes nothing.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable

from agent.history import RanRow
from agent.identity import Identity
from scheduler.protocol import Ran, Recount, Welcome

PAGE_ROWS = 500


def refusal(pinned: Identity, told: Welcome | Recount) -> str:
    """Why this agent does not work for that cluster; empty: it does."""
    if not pinned.cluster:
        return ""
    if told.cluster == pinned.cluster and told.restores >= pinned.restores:
        return ""
    if (told.lineage or told.cluster) == lineage(pinned) and told.restores > pinned.restores:
        return ""
    return (
        f"it belongs to cluster {told.cluster} (restore {told.restores}), this agent to {pinned.cluster}"
        f" (restore {pinned.restores}): fenced"
    )


def lineage(pinned: Identity) -> str:
    """Uid of the first cluster of all that this agent's was restored from."""
    return pinned.lineage or pinned.cluster


def pinned_to(identity: Identity, told: Welcome | Recount) -> Identity:
    return dataclasses.replace(
        identity, cluster=told.cluster, restores=told.restores, lineage=told.lineage or told.cluster
    )


def pages(rows: Iterable[RanRow], running: list[int], asked: Recount) -> list[Ran]:
    """What to tell: what still runs, and what ended since the backup or is unknown to it."""
    told = [
        tuple(row if row.wrote_stderr is not None else row[:-1])  # of which an older node knows nothing
        for row in rows
        if not row.ended or row.attempt > asked.attempt_floor or row.finished_ms >= asked.since_ms
    ]
    found = [tuple(told[start : start + PAGE_ROWS]) for start in range(0, len(told), PAGE_ROWS)] or [()]
    return [
        Ran(page, rows_of, page < len(found) - 1, tuple(running) if page == len(found) - 1 else ())
        for page, rows_of in enumerate(found)
    ]
