"""What a person has to look at first."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas
from api.call import call_of
from api.consistency import settle
from api.overview import overview
from api.parameters import EACH
from api.services import services_of
from api.threads import read_reply

router = APIRouter(tags=["cluster"], dependencies=EACH)


@router.get(
    "/v1/overview", operation_id="getOverview", openapi_extra=schemas.read, responses=schemas.overview_replies
)
async def get_overview(request: Request) -> Response:
    """What is late, failing, waiting and out of reach: how many of each (counted to 1,000), the first 20,
    why, and the command that tells more; the load of zones, and who led when. One read of bounded cost."""
    services, call = services_of(request), call_of(request)
    scope = call.need_listed(access.READ)
    await settle(call, services.commits)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            return overview(store, services, scope)

    return await read_reply(read)
