"""The cluster as this node knows it, and who belongs to it. GET works without a quorum."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas
from api.call import Call, call_of, json_response, json_type
from api.ports import PeerStatus
from api.problems import FieldError, Problem
from api.services import services_of
from api.views import cluster_json

router = APIRouter(tags=["cluster"])

MEMBER_FIELDS = ("name", "address", "zone", "url")


@router.get("/v1/cluster", operation_id="getCluster", responses=schemas.cluster_replies)
async def get_cluster(request: Request) -> Response:
    """This node's own view: leader, epoch, index, hashes, peers."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ)
    status = services.scheduler.status()
    call.lag_ms = None if status.quorum else status.commit_lag_ms
    return json_response(cluster_json(status))


@router.post("/v1/cluster/members", operation_id="addMember", openapi_extra=schemas.add_member)
async def add_member(request: Request) -> Response:
    """Admit a node under a new name: it copies the state first and votes after."""
    services, call = services_of(request), call_of(request)
    call.need(access.ADMIN)
    fields = _texts(call, MEMBER_FIELDS)
    host, colon, port = fields["address"].rpartition(":")
    if not colon or not host or not port.isdigit() or not 0 < int(port) < 65536:
        raise _invalid("/address", "write it as host:port")
    if not fields["url"].startswith(("http://", "https://")):
        raise _invalid("/url", "write it as http://host:port or https://host:port")
    if not call.flag("dry_run"):
        try:
            await services.scheduler.add_member(
                fields["name"], fields["address"], fields["zone"], fields["url"]
            )
        except ValueError as error:
            raise Problem("conflict", str(error)) from None
    return json_response({"node": fields["name"], **fields}, 200 if call.flag("dry_run") else 201)


@router.delete("/v1/cluster/members/{node}", operation_id="removeMember", status_code=204)
async def remove_member(request: Request, node: str) -> Response:
    """Remove a node for good: its name is never accepted again."""
    services, call = services_of(request), call_of(request)
    call.need(access.ADMIN)
    status = services.scheduler.status()
    if node != status.node and node not in [peer.node for peer in status.peers]:
        raise Problem("not-found", f"there is no member {node[:200]!r}")
    if not call.flag("dry_run"):
        try:
            await services.scheduler.remove_member(node)
        except ValueError as error:
            raise Problem("conflict", str(error)) from None
    return Response(status_code=204)


@router.post("/v1/cluster/transfer", operation_id="transferLeadership", openapi_extra=schemas.transfer)
async def transfer(request: Request) -> Response:
    """Hand leadership over, to a node or to the best one."""
    services, call = services_of(request), call_of(request)
    call.need(access.ADMIN)
    document = call.json_object(optional=True)
    unknown = [name for name in document if name not in ("node", "to", "target")]
    if unknown:
        raise _invalid(f"/{unknown[0][:100]}", 'unknown field; send {"node": NAME}')
    target = document.get("node") or document.get("to") or document.get("target")
    if target is not None and not isinstance(target, str):
        raise _invalid("/node", f"it is a text, not {json_type(target)}")
    peers: list[PeerStatus] = list(services.scheduler.status().peers)
    if (
        target is not None
        and target != services.scheduler.status().node
        and target not in [p.node for p in peers]
    ):
        raise Problem("not-found", f"there is no member {target[:200]!r}")
    if call.flag("dry_run"):
        return json_response(
            {"dry_run": True, "leader": services.scheduler.status().leader, "target": target}
        )
    try:
        leader = await services.scheduler.transfer(target)
    except ValueError as error:
        raise Problem("conflict", str(error)) from None
    return json_response({"leader": leader})


def _texts(call: Call, names: tuple[str, ...]) -> dict[str, str]:
    document: dict[str, Any] = call.json_object()
    errors = [FieldError(f"/{name[:100]}", "unknown field") for name in document if name not in names]
    for name in names:
        value = document.get(name)
        if not isinstance(value, str) or not value or len(value) > 500:
            errors.append(FieldError(f"/{name}", "a text is needed" if value is None else "it is not a text"))
    if errors:
        detail = f"{errors[0].pointer}: {errors[0].detail}"
        raise Problem("validation", detail, hint=f"Send {', '.join(names)}.", errors=errors)
    return {name: document[name] for name in names}


def _invalid(pointer: str, detail: str) -> Problem:
    return Problem("validation", f"{pointer}: {detail}", errors=[FieldError(pointer, detail)])
