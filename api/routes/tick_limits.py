"""How many ticks a second may be asked for: read, and set by administrators."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas
from api.call import call_of, json_response
from api.consistency import settle
from api.outcomes import expect_ok
from api.parameters import EACH
from api.problems import FieldError, Problem
from api.services import services_of
from scheduler.machine.rules.tick_limits import PER_SECOND_MAX
from scheduler.store.tables import asked
from scheduler.store.tables.asked import DAY_S, Limits
from scheduler.words.commands import LimitTicks

router = APIRouter(tags=["cluster"], dependencies=EACH)

PATH = "/v1/cluster/tick-limits"


@router.get(PATH, operation_id="getTickLimits", openapi_extra=schemas.read)
async def get_tick_limits(request: Request) -> Response:
    """Ticks a second that one job, a namespace and the cluster may ask for, and what is asked for."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=access.Reach.ALL)
    await settle(call, services.commits)
    with services.scheduler.read() as store:
        limits, per_day = asked.limits(store), asked.of(store)
    return json_response({**limits._asdict(), "asked": per_day / DAY_S})


@router.put(PATH, operation_id="setTickLimits", openapi_extra=schemas.tick_limits)
async def set_tick_limits(request: Request) -> Response:
    """Set those that are given. Jobs that ask for more already stay as they are."""
    services, call = services_of(request), call_of(request)
    call.need(access.ADMIN, namespace=access.Reach.ALL)
    document = call.json_object()
    errors = [
        FieldError(f"/{name[:100]}", f"unknown field; known are {', '.join(Limits._fields)}")
        for name in document
        if name not in Limits._fields
    ]
    for name in Limits._fields:
        value = document.get(name, 1)
        if type(value) is not int or not 1 <= value <= PER_SECOND_MAX:
            errors.append(FieldError(f"/{name}", f"a whole number from 1 to {PER_SECOND_MAX}"))
    if errors:
        raise Problem("validation", f"{errors[0].pointer}: {errors[0].detail}", errors=errors)
    with services.scheduler.read() as store:
        given = asked.limits(store)._replace(**document)
    if call.flag("dry_run"):
        return json_response({**given._asdict(), "dry_run": True})
    outcome = await services.scheduler.propose(LimitTicks(*given, call.actor))
    return json_response(expect_ok(outcome, what="tick limits"))
