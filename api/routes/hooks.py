"""What other systems send to hooks, and what came of it. Hooks themselves: routes/objects.py."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas
from api.call import call_of
from api.consistency import settle
from api.cursors import make_cursor, read_cursor
from api.hooks import receiving
from api.instants import rfc3339
from api.objects.reading import find_object, named
from api.routes.jobs import Cursor, Limit
from api.services import services_of
from api.threads import read_reply
from scheduler.store.tables import deliveries
from scheduler.store.tables.deliveries import Delivery

router = APIRouter(tags=["hooks"])


@router.post("/v1/hooks/{name}", operation_id="sendDelivery", status_code=202, openapi_extra=schemas.deliver)
async def deliver(request: Request, name: str) -> Response:
    """Take a delivery: no token, its signature says who sends it. Each trigger of the hook makes a run, or
    none does. The same delivery is answered the same again."""
    return await receiving.receive(services_of(request), call_of(request), name)


@router.get("/v1/hooks/{name}/deliveries", operation_id="listDeliveries", openapi_extra=schemas.read)
async def list_deliveries(
    request: Request, name: str, cursor: Cursor = None, limit: Limit = 100
) -> Response:
    """Deliveries that the hook took in the last day, the newest first, and what came of each."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    what = named("hooks", call.namespace, name)
    place = read_cursor("deliveries", cursor, int)
    await settle(call, services.commits)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            find_object(store, what)
            before = None if place is None else int(place[0])
            rows = deliveries.newest(store, what.namespace, what.name, before, limit + 1)
        more = make_cursor("deliveries", rows[limit - 1].serial) if len(rows) > limit else None
        return {"items": [_delivery_json(row) for row in rows[:limit]], "next_cursor": more}

    return await read_reply(read)


def _delivery_json(row: Delivery) -> dict[str, Any]:
    firings = [receiving.firing_json(each) for each in deliveries.firings_of(row.firings)]
    return {"delivery": row.delivery, "at": rfc3339(row.at_ms), "firings": firings}
