"""The plan of a day."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import access, schemas
from api.call import call_of
from api.compiled import compiled_by
from api.consistency import settle
from api.cursors import read_cursor
from api.day_plan import KIND, day_of, day_page
from api.parameters import EACH
from api.problems import query_problem
from api.services import services_of
from api.threads import read_reply
from scheduler.ticks import plan_days

router = APIRouter(tags=["ticks"], dependencies=EACH)


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
    day, key = None if date is None else day_number("date", date), read_cursor(KIND, cursor, str)
    await settle(call, services.commits)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            asked = day_of(store, call.namespace, day, services.scheduler.now_ms())
            after = "" if key is None else str(key[0])
            return day_page(store, compiled_by(services, store), asked, after=after, limit=limit, each=each)

    return await read_reply(read)


def day_number(name: str, text: str) -> int:
    """The plan date that a parameter names. Raises Problem."""
    try:
        return plan_days.parse(text)
    except ValueError:
        detail = f"{text[:40]!r} is no date between the years 1970 and 8997"
        raise query_problem(name, detail, "Write it as 2026-12-31.") from None
