"""Notices on boards: posted, listed, taken down. Boards themselves: routes/objects.py."""

from __future__ import annotations

import json
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Path, Request
from starlette.responses import Response

from api import access, schemas
from api.call import call_of, json_response
from api.edits import propose_edit
from api.instants import rfc3339
from api.objects import rows
from api.objects.reading import find_object, named
from api.outcomes import expect_ok, need_proposable
from api.parameters import EACH, NUMBER_MAX
from api.problems import FieldError, Problem
from api.routes.jobs import Cursor, Limit
from api.services import Services, services_of
from scheduler.machine.rules.boards import STANDING_MAX, full
from scheduler.model.fields import type_name
from scheduler.model.limits import NOTICE_LETTERS_MAX, NOTICE_MS_MAX
from scheduler.model.noticing import PLAN_DATE, written
from scheduler.model.quantities import parse_duration_ms
from scheduler.store.connection import Store
from scheduler.store.tables import notices
from scheduler.store.tables.notices import Notice
from scheduler.store.tables.refs import Named
from scheduler.ticks import plan_days
from scheduler.words.commands import DeleteNotice, PostNotice
from scheduler.words.outcomes import Code

router = APIRouter(tags=["notices"], dependencies=EACH)

FIELDS = ("key", "expires", "plan_date")
Serial = Annotated[int, Path(ge=1, le=NUMBER_MAX)]


@router.post(
    "/v1/boards/{name}/notices", operation_id="postNotice", status_code=201, openapi_extra=schemas.post_notice
)
async def post_notice(request: Request, name: str) -> Response:
    """Post a notice: each trigger that waits for it on this board makes a run, once."""
    services, call = services_of(request), call_of(request)
    call.need(access.RUN, namespace=call.namespace)
    what = named("boards", call.namespace, name)
    document = call.json_object()
    with services.scheduler.read() as store:
        board = find_object(store, what)
    key, lasts_ms, plan_day = _fields(document, json.loads(board.spec)["expires"])
    command = PostNotice(
        what.namespace, what.name, key, lasts_ms, plan_day, call.actor, *call.idempotency()
    )
    if call.flag("dry_run"):
        need_proposable(command, what="the notice")
        with services.scheduler.read() as store:
            refusal = full(store, f"{what.namespace}/{what.name}")
        if refusal is not None:
            raise _full(refusal.detail)
        shown = written(key, plan_day) if plan_day is not None else key
        return json_response({"dry_run": True, "board": name, "namespace": what.namespace, "key": shown})
    outcome = await propose_edit(services.scheduler, command)
    if outcome.code == Code.LIMIT:
        raise _full(outcome.detail)
    serial = int(str(expect_ok(outcome, what=f"the notice on board {name}")["serial"]))
    headers = {"Location": f"/v1/boards/{name}/notices/{serial}?namespace={what.namespace}"}
    return json_response(_told(services, what, serial), 201, headers)


@router.get("/v1/boards/{name}/notices", operation_id="listNotices", openapi_extra=schemas.read)
async def list_notices(
    request: Request, name: str, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """The notices that stand on a board, the newest first."""
    now_ms = services_of(request).scheduler.now_ms()
    return await rows.page_of(
        request, "boards", name, cursor, limit, _newest, partial(_notice_json, now_ms=now_ms),
        listed="notices",
    )  # fmt: skip


def _newest(store: Store, board: Named, before: int | None, limit: int) -> list[Notice]:
    return notices.newest(store, f"{board.namespace}/{board.name}", before, limit)


@router.delete(
    "/v1/boards/{name}/notices/{serial}", operation_id="deleteNotice", status_code=204,
    openapi_extra=schemas.delete_notice,
)  # fmt: skip
async def delete_notice(request: Request, name: str, serial: Serial) -> Response:
    """Take a notice down: who has not heard of it never does."""
    services, call = services_of(request), call_of(request)
    call.need(access.RUN, namespace=call.namespace)
    what = named("boards", call.namespace, name)
    if call.flag("dry_run"):
        return json_response({"dry_run": True, **_told(services, what, serial)})
    command = DeleteNotice(what.namespace, what.name, serial, call.actor)
    expect_ok(await services.scheduler.propose(command), what=f"notice {serial}")
    return Response(status_code=204)


def _told(services: Services, what: Named, serial: int) -> dict[str, Any]:
    with services.scheduler.read() as store:
        row = notices.get(store, serial)
    if row is None or row.deleted or row.board != f"{what.namespace}/{what.name}":
        raise Problem("not-found", f"there is no notice {serial} on board {what.namespace}/{what.name}")
    return _notice_json(row, services.scheduler.now_ms())


def _notice_json(row: Notice, now_ms: int) -> dict[str, Any]:
    return {
        "serial": row.serial,
        "key": row.key,
        "posted": rfc3339(row.posted_ms),
        "expires": rfc3339(row.expires_ms),
        "expired": row.expires_ms <= now_ms,
        "poster": row.poster,
        "plan_date": plan_days.text_of(row.plan_day),
    }


def _fields(document: dict[str, Any], default: str) -> tuple[str, int, int | None]:
    """Key, how long it stays, plan date. Raises Problem."""
    for field in document:
        if field not in FIELDS:
            raise _wrong(f"/{field[:100]}", "unknown field", f"there are {', '.join(FIELDS)}")
    key = document.get("key")
    if not isinstance(key, str) or not 1 <= len(key) <= NOTICE_LETTERS_MAX or "\0" in key:
        detail = f"a key is a text of 1 to {NOTICE_LETTERS_MAX} letters, not {type_name(key)}"
        raise _wrong("/key", detail, f"such as orders, or {PLAN_DATE} for its plan date")
    try:
        given = document.get("expires")
        if given is not None and not isinstance(given, str):
            raise ValueError(f"a duration is text with a unit, not {type_name(given)}")
        lasts_ms = parse_duration_ms(default if given is None else given)
        if lasts_ms > NOTICE_MS_MAX:
            raise ValueError("at most ten years")
    except ValueError as error:
        raise _wrong("/expires", str(error), 'How long it stays, such as "2d".') from None
    try:
        day = document.get("plan_date")
        if day is not None and not isinstance(day, str):
            raise ValueError(f"a date is text, not {type_name(day)}")
        return key, lasts_ms, None if day is None else plan_days.parse(day)
    except ValueError as error:
        raise _wrong("/plan_date", str(error), 'Write a date as "2026-12-31".') from None


def _full(detail: str) -> Problem:
    hint = f"Take some down, or let them expire sooner: {STANDING_MAX} may stand."
    return Problem("conflict", detail, hint=hint)


def _wrong(pointer: str, detail: str, hint: str) -> Problem:
    errors = [FieldError(pointer, detail, hint)]
    return Problem("validation", f"{pointer}: {detail}", hint=hint, errors=errors)
