"""The defaults of a namespace have changed: its jobs follow, by name, JOBS_MAX in a plan."""

from __future__ import annotations

from scheduler.machine.rules import templates
from scheduler.model.given import Given
from scheduler.plan.rescheduling import Calendars, schedules_of
from scheduler.plan.view import Outlook, View
from scheduler.store.state import format_of
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import namespaces
from scheduler.store.tables.namespaces import Allowance
from scheduler.words.commands import PreparedJob, ReviseJobs

JOBS_MAX = 20  #: that are resolved anew in one plan: some 30 ms
BYTES_MAX = 500_000


def plan(view: View) -> list[ReviseJobs]:
    row = namespaces.unrevised(view.store)
    if row is None:
        return []
    changed: list[PreparedJob] = []
    through, done, size = row.revised or "", True, 0
    for name, revision, spec in job_rows.named_after(view.store, row.name, through, JOBS_MAX + 1):
        if len(changed) == JOBS_MAX or size + len(spec) > BYTES_MAX:
            done = False
            break
        size += len(spec)
        through = name
        made = _anew(view, row, revision, spec)
        if made is not None:
            changed.append(made)
    return [
        ReviseJobs(
            view.epoch, row.name, row.defaults_revision, tuple(changed), through, done, row.late
        )
    ]  # fmt: skip


def wake(outlook: Outlook) -> int | None:
    return None if namespaces.unrevised(outlook.store) is None else 0


def _anew(view: View, row: Allowance, revision: int, spec: bytes) -> PreparedJob | None:
    """The job under the defaults that there are now; None: it is what it was, or cannot be what they say."""
    # Judging jobs costs start-up: only where there are defaults at all.
    from scheduler.model.brief import is_other, resolved_anew
    from scheduler.model.job import prepare
    from scheduler.model.problems import JobError

    format = format_of(view.store)
    try:
        given = Given.of(row.defaults_revision, row.defaults)
        job = resolved_anew(bytes(spec), given, format, templates.of(view.store))
        made = prepare(
            job, view.now_ms, revision, format=format, given=given,
            calendars=Calendars(view.store), schedules=schedules_of(view.store),
        )  # fmt: skip
    except (JobError, ValueError, KeyError, TypeError, AttributeError):
        return None  # the last of a command that no front of ours made: its words are no defaults
    return made if is_other(spec, made.spec) else None
