"""Jobs are put: judged beside the loop where they are large, proposed, and answered as they are then.

One proposal each and one small read after it in the loop. Nothing here may use FastAPI's request:
`api.jobs.hot` calls it without.
"""

from __future__ import annotations

from typing import Any

from starlette.responses import Response

from api import access
from api.calendar_dates import TRIES, calendars_of, schedules_of
from api.call import Call, json_response
from api.cautioned import warnings_of
from api.dropped import dropped
from api.edits import propose_edit
from api.jobs.bodies import need_unspent, one_document, to_job
from api.jobs.preview import preview
from api.jobs.reading import gone_job_document, job_documents, new_job_document
from api.outcomes import expect_ok, need_proposable
from api.parameters import need_known
from api.problems import Problem
from api.references import Place, Places, need_references, need_targets
from api.reserving import give_back_of
from api.services import Services
from api.threads import beside, judge_body, write_of
from api.zone_data import keep_zones
from scheduler.machine.rules.spent import spent
from scheduler.model import Job, canonical, prepare
from scheduler.model.known_dates import KIND, NO_CALENDARS, Calendars
from scheduler.model.known_schedules import KIND as SCHEDULE
from scheduler.model.known_schedules import NO_SCHEDULES, Schedules
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables.jobs import Job as JobRow
from scheduler.store.tables.refs import Named
from scheduler.words.commands import Apply, PutJobs
from scheduler.words.json_text import json_text
from scheduler.words.outcomes import Code

PUT_PARAMETERS = frozenset({"dry_run"})
TAKEN = "cronclave job apply, or PUT /v1/jobs/{name}, changes it; delete it first to make another."


def precondition(call: Call) -> int | None:
    """The revision that If-Match asks for; 0 for `If-None-Match: *`."""
    match = call.headers.get("if-match")
    none_match = call.headers.get("if-none-match")
    if none_match is not None:
        if none_match.strip() != "*" or match is not None:
            raise Problem("validation", "If-None-Match takes * alone, and no If-Match beside it")
        return 0
    if match is None or match.strip() == "*":
        return None
    text = match.strip().removeprefix("W/").strip('"')
    if not (text.isascii() and text.isdigit()) or len(text) > 15 or int(text) < 1:
        raise Problem(
            "validation", f"If-Match: {match[:64]!r} is not an ETag of a job", hint='ETags look like "3".'
        )
    return int(text)


async def put_job(services: Services, call: Call, name: str) -> Response:
    """PUT /v1/jobs/{name}"""
    need_known(call, PUT_PARAMETERS)
    call.need(access.EDIT, namespace=access.Reach.ANY)
    job = await judge_body(len(call.body), lambda: to_job(call, one_document(call), name=name))
    if_revision = precondition(call)
    if if_revision is None and call.headers.get("if-match") == "*":
        with services.scheduler.read() as store:
            find_for_change(job_rows.find(store, job.namespace, name), name)
    if call.flag("dry_run"):
        return await dry_run(services, call, job, if_revision)
    return await write_job(services, call, job, if_revision)


def find_for_change(row: JobRow | None, name: str) -> None:
    if row is None:
        raise Problem("revision-mismatch", f"If-Match: *, but there is no job {name[:200]!r}")


async def write_job(services: Services, call: Call, job: Job, if_revision: int | None) -> Response:
    """Propose one job and answer with it as it is then."""
    scheduler = services.scheduler
    if job.names_zone:
        await keep_zones(scheduler)
    for _ in range(TRIES):
        command = await judge_body(len(call.body), lambda: _command(call, job, if_revision))
        (made,), after_ms = command.jobs, command.after_ms
        await give_back_of(scheduler, Apply((), command.jobs, (), after_ms), call.actor)
        async with write_of(len(made.spec)):
            outcome = await propose_edit(scheduler, command)
        if outcome.code != Code.SUPERSEDED:  # else a calendar, or the zone data, is another meanwhile
            break
    if outcome.code == Code.PAST:
        await _refuse_spent(call, job, (outcome.value or {}).get("triggers"), after_ms)
    if outcome.code == Code.MISSING:
        with scheduler.read() as store:
            need_references(store, call, outcome, _places(job))
    hint = TAKEN if if_revision == 0 else ""
    value = expect_ok(outcome, what=f"job {job.name}", hint=hint, places=_places(job))
    result = first_of(value)
    created, revision = bool(result.get("created")), int(result["revision"])

    def answer() -> bytes:
        if created and not command.key:  # of a request that is sent again the answer may be an old one
            at_ms, paused = int(str(value["stamp_ms"])), bool(value.get("paused"))
            return new_job_document(services, job, made, revision, call.principal.name, at_ms, paused=paused)
        with scheduler.read() as store:
            row = job_rows.find(store, job.namespace, job.name)
            if row is None:
                # Deleted again before this answer. The write was made: a 404 would say that it was not.
                spec = canonical(job, format=scheduler.status().format)
                return gone_job_document(job, spec, revision, call.principal.name, after_ms)
            return job_documents(store, services, [row])[0]

    document = await beside(len(made.spec), answer)
    if told := warnings_of([job]):
        document = b"%b,%b}" % (document[:-1], json_text({"warnings": told})[1:-1])
    headers = {"ETag": f'"{revision}"'}
    if created:
        headers["Location"] = f"/v1/jobs/{job.name}?namespace={job.namespace}"
    return Response(document, 201 if created else 200, headers=headers, media_type="application/json")


