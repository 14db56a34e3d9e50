"""The ticks of a job that an agent has in advance: shown, asked back, given up."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas
from api.call import Call, call_of, json_response
from api.consistency import settle
from api.instants import rfc3339
from api.jobs.reading import find_job
from api.outcomes import expect_ok
from api.parameters import EACH
from api.problems import Problem
from api.reasons import need_fields
from api.services import Services, services_of
from scheduler.store.reads import reservations as reservation_reads
from scheduler.words.commands import GiveUpReserved, Unreserve

router = APIRouter(tags=["jobs"], dependencies=EACH)

PATH = "/v1/jobs/{name}/reserved"
HINT = 'Send {"gone": true} where the agent surely runs nothing any more, else nothing.'


@router.get(PATH, operation_id="getReserved", openapi_extra=schemas.read)
async def get_reserved(request: Request, name: str) -> Response:
    """Which agent has ticks of the job in advance (`policies.autonomy`), how many, and until when."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    await settle(call, services.commits)
    return json_response(_told(services, call, name))


@router.post("/v1/jobs/{name}/unreserve", operation_id="releaseReserved", openapi_extra=schemas.unreserve)
async def release_reserved(request: Request, name: str) -> Response:
    """Ask back the ticks that an agent has in advance; for a minute no more are given. With `gone` its agent
    is no more: ticks that were due may have run, and are lost; those to come go their usual way."""
    services, call = services_of(request), call_of(request)
    call.need(access.OPERATE, namespace=call.namespace)
    document = call.json_object(optional=True)
    need_fields(document, ("gone",), HINT)
    gone = document.get("gone", False)
    if type(gone) is not bool:
        raise Problem("validation", "gone is true or false", hint=HINT)
    told = _told(services, call, name)
    if call.flag("dry_run"):
        return json_response({**told, "dry_run": True})
    lost = given_back = 0
    if gone:
        left = 1
        while left:
            command = GiveUpReserved(call.namespace, name, call.actor)
            value: dict[str, Any] = expect_ok(await services.scheduler.propose(command), what=f"job {name}")
            lost, given_back = lost + value["lost"], given_back + value["given_back"]
            left = value["left"]
    else:
        outcome = await services.scheduler.propose(Unreserve(call.namespace, name, call.actor))
        expect_ok(outcome, what=f"job {name}")
    return json_response({**_told(services, call, name), "lost": lost, "given_back": given_back})


def _told(services: Services, call: Call, name: str) -> dict[str, Any]:
    with services.scheduler.read() as store:
        row = find_job(store, call.namespace, name)
        found = reservation_reads.of_job(store, row.id)
    document: dict[str, Any] = {"job": name, "namespace": call.namespace, "ticks": 0, "agent": None}
    if found is None:
        return document | {"connected": False, "first": None, "until": None, "asked_back": 0}
    return document | {
        "ticks": found.ticks, "agent": found.agent, "connected": found.connected,
        "first": rfc3339(found.first_ms), "until": rfc3339(found.until_ms), "asked_back": found.asked_back,
    }  # fmt: skip
