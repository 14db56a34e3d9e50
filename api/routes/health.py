"""Health for machines: alive (whatever the quorum), ready (follows or leads one), and metrics.

/healthz and /healthy.html must stay green without a quorum: auto-scaling groups would end every node, and
its disk, just when the quorum is lost. Balancers ask /readyz.
None of the three is refused for load (api.door).
"""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access
from api.call import call_of, json_response
from api.metrics import CONTENT_TYPE
from api.parameters import EACH
from api.services import services_of
from api.threads import in_thread

router = APIRouter(tags=["health"], dependencies=EACH)


@router.get("/healthz", operation_id="getHealth")
async def healthz(request: Request) -> Response:
    """200 while this process and its disk are alive."""
    services = services_of(request)
    with services.scheduler.read() as store:
        store.row("SELECT idx FROM state WHERE id = 1")
    status = services.scheduler.status()
    return json_response({"status": "ok", "node": status.node, "version": status.version})


@router.get("/healthy.html", operation_id="getHealthPage")
async def healthy_page(request: Request) -> Response:
    """The same for checks that want a page."""
    services = services_of(request)
    with services.scheduler.read() as store:
        store.row("SELECT idx FROM state WHERE id = 1")
    return Response(
        "<!doctype html><title>healthy</title><p>healthy</p>\n", media_type="text/html; charset=utf-8"
    )


@router.get("/readyz", operation_id="getReadiness")
async def readyz(request: Request) -> Response:
    """200 while this node leads or follows a quorum, is caught up and trusts its state; else 503 with the
    reason."""
    status = services_of(request).scheduler.status()
    document = {
        "ready": status.ready,
        "state": status.state,
        "leader": status.leader,
        "quorum": status.quorum,
    }
    if not status.ready:
        document["reason"] = status.not_ready or "the node's core has not told of itself, or is silent"
    return json_response(document, 200 if status.ready else 503, {} if status.ready else {"Retry-After": "1"})


@router.get("/metrics", operation_id="getMetrics")
async def metrics(request: Request) -> Response:
    """Prometheus metrics."""
    services = services_of(request)
    call_of(request).need(access.READ, namespace=access.Reach.ANY)
    body = await in_thread(services.metrics.render, services.gateway.agents_here)
    return Response(body, headers={"Content-Type": CONTENT_TYPE})
