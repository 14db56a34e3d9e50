"""A run of a namespace with a quota of runs goes on, or waits until it may (`rules.gates.quota`)."""

from __future__ import annotations

from scheduler.machine.context import Context
from scheduler.machine.rules import gates, priority
from scheduler.machine.rules.gates import READY, AdmitView
from scheduler.machine.rules.gates.quota import MINUTE_MS
from scheduler.store.tables import namespaces, quotas
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.runs import Run

LOOKED_MAX = 2_000
DROPPED_MAX = 10


def keeps_back(ctx: Context, namespace: str, *, in_turn: bool = False) -> bool:
    """Whether one more run of it has to wait. `in_turn`: it is the first of those that wait."""
    if not limits(ctx, namespace):  # most have none: no gate is asked
        return False
    view = AdmitView(ctx.store, namespace, ctx.stamp_ms, in_turn)
    return gates.judge(gates.ADMIT, view) is not READY


def limits(ctx: Context, namespace: str) -> bool:
    """Whether it has a quota of runs."""
    allowance = namespaces.allowance(ctx.store, namespace)
    return allowance is not None and allowance.limits_runs


def wait(ctx: Context, run: Run) -> None:
    quotas.wait(ctx.store, run.id, run.namespace, priority.rank(run.due_ms, run.priority, run.cause))


def count(ctx: Context, run: int, namespace: str) -> int:
    """One more goes on: 1 where that counts for a quota of its namespace, else 0."""
    allowance = namespaces.allowance(ctx.store, namespace)
    if allowance is None or not allowance.limits_runs:
        return 0
    starts = 0
    if allowance.starts_max:
        starts = 1
        if namespaces.starts(ctx.store, namespace) >= allowance.starts_max:
            until_ms = ctx.stamp_ms - MINUTE_MS
            starts -= quotas.drop_starts(ctx.store, namespace, until_ms, DROPPED_MAX)
        quotas.note_start(ctx.store, run, namespace)
    namespaces.count_active(ctx.store, namespace, 1, starts=starts)
    return 1


def begin(ctx: Context, run: Run, started_ms: int) -> None:
    """A run that counts has begun."""
    allowance = namespaces.allowance(ctx.store, run.namespace)
    if allowance is not None and allowance.starts_max:
        quotas.set_started(ctx.store, run.id, started_ms)


def count_out(ctx: Context, run: Run) -> None:
    """A run that counts has ended."""
    never_began = run.started_ms is None and quotas.drop_start(ctx.store, run.id)
    namespaces.count_active(ctx.store, run.namespace, -1, starts=-int(never_began))


def forget_starts(ctx: Context, namespace: str) -> None:
    """It has no quota of them any more."""
    if known := namespaces.starts(ctx.store, namespace):
        quotas.forget_starts(ctx.store, namespace)
        namespaces.count_active(ctx.store, namespace, 0, starts=-known)


def begin_counting(ctx: Context, namespace: str) -> None:
    """It has a quota of runs from now on: those that go on count, of its newest LOOKED_MAX."""
    found = run_rows.count_in(ctx.store, namespace, LOOKED_MAX)
    if found:
        namespaces.count_active(ctx.store, namespace, found)
