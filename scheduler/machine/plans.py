"""Plan dates of a namespace are closed, by people or by themselves, and opened again. What that means is
`rules.gates.closed`."""

from __future__ import annotations

from scheduler.machine.context import OK, Context, refused
from scheduler.machine.rules import closing
from scheduler.machine.steps import plan_dates
from scheduler.store.tables import closed_dates, namespaces
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables.closed_dates import ClosedDate
from scheduler.ticks import plan_days
from scheduler.words import events as e
from scheduler.words.commands import CloseDates, ClosePlan, OpenPlan
from scheduler.words.outcomes import Code, Outcome

REASON_LETTERS_MAX = 500
KIND = "plan"  #: in the audit


def close_plan(ctx: Context, command: ClosePlan) -> Outcome:
    if not command.reason or len(command.reason) > REASON_LETTERS_MAX:
        return refused(Code.INVALID, f"a reason of 1 to {REASON_LETTERS_MAX} letters")
    if refusal := _refuse(ctx, command):
        return refusal
    if full := closing.judge(ctx.store, command.namespace, command.day, ctx.stamp_ms):
        return full
    before = closed_dates.get(ctx.store, command.namespace, command.day)
    at_ms = ctx.stamp_ms if before is None or before.at_ms is None else before.at_ms
    row = ClosedDate(command.namespace, command.day, at_ms, command.reason, command.actor.name)
    closed_dates.put(ctx.store, row)
    ctx.state.closed_dates = int(closed_dates.any_of_all(ctx.store))
    ctx.emit(e.PlanClosed(command.namespace, command.day, command.reason, command.actor.name))
    _note(ctx, command, "open" if before is None else "closed", "closed", command.reason)
    return OK


def open_plan(ctx: Context, command: OpenPlan) -> Outcome:
    if refusal := _refuse(ctx, command):
        return refusal
    before = closed_dates.get(ctx.store, command.namespace, command.day)
    if before is not None:
        closed_dates.drop(ctx.store, command.namespace, command.day)
        ctx.state.closed_dates = int(closed_dates.any_of_all(ctx.store))
        ctx.emit(e.PlanOpened(command.namespace, command.day, command.actor.name))
    _note(ctx, command, "open" if before is None else "closed", "open")
    return OK


def close_dates(ctx: Context, command: CloseDates) -> Outcome:
    row = closed_dates.closing(ctx.store, command.namespace)
    if row is None or row.at_ms is None or not row.at_ms == command.at_ms <= ctx.stamp_ms:
        return refused(Code.SUPERSEDED, f"no plan date of {command.namespace} closes by itself now")
    plan_dates.close_over(ctx, row)
    return OK


def _refuse(ctx: Context, command: ClosePlan | OpenPlan) -> Outcome | None:
    if not plan_days.is_one(command.day):
        return refused(Code.INVALID, f"day {command.day} is no date")
    declared = namespaces.allowance(ctx.store, command.namespace) is not None
    if declared or job_rows.any_in(ctx.store, command.namespace):
        return None
    return refused(Code.NOT_FOUND, f"no namespace {command.namespace} is declared, and no job is in it")


def _note(
    ctx: Context, command: ClosePlan | OpenPlan, before: str, after: str, reason: str = ""
) -> None:
    date = plan_days.text_of(command.day)
    ctx.changed(KIND, command.namespace, date, before, after, reason=reason)
