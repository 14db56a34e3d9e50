"""Namespaces: declared, read and no more declared. What they let their jobs have is set by who administrates
all of them: nobody raises a quota of their own."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import access, schemas
from api.calendar_dates import TRIES
from api.call import Call, call_of, json_response
from api.consistency import settle
from api.cursors import make_cursor, read_cursor
from api.edits import propose_edit
from api.jobs.bodies import one_document, placed
from api.jobs.reading import standing
from api.jobs.writing import precondition
from api.outcomes import expect_ok, need_proposable
from api.parameters import EACH
from api.problems import FieldError, Problem, from_job_problems
from api.reserving import give_back
from api.revisions import changes_json, revision_json
from api.services import Services, services_of
from api.threads import in_thread, read_reply
from api.views import pause_json
from api.zone_data import keep_zones, zone_rules
from scheduler.machine.namespaces import COUNTED_MAX
from scheduler.machine.rules.allowances import first_foreign
from scheduler.model import JobError, canonical, compile_job
from scheduler.model.brief import is_other, resolved_anew
from scheduler.model.given import Given
from scheduler.model.namespace import Namespace, Plan, parse_namespace
from scheduler.model.problems import Problem as Refusal
from scheduler.store.connection import Store
from scheduler.store.reads import jobs as job_reads
from scheduler.store.reads import namespaces as reads
from scheduler.store.reads.bounds import LOOKED_MAX
from scheduler.store.tables import closed_dates, zones
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import namespaces as rows
from scheduler.store.tables.pauses import ALL, Pause
from scheduler.ticks import plan_days, zone
from scheduler.ticks.zone_files import pinned
from scheduler.words.commands import DeleteNamespace, PutNamespace
from scheduler.words.json_text import json_text
from scheduler.words.outcomes import Code

router = APIRouter(tags=["namespaces"], dependencies=EACH)

FOLLOWING_MAX = 1_000  #: jobs that are judged under other defaults before these are taken
OUTSIDE_MAX = 20  #: jobs that use other pools or users, told by name
Cursor = Annotated[str | None, Query(description="next_cursor of the page before.")]
Limit = Annotated[int, Query(ge=1, le=1_000, description="Items on one page.")]


def namespace_json(found: reads.Namespace, pauses: Mapping[str, Pause]) -> dict[str, Any]:
    """Of one that nobody declared: what holds of it. `pauses`: those that stand."""
    written = found.written or Namespace.model_validate({"namespace": found.name}).public()
    row, pause = found.declared, pauses.get(found.name)
    return {
        **written, "declared": row is not None, "revision": row.revision if row else 0, "jobs": found.jobs,
        "pause": None if pause is None else pause_json(pause),
        "active_runs": found.active, "waiting_runs": found.waiting, "following": found.following,
        **(dict.fromkeys(("created", "changed", "actor")) if row is None else changes_json(row)),
    }  # fmt: skip


@router.get(
    "/v1/namespaces", operation_id="listNamespaces", openapi_extra=schemas.read,
    responses=schemas.namespaces_replies,
)  # fmt: skip
async def list_namespaces(request: Request, cursor: Cursor = None, limit: Limit = 100) -> Response:
    """Those that were declared and those that jobs name, in which the caller may read."""
    services, call = services_of(request), call_of(request)
    readable = call.need_listed(access.READ)
    key = read_cursor("namespaces", cursor, str)
    after = "" if key is None else str(key[0])
    await settle(call, services.commits)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            paused = _paused(services, store)
            if readable is None:
                found = reads.page(store, after, limit + 1)
            else:
                names = sorted(name for name in readable if name > after)[: limit + 1]
                found = [each for name in names if (each := reads.find(store, name)) is not None]
        more = make_cursor("namespaces", found[limit - 1].name) if len(found) > limit else None
        return {"items": [namespace_json(each, paused) for each in found[:limit]], "next_cursor": more}

    return await read_reply(read)


@router.get(
    "/v1/namespaces/{namespace}", operation_id="getNamespace", openapi_extra=schemas.read,
    responses=schemas.namespace_replies,
)  # fmt: skip
async def get_namespace(request: Request, namespace: str) -> Response:
    """What was said of a namespace, and how many jobs it has. ETag is its revision, 0: nobody declared it."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=namespace)
    await settle(call, services.commits)
    return _answer(services, namespace, 200)


