"""Objects that jobs refer to, of every kind: one set of routes, the kind is a segment of the path."""

from __future__ import annotations

import json
from datetime import date
from typing import Annotated, Any

from fastapi import APIRouter, Path, Query, Request
from starlette.convertors import Convertor, register_url_convertor
from starlette.responses import Response

from api import access, schemas
from api.call import call_of, json_response
from api.coming import coming_of
from api.consistency import settle
from api.cursors import make_cursor, read_cursor
from api.jobs.listing import parse_labels
from api.objects import writing
from api.objects.reading import KINDS, difference, find_object, named, object_json
from api.parameters import EACH, NUMBER_MAX
from api.problems import Problem, query_problem
from api.revisions import revision_json
from api.routes.jobs import Cursor, Limit
from api.services import services_of
from api.threads import in_thread, read_reply
from scheduler.model.objects import calendar
from scheduler.store.connection import Store
from scheduler.store.reads import objects as object_reads
from scheduler.store.reads.objects import Wanted
from scheduler.store.tables import refs
from scheduler.store.tables.objects import ObjectRevision
from scheduler.store.tables.refs import Named

router = APIRouter(tags=["objects"], dependencies=EACH)


class _Kinds(Convertor[str]):
    """Of a path: the kinds of objects, as they are called when there are many."""

    regex = "|".join(KINDS)

    def convert(self, value: str) -> str:
        return value

    def to_string(self, value: str) -> str:
        return value


register_url_convertor("kinds", _Kinds())
DAYS_MAX = 3_000
ONE = "/v1/{kind:kinds}/{name}"
Plural = Annotated[str, Path(description="As many of them are called.", json_schema_extra={"enum": [*KINDS]})]
Number = Annotated[int, Query(ge=1, le=NUMBER_MAX)]


@router.put(ONE, operation_id="putObject", openapi_extra=schemas.put_object)
async def put_object(request: Request, kind: Plural, name: str) -> Response:
    """Create or change an object. ETag is its revision; `If-Match` and `If-None-Match: *` guard it. What it
    refers to must exist."""
    return await writing.put_object(services_of(request), call_of(request), kind, name)


@router.get(ONE, operation_id="getObject", openapi_extra=schemas.read)
async def get_object(
    request: Request, kind: Plural, name: str,
    revision: Annotated[int | None, Query(ge=1, le=NUMBER_MAX, description="An older one.")] = None,
) -> Response:  # fmt: skip
    """An object: its definition and what the server knows about it."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    what = named(kind, call.namespace, name)
    await settle(call, services.commits)
    with services.scheduler.read() as store:
        if revision is not None:
            old = _revision(store, what, revision)
            return json_response(revision_json(old), headers={"ETag": f'"{revision}"'})
        row = find_object(store, what)
    return json_response(object_json(row), headers={"ETag": f'"{row.revision}"'})


@router.delete(ONE, operation_id="deleteObject", status_code=204, openapi_extra=schemas.change)
async def delete_object(request: Request, kind: Plural, name: str) -> Response:
    """Delete an object to which nothing refers; its revisions stay readable, and their numbers go on."""
    return await writing.delete_object(services_of(request), call_of(request), kind, name)


@router.get("/v1/{kind:kinds}", operation_id="listObjects", openapi_extra=schemas.read)
async def list_objects(
    request: Request, kind: Plural,
    labels: Annotated[str | None, Query(description="key=value,key: all must hold.")] = None,
    q: Annotated[str | None, Query(description="A part of the name.")] = None,
    source: Annotated[str | None, Query(description="Where it came from.")] = None,
    cursor: Cursor = None,
    limit: Limit = 100,
) -> Response:  # fmt: skip
    """Objects of a kind by namespace and name; without ?namespace= of all in which the caller may read. A
    page of large ones is shorter, and so is one of a filter that fits few."""
    services, call = services_of(request), call_of(request)
    readable = call.need_listed(access.READ)
    wanted = Wanted(named(kind, "", "").kind, readable, q, source, parse_labels(labels))
    after = read_cursor(kind, cursor, str, str)
    await settle(call, services.commits)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            place = None if after is None else (str(after[0]), str(after[1]))
            rows, key = object_reads.page(store, wanted, after=place, limit=limit)
        items = [object_json(row) for row in rows]
        return {"items": items, "next_cursor": None if key is None else make_cursor(kind, *key)}

    return await read_reply(read)


@router.get(f"{ONE}/revisions", operation_id="listObjectRevisions", openapi_extra=schemas.read)
async def list_revisions(
    request: Request, kind: Plural, name: str, cursor: Cursor = None, limit: Limit = 50
) -> Response:
    """Every revision of the name, newest first, also of objects that were deleted."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    what = named(kind, call.namespace, name)
    before = read_cursor("revisions", cursor, int)
    await settle(call, services.commits)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            place = None if before is None else int(before[0])
            rows, more = object_reads.revisions_page(store, what, before=place, limit=limit)
            if not rows and before is None:
                find_object(store, what)
        items = [revision_json(row) for row in rows]
        return {"items": items, "next_cursor": make_cursor("revisions", rows[-1].revision) if more else None}

    return await read_reply(read)


