"""A firing that waited for room among the runs of its job, and never gets it."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.steps import decisions
from scheduler.store.tables import postponed
from scheduler.store.tables.postponed import Postponed
from scheduler.words import reasons
from scheduler.words.causes import KINDS, Cause


def give_up(
    ctx: Context, row: Postponed, namespace: str, name: str, outcome: str, reason: str
) -> None:
    """It ends without a run."""
    postponed.drop(ctx.store, row.trigger, row.cause_key)
    decisions.decide(
        ctx, Cause(KINDS[row.kind], row.cause_key, row.trigger), job=row.job, namespace=namespace, name=name,
        first_ms=row.due_ms, outcome=outcome, reason=reason,
    )  # fmt: skip


def cancel(ctx: Context, job: int, namespace: str, name: str) -> None:
    """The job is deleted."""
    for row in postponed.of_job(ctx.store, job):
        give_up(ctx, row, namespace, name, "skipped", reasons.CANCELLED)
