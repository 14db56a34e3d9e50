"""What the leader's look at the ledger has found: kept as one row, for everybody who asks any node."""

from __future__ import annotations

from scheduler.machine.context import OK, Context, refused
from scheduler.store.tables import differences
from scheduler.store.tables.differences import Difference
from scheduler.words import events as e
from scheduler.words.commands import TellProof
from scheduler.words.outcomes import Code, Outcome

DETAIL_MAX = 300


def tell_proof(ctx: Context, command: TellProof) -> Outcome:
    """Idempotent: what is known already changes nothing and says so."""
    known = differences.get(ctx.store)
    if command.problems <= 0:
        if known is None:
            return refused(Code.SUPERSEDED, "no difference is known")
        differences.drop(ctx.store)
        ctx.emit(e.DifferenceGone(known.since_ms))
        return OK
    since_ms = ctx.stamp_ms if known is None else known.since_ms
    told = (command.problems, command.kind, command.job, command.at_ms, command.detail[:DETAIL_MAX])
    row = Difference(since_ms, *told)
    if row == known:
        return refused(Code.SUPERSEDED, "that is known already")
    differences.put(ctx.store, row)
    ctx.emit(e.DifferenceFound(*told))
    return OK
