"""Purge and Sweep: what keeps the state bounded, the ledger stays. Compare: what keeps it right."""

from __future__ import annotations

from scheduler.machine.context import OK, Context, done, refused
from scheduler.machine.rules import sending
from scheduler.store.connection import Store
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables import (
    approvals,
    blind,
    completions,
    fanouts,
    holds,
    nested,
    outputs,
    overrides,
    required,
    reruns,
    run_vars,
    unmet,
    watches,
)
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import audit as audit_rows
from scheduler.store.tables import deliveries as delivery_rows
from scheduler.store.tables import files as file_rows
from scheduler.store.tables import fronts as front_rows
from scheduler.store.tables import idempotency as idempotency_rows
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import mutes as mute_rows
from scheduler.store.tables import notices as notice_rows
from scheduler.store.tables import outbox as outbox_rows
from scheduler.store.tables import receivers as receiver_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import sessions as session_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.words.commands import Compare, Purge, Sweep
from scheduler.words.outcomes import Code, Outcome

RUNS_MAX = 300
KEYS_MAX = 1_000
ROWS_MAX = 1_000


def purge(ctx: Context, command: Purge) -> Outcome:
    if command.limit < 1:
        return refused(Code.INVALID, "a limit of at least 1")
    rows = purged = 0
    for run in run_rows.finished(ctx.store, command.job, command.through, min(command.limit, RUNS_MAX)):
        deleted, gone = _shrink(ctx.store, run, ROWS_MAX - rows)
        rows += deleted
        purged += gone
        if rows >= ROWS_MAX:
            break
    if purged:
        job_rows.count_purged(ctx.store, command.job, purged)
    return done(runs=purged, rows=rows)


def _shrink(store: Store, run: int, rows_max: int) -> tuple[int, bool]:
    """Drop a finished run with its tasks and attempts, or as many of these; the rows that went, and whether
    the run did.
    """
    if reruns.is_read(store, run):
        return 0, False  # in a moment
    rows = completions.purge(store, run, rows_max)
    rows += attempt_rows.purge(store, run, rows_max - rows)
    if rows < rows_max:
        reruns.purge_taken(store, run, rows_max - rows)
        outputs.purge(store, run, rows_max - rows)
        approvals.purge(store, run, rows_max - rows)
        fanouts.purge(store, run, rows_max - rows)
        rows += task_rows.purge(store, run, rows_max - rows)
    if rows >= rows_max:
        return rows, False
    run_vars.purge(store, run)
    holds.purge(store, run)
    overrides.purge(store, run)
    watches.drop(store, run)
    unmet.purge(store, run)
    reruns.purge(store, run)
    nested.purge(store, run)
    fanouts.purge_run(store, run)
    run_rows.delete(store, run)
    return rows + 1, True


def sweep(ctx: Context, command: Sweep) -> Outcome:
    if command.limit < 1:
        return refused(Code.INVALID, "a limit of at least 1")
    limit = min(command.limit, KEYS_MAX)
    keys = idempotency_rows.sweep(ctx.store, command.before_ms, limit)
    fronts = front_rows.sweep(ctx.store, command.before_ms, limit)
    agents = agent_rows.drop_former(ctx.store, command.before_ms, limit)
    sessions = session_rows.sweep(ctx.store, command.before_ms, limit)
    deliveries = delivery_rows.sweep(ctx.store, command.before_ms, limit)
    notices = notice_rows.sweep(ctx.store, command.before_ms, limit)
    if notices:
        required.forget_swept(ctx.store)
    files = file_rows.sweep(ctx.store, limit) + blind.sweep(ctx.store, limit)
    effects = outbox_rows.drop_given_up(ctx.store, limit, ctx.stamp_ms)
    effects += outbox_rows.drop_told(ctx.store, limit, ctx.stamp_ms)
    mute_rows.sweep(ctx.store, ctx.stamp_ms, limit)
    receiver_rows.sweep(ctx.store, ctx.stamp_ms - sending.KEPT_MS, limit)
    entries = audit_rows.drop_surplus(ctx.store, ctx.state.last_audit, ctx.stamp_ms, limit)
    return done(
        keys=keys, fronts=len(fronts), agents=agents, sessions=sessions, effects=effects, audit=entries,
        deliveries=deliveries, notices=notices, files=files,
    )  # fmt: skip


def compare(ctx: Context, command: Compare) -> Outcome:
    """The rows are read once the entry is stored; what they are is no part of its outcome, which is the same
    on a node whose rows are wrong."""
    ctx.compared = command.place
    return OK