@router.get(f"{ONE}/revisions/diff", operation_id="getObjectDiff", openapi_extra=schemas.read)
async def get_diff(
    request: Request, kind: Plural, name: str,
    before: Annotated[Number, Query(alias="from", description="A revision.")],
    after: Annotated[Number, Query(alias="to", description="Another.")],
) -> Response:  # fmt: skip
    """What one revision says otherwise than another: a unified diff of their YAML."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    what = named(kind, call.namespace, name)
    await settle(call, services.commits)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            old, new = _revision(store, what, before), _revision(store, what, after)
        return {"from": before, "to": after, "diff": difference(old, new)}

    return json_response(await in_thread(read))


@router.get(f"{ONE}/referrers", operation_id="listReferrers", openapi_extra=schemas.read)
async def list_referrers(
    request: Request, kind: Plural, name: str, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """Which jobs and objects refer to it, of all namespaces."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    what = named(kind, call.namespace, name)
    place = read_cursor("referrers", cursor, str, str, str)
    await settle(call, services.commits)
    with services.scheduler.read() as store:
        find_object(store, what)
        after = None if place is None else Named(*map(str, place))
        found = refs.to(store, what, limit + 1, after)
    shown = found[:limit]
    readable = [who._asdict() for who in shown if call.principal.may(access.READ, who.namespace)]
    following = make_cursor("referrers", *shown[-1]) if len(found) > limit else None
    return json_response({"items": readable, "next_cursor": following})


@router.get("/v1/calendars/{name}/days", operation_id="listCalendarDays", openapi_extra=schemas.read)
async def list_days(
    request: Request, name: str,
    first: Annotated[date, Query(alias="from", description="The first day.")],
    last: Annotated[date, Query(alias="to", description="The last one, 3,000 days later at most.")],
) -> Response:  # fmt: skip
    """Which days are working days, and why the others are not."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    what = named("calendars", call.namespace, name)
    if not 0 <= (last - first).days <= DAYS_MAX:
        hint = "ask for more of them in several requests" if last > first else "from is the earlier day"
        raise query_problem("to", f"{last} is not within {DAYS_MAX} days from {first} on", hint)
    await settle(call, services.commits)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            row = find_object(store, what)
        told = calendar.days(json.loads(row.spec), first, last)
        return {"items": [{**day._asdict(), "day": day.day.isoformat()} for day in told], "next_cursor": None}

    return await read_reply(read)


@router.get("/v1/schedules/{name}/next", operation_id="listScheduleTicks", openapi_extra=schemas.read)
async def next_of_schedule(
    request: Request, name: str, count: Annotated[int, Query(ge=1, le=1_000, description="How many.")] = 10
) -> Response:
    """The coming instants of a schedule, with those of what takes its place, without jitter. Where they are
    spread by job (`H`), as for a job of the schedule's name; what counts from when a job first had it counts
    from now."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    what = named("schedules", call.namespace, name)
    await settle(call, services.commits)

    def read() -> dict[str, Any]:
        now_ms = services.scheduler.now_ms()
        with services.scheduler.read() as store:
            find_object(store, what)
            return {"items": coming_of(store, what.namespace, what.name, now_ms, count), "next_cursor": None}

    return await read_reply(read)


def _revision(store: Store, what: Named, number: int) -> ObjectRevision:
    found = object_reads.revision(store, what, number)
    if found is None:
        raise Problem("not-found", f"{what.kind} {what.name[:200]!r} has no revision {number}")
    return found
