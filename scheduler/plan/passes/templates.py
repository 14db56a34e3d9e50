"""A template has changed: the jobs that extend it follow, by name, JOBS_MAX in a plan."""

from __future__ import annotations

from scheduler.machine.rules import templates
from scheduler.model.given import Given
from scheduler.model.templates import KIND
from scheduler.plan.rescheduling import Calendars, schedules_of
from scheduler.plan.view import Outlook, View
from scheduler.store.state import format_of
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import namespaces, refs, template_changes
from scheduler.store.tables.refs import Named
from scheduler.words.commands import FollowTemplate, LeftJob, PreparedJob

JOBS_MAX = 20
BYTES_MAX = 500_000


def plan(view: View) -> list[FollowTemplate]:
    row = template_changes.first(view.store)
    if row is None:
        return []
    after = Named("job", row.after_namespace, row.after_name) if row.after_name else None
    changed: list[PreparedJob] = []
    left: list[LeftJob] = []
    through, done, size = after, True, 0
    for who in refs.to(view.store, Named(KIND, row.namespace, row.name), JOBS_MAX + 1, after):
        job = job_rows.find(view.store, who.namespace, who.name)
        spec = b"" if job is None else bytes(job.spec)
        if len(changed) == JOBS_MAX or size + len(spec) > BYTES_MAX:
            done = False
            break
        size += len(spec)
        through = who
        made = None if job is None else _anew(view, job.namespace, job.revision, spec)
        if isinstance(made, str):
            left.append(LeftJob(who.namespace, who.name, 0 if job is None else job.revision, made))
        elif made is not None:
            changed.append(made)
    names = ("", "") if through is None else (through.namespace, through.name)
    told = (tuple(changed), *names, done, tuple(left))
    return [FollowTemplate(view.epoch, row.namespace, row.name, row.idx, *told)]


def wake(outlook: Outlook) -> int | None:
    return None if template_changes.first(outlook.store) is None else 0


def _anew(view: View, namespace: str, revision: int, spec: bytes) -> PreparedJob | str | None:
    """The job under the template that there is now, or why it cannot be what that says; None: it is what it
    was."""
    # Judging jobs costs start-up: only where there are templates at all.
    from scheduler.model.brief import is_other, resolved_anew
    from scheduler.model.job import prepare
    from scheduler.model.problems import JobError

    format = format_of(view.store)
    row = namespaces.allowance(view.store, namespace)
    given = Given.of(row.defaults_revision, row.defaults) if row and row.defaults_revision > 0 else None
    try:
        job = resolved_anew(spec, given, format, templates.of(view.store))
        made = prepare(
            job, view.now_ms, revision, format=format, given=given,
            calendars=Calendars(view.store), schedules=schedules_of(view.store),
        )  # fmt: skip
    except JobError as error:
        first = error.problems[0]
        return f"{first.pointer}: {first.detail}" if first.pointer else first.detail
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return f"it cannot be read: {type(error).__name__}"
    return made if is_other(spec, made.spec) else None