def _paused(services: Services, store: Store) -> dict[str, Pause]:
    """The pauses that stand, by namespace."""
    return {pause.namespace: pause for pause in standing(store, services) if pause.namespace != ALL}


def _answer(services: Services, name: str, status: int) -> Response:
    with services.scheduler.read() as store:
        found, paused = reads.find(store, name), _paused(services, store)
    if found is None:
        raise Problem(
            "not-found", f"no namespace {name[:200]!r} is declared, and no job is in it",
            hint="cronclave namespace list, or GET /v1/namespaces, shows them.",
        )  # fmt: skip
    document = namespace_json(found, paused)
    return json_response(document, status, {"ETag": f'"{document["revision"]}"'})


@router.put(
    "/v1/namespaces/{namespace}", operation_id="putNamespace", openapi_extra=schemas.put_namespace,
)  # fmt: skip
async def put_namespace(request: Request, namespace: str) -> Response:
    """Declare a namespace, or change what is said of it. Jobs that are there stay as they are; `outside` of a
    dry run names those that use other pools or users than it would allow, of the first 2,000."""
    services, call = services_of(request), call_of(request)
    call.need(access.ADMIN, namespace=access.Reach.ALL)
    document = one_document(call, "namespace")
    try:
        given = parse_namespace({key: document[key] for key in document if key not in TOLD}, namespace)
    except JobError as error:
        raise from_job_problems(placed(call, error.problems), what="the namespace") from None
    key, body = call.idempotency()
    trial = call.flag("dry_run")
    if given.plan.names_zone and not trial:
        await keep_zones(services.scheduler)
    for _ in range(TRIES):
        planned = await in_thread(_planned, services, given.plan)
        command = PutNamespace(
            namespace, json_text(given.public()), given.pools, given.quotas.jobs, precondition(call),
            call.actor, key, body, given.quotas.active_runs, given.quotas.starts_per_minute, planned.days,
            _defaults(given), given.run_as, given.before or "", given.after or "",
            planned.tz, planned.begin, planned.rules, given.plan.auto_close_ms,
        )  # fmt: skip
        follow = await in_thread(_following, services, call, command)
        if trial:
            need_proposable(command, what=f"namespace {namespace}")
            return json_response(await in_thread(_trial, services, command, follow))
        await give_back(services.scheduler, namespace, follow.jobs, call.actor)
        outcome = await propose_edit(services.scheduler, command)
        if outcome.code != Code.SUPERSEDED:  # else other zone data came into force meanwhile
            break
    told = expect_ok(outcome, what=f"namespace {namespace}")
    return _answer(services, namespace, 201 if told["created"] else 200)


TOLD = (
    "declared", "revision", "jobs", "pause", "active_runs", "waiting_runs", "following", "created",
    "changed", "actor",
)  # fmt: skip
"""What a reply says beside the definition: it may be sent back."""


class _Planned(NamedTuple):
    """The plan dates of a namespace, and by which zone, hour and rules they were found."""

    days: plan_days.Pieces = ()
    tz: str = ""
    begin: str = ""
    rules: str = ""


def _planned(services: Services, plan: Plan) -> _Planned:
    if plan.is_utc:
        return _Planned()
    with services.scheduler.read() as store:
        rules = zone_rules(zones.current(store), plan.tz) if plan.names_zone else ""
    where = pinned(rules) if rules else zone(plan.tz)
    days = plan_days.pieces(where, plan.begin, services.scheduler.now_ms())
    return _Planned(days, plan.tz, plan.begin, rules)


def _defaults(given: Namespace) -> bytes:
    shape = {} if given.defaults is None else given.defaults.given()
    return json_text(shape) if shape else b""


class Following(NamedTuple):
    """Jobs that would follow other defaults, of the first FOLLOWING_MAX."""

    jobs: list[str]
    more: bool  #: not all jobs were looked at


