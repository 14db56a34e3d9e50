"""The plan of a day, and whether anything more fires for it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import access, schemas
from api.call import Call, call_of, json_response
from api.compiled import compiled_by
from api.consistency import settle
from api.cursors import read_cursor
from api.day_plan import KIND, day_page
from api.days import closed_json, day_of
from api.outcomes import expect_ok
from api.parameters import EACH
from api.problems import Problem
from api.reasons import need_fields, reason_of
from api.services import Services, services_of
from api.threads import read_reply
from scheduler.machine.rules import closing
from scheduler.store.reads import namespaces
from scheduler.store.tables import closed_dates
from scheduler.store.tables.closed_dates import ClosedDate
from scheduler.ticks import plan_days
from scheduler.words.commands import ClosePlan, OpenPlan

router = APIRouter(tags=["ticks"], dependencies=EACH)

HINT = 'Send {"reason": TEXT}.'
_LISTED = "cronclave job list shows the jobs with their namespaces."


@router.get("/v1/plan", operation_id="getPlan", openapi_extra=schemas.read, responses=schemas.plan_replies)
async def get_plan(
    request: Request,
    date: Annotated[
        str | None, Query(description="A plan date of the namespace, such as 2026-12-31; today's by default.")
    ] = None,
    cursor: Annotated[str | None, Query(description="next_cursor of the page before.")] = None,
    limit: Annotated[
        int, Query(ge=1, le=1_000, description="Lines on one page, and those of its last job to their end.")
    ] = 200,
    each: Annotated[
        int, Query(ge=1, le=1_000, description="Ticks of one job; of more the first is told, with `more`.")
    ] = 100,
) -> Response:
    """What a namespace has on one of its plan dates, by job: ticks past and to come with what became of them,
    or when they are expected to start and end; triggers that rest that day, and why."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    day, key = None if date is None else day_number(date), read_cursor(KIND, cursor, str)
    await settle(call, services.commits)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            asked = day_of(store, call.namespace, day, services.scheduler.now_ms())
            after = "" if key is None else str(key[0])
            return day_page(store, compiled_by(services, store), asked, after=after, limit=limit, each=each)

    return await read_reply(read)


@router.post(
    "/v1/plan/{date}/close", operation_id="closePlan", openapi_extra=schemas.close_plan,
    responses=schemas.plan_date_replies,
)  # fmt: skip
async def close_plan(request: Request, date: str) -> Response:
    """Close a plan date of a namespace: nothing more fires for it (`skipped(plan_closed)`), and runs of
    people for it are refused. What was made for it goes on. One that is closed gets this reason."""
    services, call = services_of(request), call_of(request)
    call.need(access.OPERATE, namespace=call.namespace)
    document, day = call.json_object(), day_number(date)
    reason = reason_of(document, HINT)
    need_fields(document, ("reason",), HINT)
    if call.flag("dry_run"):
        return _foretell_closed(services, call, day, reason)
    command = ClosePlan(call.namespace, day, reason, call.actor)
    expect_ok(await services.scheduler.propose(command), what=f"the plan of {date}", hint=_LISTED)
    return _answer(services, call, day)


@router.post(
    "/v1/plan/{date}/open", operation_id="openPlan", openapi_extra=schemas.open_plan,
    responses=schemas.plan_date_replies,
)  # fmt: skip
async def open_plan(request: Request, date: str) -> Response:
    """Open a plan date again: what is yet to come for it fires. What was skipped stays so."""
    services, call = services_of(request), call_of(request)
    call.need(access.OPERATE, namespace=call.namespace)
    day = day_number(date)
    if call.flag("dry_run"):
        _need_namespace(services, call)
        return json_response(_date_json(call, day, None))
    command = OpenPlan(call.namespace, day, call.actor)
    expect_ok(await services.scheduler.propose(command), what=f"the plan of {date}", hint=_LISTED)
    return _answer(services, call, day)


def _foretell_closed(services: Services, call: Call, day: int, reason: str) -> Response:
    _need_namespace(services, call)
    now_ms = services.scheduler.now_ms()
    with services.scheduler.read() as store:
        full = closing.judge(store, call.namespace, day, now_ms)
    if full is not None:
        expect_ok(full, what="the plan")
    row = ClosedDate(call.namespace, day, now_ms, reason, call.principal.name)
    return json_response(_date_json(call, day, row))


def _answer(services: Services, call: Call, day: int) -> Response:
    with services.scheduler.read() as store:
        return json_response(_date_json(call, day, closed_dates.get(store, call.namespace, day)))


def _date_json(call: Call, day: int, row: ClosedDate | None) -> dict[str, Any]:
    return {"namespace": call.namespace, "date": plan_days.text_of(day), "closed": closed_json(row)}


def _need_namespace(services: Services, call: Call) -> None:
    with services.scheduler.read() as store:
        if namespaces.find(store, call.namespace) is None:
            detail = f"no namespace {call.namespace[:200]} is declared, and no job is in it"
            raise Problem("not-found", detail, hint=_LISTED)


def day_number(text: str) -> int:
    """The plan date. Raises Problem."""
    try:
        return plan_days.parse(text)
    except ValueError:
        detail = f"{text[:40]!r} is no date between the years 1970 and 8997"
        raise Problem("validation", detail, hint="Write it as 2026-12-31.") from None