def _places(job: Job) -> Places:
    return {Named("job", job.namespace, job.name): Place("", job)}


def _command(call: Call, job: Job, if_revision: int | None) -> PutJobs:
    after_ms = call.scheduler.now_ms()
    key, body = call.idempotency()
    given, format = call.defaults(job.namespace), call.scheduler.status().format
    calendars, schedules = _known(call, job)
    made = prepare(
        job, after_ms, if_revision, format=format, given=given, calendars=calendars, schedules=schedules
    )
    return PutJobs((made,), after_ms, call.actor, key, body)


def _known(call: Call, job: Job) -> tuple[Calendars, Schedules]:
    """The calendars and schedules that it names, as they are."""
    refers = [target for target in job.refers if target.kind in (KIND, SCHEDULE)]
    if not refers and not job.names_zone:
        return NO_CALENDARS, NO_SCHEDULES
    with call.scheduler.read() as store:
        known = schedules_of(store)
        found = {of: known(*of) for of in job.schedules}
        return calendars_of(store, refers), lambda namespace, name: found[namespace, name]


def first_of(value: dict[str, object]) -> dict[str, Any]:
    """What a PutJobs of one job came to."""
    jobs = value.get("jobs")
    if isinstance(jobs, list | tuple) and jobs and isinstance(jobs[0], dict):
        return jobs[0]
    return value


async def _refuse_spent(call: Call, job: Job, places: object, now_ms: int) -> None:
    given = await judge_body(len(call.body), lambda: one_document(call))
    need_unspent([given], [job], places, now_ms, calendars=_known(call, job)[0])


async def dry_run(services: Services, call: Call, job: Job, if_revision: int | None) -> Response:
    """What a put would do, from the state as it is here."""
    command = _command(call, job, if_revision)
    spec = command.jobs[0].spec
    with services.scheduler.read() as store:
        (who,) = places = _places(job)
        need_proposable(command, what=f"job {job.name}", store=store, places=places)
        need_targets(store, call, {who: command.jobs[0].refers}, {}, places)
        row = job_rows.find(store, job.namespace, job.name)
        over = spent(store, command.jobs[0], None if row is None else row.id, command.after_ms)
    if if_revision == 0 and row is not None:
        raise Problem("exists", f"there is a job {job.name!r} already", extra={"dry_run": True})
    if if_revision and (row is None or row.revision != if_revision):
        found = "none" if row is None else str(row.revision)
        raise Problem("revision-mismatch", f"revision {if_revision} was expected, found {found}")
    if over:
        await _refuse_spent(call, job, [[0, place] for place in over], command.after_ms)
    same = row is not None and bytes(row.spec) == spec
    change = "created" if row is None else "unchanged" if same else "changed"
    document: dict[str, Any] = {
        "dry_run": True, "name": job.name, "namespace": job.namespace, "change": change,
    }  # fmt: skip
    document |= {"revision": None if row is None else row.revision, "warnings": warnings_of([job])}
    with services.scheduler.read() as store:
        document |= dropped(store, command.jobs, (), command.after_ms, lambda _: True)
    def shown() -> dict[str, Any]:
        with services.scheduler.read() as store:
            return preview(store, job, command.jobs[0], command.after_ms)

    return json_response(document | await judge_body(len(spec), shown))
