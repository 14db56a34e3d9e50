"""Namespaces are declared, changed and no more declared. What that means of jobs is `rules.allowances`.

A namespace that nobody declared is there with its first job, and lets it have everything.
"""

from __future__ import annotations

from scheduler.machine.context import Context, done, refused
from scheduler.machine.rules import allowances, revisions
from scheduler.machine.steps import editing, editing_objects, plan_dates, redating
from scheduler.machine.steps import quotas as quota_steps
from scheduler.machine.steps.editing import Edit
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import namespaces, zones
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables.namespaces import KIND, Allowance
from scheduler.store.tables.refs import Named
from scheduler.ticks.plan_days import PIECES_MAX, PLANS_MAX
from scheduler.words.commands import DeleteNamespace, PreparedObject, PutNamespace, ReviseJobs
from scheduler.words.json_text import json_text
from scheduler.words.outcomes import Code, Outcome

NAMESPACES_MAX = 10_000
POOLS_MAX = 1_000
COUNTED_MAX = 1_000
REVISED_MAX = 100
STARTS_MAX = 6_000
AROUND_MAX = 4_096
CLOSE_AFTER_MAX_MS = 366 * 86_400_000


def put_namespace(ctx: Context, command: PutNamespace) -> Outcome:
    most = max(len(command.pools), len(command.users))
    if not command.name or most > POOLS_MAX or len(command.plan_days) > PIECES_MAX:
        return refused(Code.INVALID, f"a namespace has a name, and {POOLS_MAX} pools and users at most")
    if (command.starts_max or 0) > STARTS_MAX:
        return refused(Code.INVALID, f"a quota of at most {STARTS_MAX} starts a minute")
    if len(command.before) > AROUND_MAX or len(command.after) > AROUND_MAX:
        return refused(Code.INVALID, f"before and after have {AROUND_MAX} characters at most")
    if command.plan_tz and command.plan_tz != "UTC" and command.plan_rules != zones.pin_of(
        ctx.store, command.plan_tz
    ):
        said = f"its plan dates were found by other rules of {command.plan_tz} than are in force"
        return refused(Code.SUPERSEDED, said)
    if command.close_after_ms is not None and not 0 <= command.close_after_ms <= CLOSE_AFTER_MAX_MS:
        return refused(Code.INVALID, f"plan dates close {CLOSE_AFTER_MAX_MS} ms after their end at most")
    try:
        defaults = command.defaults.decode()
    except UnicodeDecodeError:
        return refused(Code.INVALID, "defaults are a text")
    new = PreparedObject(KIND, command.name, command.name, command.spec, if_revision=command.if_revision)
    judged = editing_objects.judge(ctx, new, "")
    if isinstance(judged, Outcome):
        return judged
    if judged.stored is None and namespaces.count(ctx.store, NAMESPACES_MAX) >= NAMESPACES_MAX:
        return refused(Code.LIMIT, f"there are {NAMESPACES_MAX} namespaces, the most that a cluster keeps")
    if command.plan_tz:
        planned = namespaces.plans(ctx.store, PLANS_MAX)
        if len(planned) == PLANS_MAX and (command.plan_tz, command.plan_begin) not in planned:
            said = f"namespaces are planned by {PLANS_MAX} zones and hours already, as many as may"
            return refused(Code.LIMIT, said)
    told = editing_objects.put(ctx, _edit(ctx, command), judged)
    pools = json_text(list(command.pools)).decode()
    around = [command.before, command.after]
    stored = namespaces.allowance(ctx.store, command.name)
    defaults_revision, revised = (stored.defaults_revision, stored.revised) if stored else (0, None)
    late = stored.late if stored else 0
    if defaults != (stored.defaults if stored else ""):
        defaults_revision, revised = int(str(told["revision"])), ""
    if command.plan_tz:
        namespaces.plan(ctx.store, command.plan_tz, command.plan_begin, command.plan_days)
    namespaces.allow(
        ctx.store,
        Allowance(
            command.name, command.jobs_max, pools, command.active_max, command.starts_max, defaults,
            defaults_revision, revised, late, json_text(list(command.users)).decode(),
            json_text(around).decode() if any(around) else "", command.plan_tz, command.plan_begin,
        ),
    )  # fmt: skip
    plan_dates.declare_auto_close(ctx, command.name, command.close_after_ms)
    limited = command.active_max is not None or command.starts_max is not None
    if limited and not (stored is not None and stored.limits_runs):
        quota_steps.begin_counting(ctx, command.name)
    if command.starts_max is None:
        quota_steps.forget_starts(ctx, command.name)
    return done(revision=told["revision"], created=told["created"], changed=told["changed"])


def revise_jobs(ctx: Context, command: ReviseJobs) -> Outcome:
    """One that somebody put meanwhile stays as it was put; and so does one that would come to name what its
    namespace does not let it have."""
    if len(command.jobs) > REVISED_MAX:
        return refused(Code.LIMIT, f"{len(command.jobs)} jobs in one command, at most {REVISED_MAX}")
    row = namespaces.allowance(ctx.store, command.namespace)
    if row is None or row.defaults_revision != command.defaults or row.revised is None:
        return refused(Code.SUPERSEDED, "the defaults are others by now, or all jobs follow them")
    if row.late != command.late:
        return refused(Code.SUPERSEDED, "a job has come since that was sent under other defaults")
    if refusal := redating.refuse_jobs_that_follow(ctx, command.jobs):
        return refusal
    declared = object_rows.find(ctx.store, KIND, command.namespace, command.namespace)
    actor, revised = declared.actor if declared else "", 0
    for new in command.jobs:
        job = job_rows.find(ctx.store, new.namespace, new.name)
        judged = editing.judge(new, job)
        if job is None or isinstance(judged, Outcome):
            continue
        if allowances.judge_words(ctx.store, new) is not None:
            continue  # what it took was withdrawn: it stays as it is, and nothing is given it in its place
        edit = Edit(actor, job.source, ctx.stamp_ms, ctx.stamp_ms, ctx.state.idx)
        editing.put(ctx, edit, judged, 0)
        revised += 1
    namespaces.set_revised(ctx.store, command.namespace, None if command.done else command.through)
    return done(revised=revised)


def delete_namespace(ctx: Context, command: DeleteNamespace) -> Outcome:
    what = Named(KIND, command.name, command.name)
    stored = object_rows.find(ctx.store, *what)
    if stored is None:
        return refused(Code.NOT_FOUND, f"no namespace {command.name} is declared")
    if wrong := revisions.judge(what, stored.revision, command.if_revision):
        return wrong
    if held := namespaces.contents(ctx.store, command.name, COUNTED_MAX):
        return refused(Code.REFERRED, f"namespace {command.name} has {held}")
    namespaces.forget(ctx.store, command.name)
    quota_steps.forget_starts(ctx, command.name)
    plan_dates.declare_auto_close(ctx, command.name, None)
    return done(revision=editing_objects.delete(ctx, _edit(ctx, command), stored))


def _edit(ctx: Context, command: PutNamespace | DeleteNamespace) -> Edit:
    return Edit(command.actor.name, "", ctx.stamp_ms, ctx.stamp_ms, ctx.state.idx)
