"""Jobs: put, create, read, list, delete, pause, resume, revisions, next ticks."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import access, schemas
from api.call import call_of, json_response
from api.consistency import settle
from api.cursors import make_cursor, read_cursor
from api.days import change_json
from api.edits import propose_edit
from api.instants import end_ms, rfc3339
from api.jobs import dates, writing
from api.jobs.bodies import one_document, to_job
from api.jobs.listing import items_json, listing
from api.jobs.reading import find_job, job_answer, job_documents, need_job
from api.outcomes import expect_ok
from api.parameters import EACH, NUMBER_MAX
from api.problems import Problem
from api.reasons import need_fields, reason_of
from api.references import need_references, need_targets
from api.reserving import give_back
from api.revisions import revision_json
from api.services import Services, services_of
from api.threads import beside, encode, in_thread, judge_body, read_reply
from api.tick_pages import shared_json
from api.views import pause_json
from scheduler.machine.rules import owning
from scheduler.machine.rules.changing import OF_JOB_MAX
from scheduler.model.unsaid import whole
from scheduler.store.reads import jobs as job_reads
from scheduler.store.tables import changed_ticks, delays, pauses
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.changed_ticks import FIRED
from scheduler.store.tables.refs import Named
from scheduler.ticks import schedule
from scheduler.words.commands import DeleteJob, PauseJob, ResumeJob

router = APIRouter(tags=["jobs"], dependencies=EACH)
PAUSE_FIELDS = ("reason", "until")
PAUSE_HINT = 'Send nothing, or {"reason": TEXT, "until": INSTANT} as you like.'

LIMIT_MAX = 1_000
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX, description="Items on one page.")]
Cursor = Annotated[str | None, Query(description="next_cursor of the page before.")]


@router.put(
    "/v1/jobs/{name}", operation_id="putJob", openapi_extra=schemas.put_job, responses=schemas.job_replies
)
async def put_job(request: Request, name: str) -> Response:
    """Create or change a job. ETag is its revision; `If-Match` and `If-None-Match: *` guard it."""
    return await writing.put_job(services_of(request), call_of(request), name)


@router.post(
    "/v1/jobs", operation_id="createJob", openapi_extra=schemas.create_job, responses=schemas.job_replies
)
async def create_job(request: Request) -> Response:
    """Create a job; 409 when the name is taken."""
    services, call = services_of(request), call_of(request)
    call.need(access.EDIT, namespace=access.Reach.ANY)
    job = await judge_body(len(call.body), lambda: to_job(call, one_document(call)))
    if call.flag("dry_run"):
        return await writing.dry_run(services, call, job, 0)
    return await writing.write_job(services, call, job, 0)


@router.get(
    "/v1/jobs/{name}", operation_id="getJob", openapi_extra=schemas.read, responses=schemas.job_replies
)
async def get_job(
    request: Request,
    name: str,
    revision: Annotated[int | None, Query(ge=1, le=NUMBER_MAX, description="An older one.")] = None,
) -> Response:
    """A job: its definition and what the server knows about it."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    await settle(call, services.commits)
    if revision is not None:
        with services.scheduler.read() as store:
            old = job_reads.revision(store, call.namespace, name, revision)
        if old is None:
            raise Problem("not-found", f"job {name[:200]!r} has no revision {revision}")
        told = await beside(len(old.spec), lambda: encode(revision_json(old, whole)))
        return Response(told, headers={"ETag": f'"{revision}"'}, media_type="application/json")
    row, document = await job_answer(services, call.namespace, name)
    return Response(document, headers={"ETag": f'"{row.revision}"'}, media_type="application/json")


