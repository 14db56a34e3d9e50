"""Staged applies: looked at, and dropped. Slices and the commit come to POST /v1/apply."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas, staging
from api.call import call_of
from api.consistency import settle
from api.parameters import EACH
from api.services import services_of

router = APIRouter(tags=["jobs"], dependencies=EACH)


@router.get("/v1/apply", operation_id="getStage", openapi_extra=schemas.get_stage)
async def get_stage(request: Request) -> Response:
    """How far a staged apply is, and what stood in its way."""
    services, call = services_of(request), call_of(request)
    call.need(access.EDIT, namespace=access.Reach.ANY)
    await settle(call, services.commits)
    return staging.show(services, call)


@router.delete("/v1/apply", operation_id="dropStage", openapi_extra=schemas.drop_stage)
async def drop_stage(request: Request) -> Response:
    """Forget a staged apply that does not go live yet."""
    services, call = services_of(request), call_of(request)
    call.need(access.EDIT, namespace=access.Reach.ANY)
    return await staging.drop(services, call)
