"""Whether what is expected of jobs and runs holds: judged when its time has come, acknowledged by people."""

from __future__ import annotations

from scheduler.machine.context import OK, Context, done, refused
from scheduler.machine.rules import hands
from scheduler.machine.steps import expecting, periods
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import unmet as unmet_rows
from scheduler.words import events as e
from scheduler.words.commands import Acknowledge, JudgePeriod, JudgeWatch, ReportSilence
from scheduler.words.outcomes import Code, Outcome

GOES_ON = ("granted", "running")


def judge_watch(ctx: Context, command: JudgeWatch) -> Outcome:
    run = run_rows.get(ctx.store, command.run)
    if run is None or not expecting.judge(ctx, run):
        return refused(Code.SUPERSEDED, f"nothing is due of run {command.run}")
    return OK


def judge_period(ctx: Context, command: JudgePeriod) -> Outcome:
    if not periods.judge(ctx, command.job, command.until_ms):
        return refused(Code.SUPERSEDED, "that period is not over, or judged already")
    return OK


def report_silence(ctx: Context, command: ReportSilence) -> Outcome:
    """Idempotent: an attempt is told of once, until it writes again."""
    attempt = attempt_rows.get(ctx.store, command.attempt)
    run = None if attempt is None else run_rows.get(ctx.store, attempt.run)
    if attempt is None or run is None or attempt.agent != command.agent or attempt.state not in GOES_ON:
        return refused(Code.SUPERSEDED, f"attempt {command.attempt} does not run on that agent")
    expected = ctx.graphs.outline(run.job, run.namespace, run.name, run.revision).expected
    if expected is None or expected.quiet_ms is None:
        return refused(Code.INVALID, f"run {run.id} is not expected to write anything")
    expecting.hear(
        ctx, run, attempt.id, command.since_ms, silent=command.silent, quiet_ms=expected.quiet_ms
    )
    return OK


def acknowledge(ctx: Context, command: Acknowledge) -> Outcome:
    row = unmet_rows.get(ctx.store, command.unmet)
    if row is None:
        return refused(Code.NOT_FOUND, f"nothing that does not hold has the number {command.unmet}")
    if (refusal := hands.of_reason(command.reason)) is not None:
        return refusal
    if command.until_ms <= ctx.stamp_ms:
        return refused(Code.INVALID, "it would be over before it begins")
    row = row._replace(
        actor=command.actor.name, acknowledged_ms=ctx.stamp_ms, acknowledged_until_ms=command.until_ms,
        reason=command.reason,
    )  # fmt: skip
    unmet_rows.put(ctx.store, row)
    ctx.emit(
        e.ExpectationAcknowledged(
            row.id, row.job, row.namespace, row.name, row.run, row.what, command.until_ms, row.actor,
            row.reason,
        )
    )  # fmt: skip
    ctx.changed("job", row.namespace, row.name, row.what, "acknowledged", run=row.run, reason=row.reason)
    return done(unmet=row.id)
