"""What other systems send to hooks, and what came of it. Hooks themselves: routes/objects.py."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import schemas
from api.call import call_of
from api.hooks import receiving
from api.instants import rfc3339
from api.objects import rows
from api.parameters import EACH
from api.routes.jobs import Cursor, Limit
from api.services import services_of
from scheduler.store.connection import Store
from scheduler.store.tables import deliveries
from scheduler.store.tables.deliveries import Delivery
from scheduler.store.tables.refs import Named

router = APIRouter(tags=["hooks"], dependencies=EACH)


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
    return await rows.page_of(
        request, "hooks", name, cursor, limit, _newest, _delivery_json, listed="deliveries"
    )


def _newest(store: Store, hook: Named, before: int | None, limit: int) -> list[Delivery]:
    return deliveries.newest(store, hook.namespace, hook.name, before, limit)


def _delivery_json(row: Delivery) -> dict[str, Any]:
    firings = [receiving.firing_json(each) for each in deliveries.firings_of(row.firings)]
    return {"delivery": row.delivery, "at": rfc3339(row.at_ms), "firings": firings}
