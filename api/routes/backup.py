"""GET /v1/cluster/backup: the whole state as one SQLite file, from any node."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, backups, schemas
from api.call import call_of
from api.consistency import settle
from api.noting import note
from api.parameters import EACH
from api.ports import NoLeaderError
from api.problems import Problem
from api.services import services_of
from api.streaming import Streaming
from scheduler.store.connection import DamagedError

router = APIRouter(tags=["cluster"], dependencies=EACH)

NOTE_S = 2.0


@router.get("/v1/cluster/backup", operation_id="getBackup", openapi_extra=schemas.backup)
async def back_up(request: Request) -> Response:
    """A consistent copy of everything up to the index that the reply names; the node goes on meanwhile.

    It holds the hashes of all tokens and the definitions of all jobs: it needs an admin, and has an entry in
    the audit, but where there is no leader to make one and `consistency=stale` asks for what this node has.
    """
    services, call = services_of(request), call_of(request)
    call.need(access.ADMIN, namespace=access.Reach.ALL)
    if services.settings.scratch is None:
        raise Problem("not-available", "this node has no place for copies")
    try:
        await note(call, "backup", after=services.scheduler.status().node, timeout_s=NOTE_S)
    except NoLeaderError:
        if call.query.get("consistency") != "stale":
            raise
        # A copy of what is left is what somebody without a quorum needs most.
    await settle(call, services.commits)
    scheduler = services.scheduler
    with scheduler.read() as store:
        state = store.path
    try:
        made = await backups.make(state, services.settings.scratch, scheduler.status(), scheduler.now_ms())
    except DamagedError as error:
        scheduler.suspect(str(error))
        raise
    call.index = made.manifest.index
    return Streaming(
        backups.stream(made),
        media_type="application/vnd.sqlite3",
        headers={
            "Content-Length": str(made.size),
            "Content-Disposition": f'attachment; filename="cronclave-{made.manifest.index}.db"',
            "X-Cronclave-Sha256": made.sha256,
            "X-Cronclave-Node": made.manifest.node,
        },
    )
