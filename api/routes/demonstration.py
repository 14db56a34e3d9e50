"""What `cronclave dev` lets a person break and mend again, to see what the cluster makes of it.

Rules: only a node that `cronclave dev` started has a way to break anything (`ApiSettings.demonstration`);
every other answers as for a path that does not exist. It is no part of the API that is described and kept.
A wish names a fault and whether it is to stand, so that it may be repeated, and taken back.
"""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas
from api.call import call_of, json_response
from api.parameters import EACH
from api.ports import DemonstrationError
from api.problems import Problem
from api.services import Services, services_of

router = APIRouter(include_in_schema=False, dependencies=EACH)

PATH = "/v1/demonstration"
FIELDS = {"kind": str, "target": str, "stands": bool}


@router.get(PATH)
async def get_demonstration(request: Request) -> Response:
    """Each fault that there is, and whether it stands."""
    call_of(request).need(access.READ, namespace=access.Reach.ALL)
    return await _answer(services_of(request), None)


@router.post(PATH, openapi_extra=schemas.demonstrate)
async def break_or_mend(request: Request) -> Response:
    """`{kind, target, stands}`: the faults afterwards. What it does to the node that answers, it does after
    the answer."""
    services, call = services_of(request), call_of(request)
    _need_one(services)
    call.need(access.ADMIN, namespace=access.Reach.ALL)
    wish = call.json_object()
    if wish.keys() != FIELDS.keys() or any(type(wish[name]) is not kind for name, kind in FIELDS.items()):
        raise Problem("validation", "exactly kind and target (texts) and stands (true or false) are needed")
    if call.flag("dry_run"):
        return await _answer(services, None)
    return await _answer(services, wish)


async def _answer(services: Services, wish: dict[str, Any] | None) -> Response:
    _need_one(services)
    assert services.settings.demonstration is not None
    try:
        faults = await services.settings.demonstration.ask(wish)
    except DemonstrationError as error:
        hint = "The cockpit's page of the cluster shows what can be broken."
        raise Problem("conflict", str(error), hint=hint) from None
    leader = services.scheduler.status().leader
    return json_response({
        "items": [{**fault, "leads": leader is not None and leader in fault["parts"]} for fault in faults]
    })  # fmt: skip


def _need_one(services: Services) -> None:
    if services.settings.demonstration is None:
        raise Problem("not-found", f"there is nothing at {PATH}", hint="Only `cronclave dev` has it.")
