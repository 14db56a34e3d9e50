"""What runs wait for and time brings: admission windows of their jobs, the end of delays after failures."""

from __future__ import annotations

from scheduler.machine.context import OK, Context, refused
from scheduler.machine.steps import admitting, holding, quotas, stopping, windows
from scheduler.store.tables import quotas as quota_rows
from scheduler.store.tables import run_waits
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables.runs import FOR_NAMESPACE, FOR_TIME, Run
from scheduler.ticks.windows import Opening
from scheduler.words import reasons
from scheduler.words.commands import Rejudge
from scheduler.words.lifecycle import RUN_ENDS
from scheduler.words.outcomes import Code, Outcome


def rejudge(ctx: Context, command: Rejudge) -> Outcome:
    """A run whose window opens goes on; one that has not started when it ends waits for the next, and what of
    it runs goes on or is stopped."""
    wait = run_waits.get(ctx.store, command.run)
    if wait is None or wait.at_ms > ctx.stamp_ms:
        return refused(Code.SUPERSEDED, f"the instant of run {command.run} has not come")
    run = run_rows.get(ctx.store, command.run)
    if run is None or run.state in RUN_ENDS or run.stopping:
        run_waits.drop(ctx.store, command.run)
        return OK
    compiled = ctx.graph(run.job, run.namespace, run.name, run.revision).job
    if run.waiting == FOR_TIME:
        opening = windows.standing(ctx, run.job, compiled, run.cause, run.due_ms)
        if opening is None or opening.is_open:
            until_ms = None if opening is None else opening.until_ms
            admitting.let_pass(ctx, windows.let_pass(ctx, run, until_ms))
        else:
            run_waits.put(ctx.store, wait._replace(at_ms=opening.until_ms))
        return OK
    assert compiled.openings is not None
    assert compiled.openings.admission is not None
    admission = compiled.openings.admission
    opening = windows.opening(ctx, admission, run.due_ms)
    if opening.is_open:
        run_waits.put(ctx.store, wait._replace(at_ms=opening.until_ms))
    elif run.started_ms is None:
        _keep_back_again(ctx, run, opening)
    else:
        run_waits.drop(ctx.store, run.id)
        if admission.terminates:
            stopping.stop(ctx, run, stopping="timed_out", reason=reasons.ADMISSION)
    return OK


def _keep_back_again(ctx: Context, run: Run, opening: Opening) -> None:
    if run.waiting == FOR_NAMESPACE:
        quota_rows.drop(ctx.store, run.id)
    elif run.counts:
        quotas.count_out(ctx, run)
    holding.take_back(ctx, windows.note(ctx, run, opening)._replace(counts=0))
