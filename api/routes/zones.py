"""Which zone data is in force: moved on by a person, who may ask first which ticks that moves."""

from __future__ import annotations

import asyncio
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas
from api.calendar_dates import TRIES
from api.call import Call, call_of, json_response, json_type
from api.connection import leave_if_gone
from api.edits import propose_edit
from api.moves import moves_by_rules
from api.outcomes import expect_ok, need_proposable
from api.parameters import EACH
from api.problems import FieldError, Problem
from api.retiming import Prepared, prepared, taking_over
from api.services import Services, services_of
from api.threads import LONG_READS, in_thread
from scheduler.ticks import tzdata_version
from scheduler.words.outcomes import Code

router = APIRouter(tags=["cluster"], dependencies=EACH)

LIVE_WAIT_S = 10.0
LOOK_S = 0.1


@router.post("/v1/cluster/retime", operation_id="activateZones", openapi_extra=schemas.retime)
async def retime(request: Request) -> Response:
    """Bring the zone data that this node has installed into force, for the whole cluster: triggers of zones
    that moved are due by the new rules from now on. `dry_run` tells which ticks that moves. Replies when all
    triggers have taken them over, else with 202."""
    services, call = services_of(request), call_of(request)
    call.need(access.ADMIN, namespace=access.Reach.ALL)
    trial = call.flag("dry_run")
    document = call.json_object(optional=True)
    unknown = [name for name in document if name != "tzdata"]
    if unknown:
        raise _invalid(f"/{unknown[0][:100]}", 'unknown field; send {"tzdata": VERSION}')
    wanted = document.get("tzdata")
    if wanted is not None and not isinstance(wanted, str):
        raise _invalid("/tzdata", f"it must be a version such as 2026a, not {json_type(wanted)}")
    if wanted is not None and wanted != tzdata_version():
        raise _not_installed(services, wanted)
    for _ in range(TRIES):
        found: Prepared = await in_thread(prepared, services.scheduler, call.actor, line=LONG_READS)
        _refuse_older(services, found, wanted)
        if found.command is None:
            return json_response({**_reply(found), "changed": False, "live": True})
        if trial:
            need_proposable(found.command, what="the zone data")
            return json_response(await in_thread(_trial, services, call, found, line=LONG_READS))
        outcome = await propose_edit(services.scheduler, found.command)
        if outcome.code != Code.SUPERSEDED:  # else other zone data came into force, or a zone into use
            break
    expect_ok(outcome, what=f"zone data {found.version}")
    live = await _all_live(services)
    return json_response({**_reply(found), "changed": True, "live": live}, 200 if live else 202)


def _reply(found: Prepared) -> dict[str, Any]:
    return {"before": found.before, "tzdata": found.version, "zones": list(found.moved)}


def _trial(services: Services, call: Call, found: Prepared) -> dict[str, Any]:
    with services.scheduler.read() as store:
        told = moves_by_rules(
            store, found.moved, services.scheduler.now_ms(), lambda of: call.principal.may(access.READ, of)
        )
    return {**_reply(found), "dry_run": True, "changed": False, "live": False, "plans": found.planned, **told}


async def _all_live(services: Services) -> bool:
    until_s = asyncio.get_running_loop().time() + LIVE_WAIT_S
    while taking_over(services.scheduler):
        if asyncio.get_running_loop().time() >= until_s:
            return False
        leave_if_gone()
        await asyncio.sleep(LOOK_S)
    return True


def _refuse_older(services: Services, found: Prepared, wanted: str | None) -> None:
    if found.before is None:
        raise Problem(
            "conflict", "no zone data is in force yet: no job and no namespace has named a time zone",
            hint="The first that does brings that of the node which takes it in.",
        )  # fmt: skip
    if wanted is None and found.version < found.before:
        node = services.scheduler.status().node
        raise Problem(
            "conflict", f"{node} has {found.version} installed, and {found.before} is in force",
            hint=f'Ask a node that has newer zone data, or send {{"tzdata": "{found.version}"}} to go back.',
            extra={"installed": _installed(services)},
        )


def _not_installed(services: Services, wanted: str) -> Problem:
    node, own = services.scheduler.status().node, tzdata_version()
    detail = f"{node} has {own} installed, not {wanted[:20]!r}"
    return Problem(
        "conflict", f"/tzdata: {detail}",
        hint="Ask a node that has it: pip install tzdata==… there, and restart it.",
        errors=[FieldError("/tzdata", detail)], extra={"installed": _installed(services)},
    )  # fmt: skip


def _installed(services: Services) -> dict[str, str | None]:
    """Which version each node has."""
    status = services.scheduler.status()
    return {status.node: tzdata_version(), **{peer.node: peer.tzdata for peer in status.peers}}


def _invalid(pointer: str, detail: str) -> Problem:
    return Problem("validation", f"{pointer}: {detail}", errors=[FieldError(pointer, detail)])
