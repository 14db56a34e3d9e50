"""Raising the state's format: a person's decision, since there is no way back from it."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas, supported
from api.call import call_of, json_response, json_type
from api.outcomes import expect_ok
from api.parameters import EACH
from api.ports import NodeStatus
from api.problems import FieldError, Problem
from api.services import services_of
from scheduler import formats

router = APIRouter(tags=["cluster"], dependencies=EACH)

UPGRADE_HINT = (
    "Start every node with the new version, or remove the ones that are gone for good (cronclave cluster"
    " remove NODE, or DELETE /v1/cluster/members/{node}); cronclave cluster status, or GET /v1/cluster, shows"
    " what each supports."
)


@router.post("/v1/cluster/format", operation_id="activateFormat", openapi_extra=schemas.activate)
async def activate(request: Request) -> Response:
    """Activate a format: the given one, or the newest that every member supports. There is no way back."""
    services, call = services_of(request), call_of(request)
    call.need(access.ADMIN, namespace=access.Reach.ALL)
    document = call.json_object(optional=True)
    unknown = [name for name in document if name != "format"]
    if unknown:
        raise _invalid(f"/{unknown[0][:100]}", 'unknown field; send {"format": NUMBER}')
    status = services.scheduler.status()
    wanted = document.get("format")
    if wanted is None:
        wanted = supported.newest_common(status)
    elif type(wanted) is not int or not 1 <= wanted < 1 << 31:
        shown = wanted if type(wanted) is int else json_type(wanted)
        raise _invalid("/format", f"it must be the number of a format, not {shown}")
    _refuse(status, wanted)
    reply: dict[str, object] = {"before": status.format, "target": wanted}
    if call.flag("dry_run"):
        reply |= {"dry_run": True, "format": status.format, "changed": wanted > status.format_target}
    else:
        outcome = await services.scheduler.propose(supported.activation(status, wanted, call.actor))
        reply |= expect_ok(outcome, what=f"format {wanted}")
    changes = [
        {"format": each.number, "changes": each.changes} for each in formats.between(status.format, wanted)
    ]
    return json_response({**reply, "changes": changes, "members": _members(status)})


def _refuse(status: NodeStatus, wanted: int) -> None:
    if wanted < status.format_target:
        detail = f"the cluster is at format {status.format_target}, and formats are never lowered"
        raise Problem("conflict", detail)
    if wanted == status.format_target:
        return
    if reasons := supported.in_the_way(status, wanted):
        raise Problem(
            "conflict",
            f"format {wanted} cannot be activated: {'; '.join(reasons)}",
            hint=UPGRADE_HINT,
            extra={"members": _members(status)},
        )


def _members(status: NodeStatus) -> list[dict[str, object]]:
    return [
        {
            "node": member.node,
            "reachable": member.reachable,
            "format_min": member.least or None,
            "format_max": member.most or None,
        }
        for member in supported.members(status)
    ]


def _invalid(pointer: str, detail: str) -> Problem:
    return Problem("validation", f"{pointer}: {detail}", errors=[FieldError(pointer, detail)])