@router.delete("/v1/jobs/{name}", operation_id="deleteJob", status_code=204, openapi_extra=schemas.change)
async def delete_job(request: Request, name: str) -> Response:
    """Delete a job. What runs comes to its end, nothing of it starts any more, also no retry; its ledger and
    its revisions stay readable."""
    services, call = services_of(request), call_of(request)
    call.need(access.EDIT, namespace=call.namespace)
    if_revision = writing.precondition(call)
    if call.flag("dry_run"):
        with services.scheduler.read() as store:
            row = find_job(store, call.namespace, name)
            if if_revision not in (None, row.revision):
                detail = f"revision {if_revision} was expected, found {row.revision}"
                raise Problem("revision-mismatch", detail)
            what = Named("job", call.namespace, name)
            if refusal := owning.judge(store, what, row.source, ""):
                expect_ok(refusal, what=f"job {name}")
            need_targets(store, call, {}, {what: row}, {})
        return json_response(
            {"dry_run": True, "name": name, "namespace": call.namespace, "change": "deleted"}
        )
    key, body = call.idempotency()
    await give_back(services.scheduler, call.namespace, [name], call.actor)
    command = DeleteJob(call.namespace, name, if_revision, call.actor, key, body)
    outcome = await propose_edit(services.scheduler, command)
    need_job(services, outcome, call.namespace, name)
    if not outcome.ok:
        with services.scheduler.read() as store:
            need_references(store, call, outcome, {})
    expect_ok(outcome, what=f"job {name}")
    return Response(status_code=204)


@router.post("/v1/jobs/{name}/pause", operation_id="pauseJob", openapi_extra=schemas.pause_job)
async def pause_job(request: Request, name: str) -> Response:
    """Pause a job: its ticks are skipped(paused) until it is resumed, or until the instant that is given. A
    pause that stands gets this reason and end."""
    return await _set_paused(request, name, True)


@router.post("/v1/jobs/{name}/resume", operation_id="resumeJob", openapi_extra=schemas.change)
async def resume_job(request: Request, name: str) -> Response:
    """Resume a job. Nothing is caught up."""
    return await _set_paused(request, name, False)


async def _set_paused(request: Request, name: str, paused: bool) -> Response:
    services, call = services_of(request), call_of(request)
    call.need(access.OPERATE, namespace=call.namespace)
    become: bool | None = None
    reason, until_ms = "", None
    if paused:
        said = call.json_object(optional=True)
        need_fields(said, PAUSE_FIELDS, PAUSE_HINT)
        until_ms = end_ms(said, services.scheduler.now_ms(), PAUSE_HINT)
        reason = reason_of(said, PAUSE_HINT) if "reason" in said else ""
    if call.flag("dry_run"):
        become = paused
    else:
        command = (
            PauseJob(call.namespace, name, call.actor, reason, until_ms)
            if paused
            else ResumeJob(call.namespace, name, call.actor)
        )
        outcome = await services.scheduler.propose(command)
        need_job(services, outcome, call.namespace, name)
        expect_ok(outcome, what=f"job {name}")
    _, document = await job_answer(services, call.namespace, name, paused=become, actor=call.principal.name)
    return Response(document, media_type="application/json")


