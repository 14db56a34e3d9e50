"""The templates that jobs are read with, and the jobs that would follow other ones."""

from __future__ import annotations

import json
from collections.abc import Sequence
from typing import Any, NamedTuple

from api import access
from api.calendar_dates import staged_object
from api.call import Call
from api.problems import FieldError, Problem
from api.references import need_nameable, not_nameable
from scheduler.machine.rules import references, templates, together
from scheduler.model import JobError, parse_job, prepare
from scheduler.model.brief import is_other, resolved_anew
from scheduler.model.job import canonical
from scheduler.model.named import Target
from scheduler.model.objects.parsing import Definition, parse_document
from scheduler.model.templates import KIND, Templates
from scheduler.plan.rescheduling import Calendars, schedules_of
from scheduler.store.connection import Store
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import objects as object_rows
from scheduler.store.tables import refs
from scheduler.store.tables.jobs import Job
from scheduler.store.tables.refs import Named
from scheduler.words.commands import Apply, PreparedJob, PreparedObject
from scheduler.words.outcomes import Outcome

FOLLOWING_MAX = 1_000  #: jobs that are judged under another template before it is taken
UNSEEN = "a job that this token may not read"
HINT = "say otherwise in that job first, or in the template"


class Follower(NamedTuple):
    """A job that would be another one by templates that are put."""

    template: str
    namespace: str
    job: str
    wrong: str = ""  #: why it cannot be what the template says
    made: PreparedJob | None = None  #: as it would be put
    foreign: tuple[Target, ...] = ()  #: what it would come to name that whoever edits the template may not


def readable_templates(call: Call) -> Templates:
    def gives(namespace: str, name: str) -> dict[str, Any] | None:
        _need_readable(call, namespace, name)
        return call.templates(namespace, name)

    return gives


def _need_readable(call: Call, namespace: str, name: str) -> None:
    """Raises Problem for one of a namespace in which the caller may not read, whether there is one or not:
    what is wrong with a job would tell of it else."""
    need_nameable(call, Named("job", "", ""), [Target(KIND, namespace, name, "/extends")])


def templates_of(call: Call, documents: Sequence[Any]) -> Templates:
    """As they come with the jobs, were laid down before in the same stage, or are there."""
    beside: dict[tuple[str, str], dict[str, Any] | None] = {}
    for data in documents:
        if isinstance(data, dict) and (KIND in data):
            try:
                parsed = parse_document(data, namespace_default=call.namespace)
            except JobError:
                continue  # it is told of where all documents are read
            if isinstance(parsed, Definition) and parsed.kind.name == KIND:
                beside[parsed.namespace, parsed.name] = parsed.public()["gives"]
    stage = call.query.get("stage", "")

    def gives(namespace: str, name: str) -> dict[str, Any] | None:
        if (namespace, name) not in beside:
            _need_readable(call, namespace, name)
            with call.scheduler.read() as store:
                laid = staged_object(store, stage, KIND, namespace, name)
            beside[namespace, name] = (
                templates.given_by(laid.spec) if laid is not None else call.templates(namespace, name)
            )
        return beside[namespace, name]

    return gives


def followers(call: Call, puts: Sequence[PreparedObject], with_them: Sequence[Named]) -> list[Follower]:
    """Of templates that are put: the jobs, but for those that are put beside them, that follow. The first
    FOLLOWING_MAX of each are looked at."""
    found: list[Follower] = []
    for put in puts:
        if put.kind != KIND:
            continue
        with call.scheduler.read() as store:
            known = object_rows.find(store, KIND, put.namespace, put.name)
            if known is None or known.pin == put.pin:
                continue
            named = refs.to(store, Named(KIND, put.namespace, put.name), FOLLOWING_MAX)
            rows = [row for who in named if who not in with_them
                    and (row := job_rows.find(store, who.namespace, who.name)) is not None]  # fmt: skip
        found += [each for row in rows if (each := _follower(call, put, row)) is not None]
    return found


def _follower(call: Call, put: PreparedObject, row: Job) -> Follower | None:
    """The job as it would be by this template; None: it stays as it is."""
    of, gives = f"{put.namespace}/{put.name}", templates.given_by(put.spec)
    format, spec, given = call.scheduler.status().format, bytes(row.spec), call.defaults(row.namespace)
    try:
        job = resolved_anew(spec, given, format, lambda *_: gives)
        if not is_other(spec, canonical(job, format=format)):
            return None
        with call.scheduler.read() as store:
            made = prepare(
                job, call.scheduler.now_ms(), format=format, given=given,
                calendars=Calendars(store), schedules=schedules_of(store),
            )  # fmt: skip
    except JobError as error:
        first = error.problems[0]
        place = f"{first.pointer}: " if first.pointer else ""
        return Follower(of, row.namespace, row.name, f"{place}{first.detail}")
    foreign = not_nameable(call, row.namespace, job.refers)
    if foreign:  # what it named before stays whose word it was
        named = {each._replace(pointer="") for each in parse_job(json.loads(spec), format=format).refers}
        foreign = [each for each in foreign if each._replace(pointer="") not in named]
    return Follower(of, row.namespace, row.name, made=made, foreign=tuple(foreign))


def need_followers(call: Call, command: Apply) -> list[dict[str, str]]:
    """The jobs that would follow, as answers tell of them. Raises Problem where one cannot."""
    beside = [Named("job", job.namespace, job.name) for job in command.jobs]
    found = followers(call, command.objects, beside)
    if wrong := next((each for each in found if each.wrong), None):
        is_seen = call.principal.may(access.READ, wrong.namespace)
        who, why = (f"job {wrong.namespace}/{wrong.job}", f": {wrong.wrong}") if is_seen else (UNSEEN, "")
        detail = f"{who} cannot follow template {wrong.template}{why}"
        raise Problem("validation", detail, hint=HINT, errors=[FieldError("", detail)])
    if foreign := next((each for each in found if each.foreign), None):
        need_nameable(call, Named("job", foreign.namespace, foreign.job), foreign.foreign)
    if made := [each.made for each in found if each.made is not None]:
        with call.scheduler.read() as store:
            refusal = _together(store, command, made)
        if refusal is not None:
            whose = [each.namespace for each in [*command.jobs, *made]]
            is_seen = all(call.principal.may(access.READ, namespace) for namespace in whose)
            why = f": {refusal.detail}" if is_seen else f", {UNSEEN} among them"
            detail = f"jobs that extend what is put cannot follow it{why}"
            raise Problem("validation", detail, hint=HINT, errors=[FieldError("", detail)])
    return [
        {"template": each.template, "namespace": each.namespace, "job": each.job}
        for each in found
        if call.principal.may(access.READ, each.namespace)
    ]


def _together(store: Store, command: Apply, made: Sequence[PreparedJob]) -> Outcome | None:
    """The refusal of the jobs that would follow, beside what is put and deleted with their template."""
    news = [*command.jobs, *made]
    is_new = [job_rows.standing_named(store, new.namespace, new.name) is None for new in news]
    gone = {Named(each.kind, each.namespace, each.name): each for each in command.deletions}
    jobs_gone = [job_rows.find(store, what.namespace, what.name) for what in gone if what.kind == "job"]
    puts = {Named(put.kind, put.namespace, put.name): put.refers for put in command.objects}
    puts |= {Named("job", new.namespace, new.name): new.refers for new in news}
    judged = list(zip(news, is_new, strict=True))
    return together.judge(store, judged, [job for job in jobs_gone if job]) or references.judge(
        store, puts, gone
    )