def _following(services: Services, call: Call, command: PutNamespace) -> Following:
    """Raises Problem where the defaults would make one of them impossible."""
    changed: list[str] = []
    with services.scheduler.read() as store:
        stored, format = rows.allowance(store, command.name), services.scheduler.status().format
        if (stored.defaults if stored else "") == command.defaults.decode():
            return Following([], False)
        given = Given.of(0, command.defaults.decode())
        jobs = job_rows.named_after(store, command.name, "", FOLLOWING_MAX + 1)
    for name, _, spec in jobs[:FOLLOWING_MAX]:
        try:
            anew = canonical(resolved_anew(bytes(spec), given, format, call.templates), format=format)
            if is_other(bytes(spec), anew):
                changed.append(name)
                if foreign := first_foreign(compile_job(anew), command.pools, command.users):
                    said = f"{foreign.said.format(job=name)} {', '.join(foreign.allowed[:20])}"
                    raise JobError((Refusal(foreign.pointer, said),))
        except JobError as error:
            first = error.problems[0]
            detail = f"job {name} cannot follow these defaults: {first.pointer}: {first.detail}"
            errors = [FieldError("/defaults", detail)]
            hint = "say otherwise in that job first, or here"
            raise Problem("validation", detail, hint=hint, errors=errors) from None
    return Following(changed, len(jobs) > FOLLOWING_MAX)


def _trial(services: Services, command: PutNamespace, follow: Following) -> dict[str, Any]:
    with services.scheduler.read() as store:
        found = reads.find(store, command.name)
        row = None if found is None else found.declared
        revision = row.revision if row is not None else 0
        if command.if_revision not in (None, revision):
            detail = f"revision {command.if_revision} was expected, found {revision}"
            raise Problem("revision-mismatch", detail)
        same = row is not None and bytes(row.spec) == command.spec
        change = "created" if row is None else "unchanged" if same else "changed"
        wanted = job_reads.Wanted(namespaces=(command.name,))
        through = _closes_through(store, command, services.scheduler.now_ms())
        outside: list[str] = []
        if command.pools or command.users:
            for job in job_reads.page(store, wanted, limit=LOOKED_MAX)[0]:
                if len(outside) == OUTSIDE_MAX:
                    break
                if first_foreign(compile_job(job.spec), command.pools, command.users):
                    outside.append(job.name)
    return {
        "dry_run": True, "name": command.name, "change": change, "revision": revision, "outside": outside,
        "follow": follow.jobs, "follow_more": follow.more,
        "closes_through": None if through is None else plan_days.text_of(through),
    }  # fmt: skip


def _closes_through(store: Store, command: PutNamespace, now_ms: int) -> int | None:
    """The newest plan date that is over for long enough, where it is not closed by itself yet."""
    if command.close_after_ms is None:
        return None
    before = plan_days.day_of(command.plan_days, now_ms - command.close_after_ms)
    closing = closed_dates.closing(store, command.name)
    return None if closing is not None and before <= closing.before_day else before - 1


@router.delete(
    "/v1/namespaces/{namespace}", operation_id="deleteNamespace", openapi_extra=schemas.change_namespace,
    status_code=204,
)  # fmt: skip
async def delete_namespace(request: Request, namespace: str) -> Response:
    """Take back what was said of a namespace. One that has jobs or objects stays. Its revisions stay
    readable."""
    services, call = services_of(request), call_of(request)
    call.need(access.ADMIN, namespace=access.Reach.ALL)
    command = DeleteNamespace(namespace, precondition(call), call.actor)
    if not call.flag("dry_run"):
        expect_ok(await propose_edit(services.scheduler, command), what=f"namespace {namespace}")
        return Response(status_code=204)
    with services.scheduler.read() as store:
        found, held = reads.find(store, namespace), rows.contents(store, namespace, COUNTED_MAX)
    if found is None or found.declared is None:
        raise Problem("not-found", f"no namespace {namespace[:200]} is declared")
    if command.if_revision not in (None, found.declared.revision):
        raise Problem("revision-mismatch", f"namespace {namespace} is at revision {found.declared.revision}")
    if held:
        raise Problem("conflict", f"namespace {namespace} has {held}", extra={"dry_run": True})
    return Response(status_code=204)


@router.get(
    "/v1/namespaces/{namespace}/revisions", operation_id="listNamespaceRevisions",
    openapi_extra=schemas.read,
)  # fmt: skip
async def list_namespace_revisions(
    request: Request, namespace: str, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """Every revision of what was said of it, newest first."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=namespace)
    key = read_cursor("namespace revisions", cursor, int)
    await settle(call, services.commits)
    with services.scheduler.read() as store:
        found = reads.revisions(store, namespace, None if key is None else int(key[0]), limit + 1)
    if not found and key is None:
        raise Problem("not-found", f"no namespace {namespace[:200]} was ever declared")
    items = [revision_json(row) for row in found[:limit]]
    more = make_cursor("namespace revisions", found[limit - 1].revision) if len(found) > limit else None
    return json_response({"items": items, "next_cursor": more})