@router.get("/v1/jobs", operation_id="listJobs", openapi_extra=schemas.read, responses=schemas.jobs_replies)
async def list_jobs(
    request: Request,
    labels: Annotated[str | None, Query(description="key=value,key: all must hold.")] = None,
    state: Annotated[str | None, Query(description="active, paused, disabled or unplaceable.")] = None,
    q: Annotated[str | None, Query(description="A part of the name.")] = None,
    failing: Annotated[bool, Query(description="Whose last run failed, who failed last first.")] = False,
    last: Annotated[str | None, Query(description="Whose last finished run ended so.")] = None,
    criticality: Annotated[
        str | None, Query(description="minor, normal, major, critical: one of these, commas between them.")
    ] = None,
    sort: Annotated[
        str | None,
        Query(description="name; next: by the next tick, of jobs that have one; failing: as `failing`."),
    ] = None,
    brief: Annotated[bool, Query(description="Without tasks, policies and notices.")] = False,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:
    """Jobs by namespace and name; without ?namespace= of all in which the caller may read. A page of large
    ones is shorter: 4 MiB of definitions at most; so is one of a filter that fits few: 2,000 jobs are looked
    at for it."""
    services, call = services_of(request), call_of(request)
    asked = listing(
        call.need_listed(access.READ), labels=labels, state=state, text=q, failing=failing, last=last,
        sort=sort, criticality=criticality,
    )  # fmt: skip
    after = asked.place(cursor)
    await settle(call, services.commits)

    def read() -> bytes:
        with services.scheduler.read() as store:
            page = asked.page(store, services, after=after, limit=limit)
            return items_json(job_documents(store, services, page.jobs, brief=brief), page.next_cursor)

    return Response(await in_thread(read), media_type="application/json")


@router.get("/v1/jobs/{name}/revisions", operation_id="listRevisions", openapi_extra=schemas.read)
async def list_revisions(request: Request, name: str, cursor: Cursor = None, limit: Limit = 50) -> Response:
    """Every revision of the name, newest first, also of jobs that were deleted. A page of large ones is
    shorter: 4 MiB of definitions at most."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    before = read_cursor("revisions", cursor, int)
    await settle(call, services.commits)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            rows, more = job_reads.revisions_page(
                store, call.namespace, name, before=None if before is None else int(before[0]), limit=limit
            )
            if not rows and before is None:
                find_job(store, call.namespace, name)
        cursor = make_cursor("revisions", rows[-1].revision) if more else None
        return {"items": [revision_json(row, whole) for row in rows], "next_cursor": cursor}

    return await read_reply(read)


@router.get("/v1/jobs/{name}/next", operation_id="listNextTicks", openapi_extra=schemas.read)
async def next_ticks(
    request: Request, name: str, count: Annotated[int, Query(ge=1, le=1_000, description="How many.")] = 10
) -> Response:
    """The coming ticks of the job's triggers. `due` has the jitter, `at` names the tick."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    await settle(call, services.commits)
    return json_response(await in_thread(_coming, services, call.namespace, name, count))


def _coming(services: Services, namespace: str, name: str, count: int) -> dict[str, Any]:
    now_ms = services.scheduler.now_ms()
    with services.scheduler.read() as store:
        row = find_job(store, namespace, name)
        triggers = trigger_rows.live(store, row.id)
        waiting = delays.of_job(store, row.id)
        standing = [pause for pause in pauses.of(store, namespace) if pause.stands(now_ms)]
        said = {(each.key, each.at_ms): each for each in changed_ticks.of_job(store, row.id, OF_JOB_MAX)}
        compiled = services.compiled.get(row.id, row.revision, lambda: row.spec)
    found: list[tuple[int, int, str, bytes]] = []
    for trigger in triggers:
        for at_ms in schedule(trigger.spec).upcoming(max(now_ms, trigger.from_ms), count + len(said)):
            if (trigger.key, at_ms) in said and said[trigger.key, at_ms].act == FIRED:
                continue
            found.append((at_ms, at_ms + trigger.jitter_ms, trigger.key, trigger.spec))
    keys = {trigger.id: trigger.key for trigger in triggers}
    for each in waiting:
        if each.due_ms is not None:
            found.append((each.due_ms, each.due_ms, keys[each.trigger], b""))
    found.sort()
    with services.scheduler.read() as store:
        items = [
            {
                "at": rfc3339(at), "due": rfc3339(due), "trigger": key, **shared_json(spec),
                **dates.of_tick(store, compiled, key, spec, at),
                **({"changed": change_json(said[key, at])} if (key, at) in said else {}),
            }
            for at, due, key, spec in found[:count]
        ]  # fmt: skip
    told = [pause_json(pause) for pause in standing]
    return {"items": items, "next_cursor": None, "paused": row.state == "paused", "pauses": told}
