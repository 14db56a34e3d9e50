"""What was expected and does not hold is told, once, and is over one day.

Rules of this file:

1. What is told has a row: the same of the same run, attempt or period is told once, whoever proposes it
   again. An attempt that wrote again and falls silent once more has another limit, and is told of again.
2. While a person's acknowledgement stands, the same of that job is noted and nobody is told."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.steps import notifying
from scheduler.store.tables import unmet
from scheduler.store.tables.unmet import Unmet
from scheduler.words import events as e


def tell(
    ctx: Context, *, job: int, namespace: str, name: str, revision: int, what: str, limit_ms: int,
    run: int = 0, part: int = 0, found: int = 0, wanted: int = 0,
) -> None:  # fmt: skip
    known = unmet.find(ctx.store, job, what, run, part)
    if known is not None and (known.over_ms is None or known.limit_ms == limit_ms):
        return
    before = unmet.newest_of(ctx.store, job, what)
    if known is None:
        ctx.state.last_unmet += 1
        unmet.make_room(ctx.store, job)
    row = Unmet(
        ctx.state.last_unmet if known is None else known.id, job, namespace, name, run, what, part,
        limit_ms, ctx.stamp_ms, None, found, wanted, "", None, None, "",
    )  # fmt: skip
    acknowledged = before is not None and before.is_acknowledged(ctx.stamp_ms)
    if before is not None and acknowledged:
        row = row._replace(
            actor=before.actor, acknowledged_ms=before.acknowledged_ms,
            acknowledged_until_ms=before.acknowledged_until_ms, reason=before.reason,
        )  # fmt: skip
    unmet.put(ctx.store, row)
    ctx.emit(e.ExpectationUnmet(row.id, job, namespace, name, run, what, limit_ms, found, wanted))
    if not acknowledged:
        notifying.tell_unmet(ctx, row, revision)


def settle(ctx: Context, row: Unmet | None) -> None:
    """It holds again, or nobody waits for it any more."""
    if row is not None and row.over_ms is None:
        unmet.put(ctx.store, row._replace(over_ms=ctx.stamp_ms))
        ctx.emit(e.ExpectationMet(row.id, row.job, row.namespace, row.name, row.run, row.what))
