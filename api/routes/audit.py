"""Who changed what: listed, and exported line by line."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Query, Request
from starlette.responses import Response

from api import access, schemas
from api.call import call_of
from api.consistency import settle
from api.cursors import make_cursor, read_cursor
from api.exporting import Slice, export
from api.instants import parse_instant, rfc3339
from api.parameters import EACH, NUMBER_MAX, among
from api.services import services_of
from api.threads import read_reply
from scheduler.machine.notes import KINDS as DEEDS
from scheduler.store.reads import audit as audit_reads
from scheduler.store.reads.audit import Wanted
from scheduler.store.tables.audit import Entry
from scheduler.words.commands import ALL
from scheduler.words.record import ByPerson

router = APIRouter(tags=["audit"], dependencies=EACH)

_UNSAID = {"note", "answer"}  #: what they do is said by a word of its own
_SAID = {*DEEDS, "approve", "reject", "drop"}
ACTIONS = tuple(sorted({made.verb for made in ALL if issubclass(made, ByPerson)} - _UNSAID | _SAID))
"""All that an entry may say: a person's commands, what they say in their place, and what is decided beside
the log."""

Text = str | None
ACTOR = Query(description="By the token of this name.")
ACTION = Query(description="This was done, or one of several: put, delete, pause, run….")
KIND = Query(description="To an object of this kind: job, run, token, agent….")
NAME = Query(description="To the object of this name; of a run, its job's.")
RUN = Query(description="To this run.", ge=1, le=NUMBER_MAX)
SINCE = Query(description="Decided at or after this instant (RFC 3339).")
UNTIL = Query(description="Decided before this instant.")


async def _wished(
    request: Request,
    actor: Annotated[Text, ACTOR] = None,
    action: Annotated[Text, ACTION] = None,
    kind: Annotated[Text, KIND] = None,
    name: Annotated[Text, NAME] = None,
    run: Annotated[int | None, RUN] = None,
    since: Annotated[Text, SINCE] = None,
    until: Annotated[Text, UNTIL] = None,
) -> Wanted:
    """What is asked for, of the namespaces that the caller administrates."""
    return Wanted(
        actor=actor,
        actions=among("action", action.split(",") if action else (), ACTIONS),
        kind=kind,
        namespaces=call_of(request).need_listed(access.ADMIN),
        name=name,
        run=run,
        since_ms=None if since is None else parse_instant("since", since),
        until_ms=None if until is None else parse_instant("until", until),
    )


Wished = Annotated[Wanted, Depends(_wished)]
"""What either list is of."""


@router.get(
    "/v1/audit", operation_id="listAudit", openapi_extra=schemas.read, responses=schemas.audit_replies
)
async def list_audit(
    request: Request,
    wanted: Wished,
    cursor: Annotated[Text, Query(description="next_cursor of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="Items on one page.")] = 100,
) -> Response:
    """What people decided, and whoever came through the API, the latest first. 2,000 entries are looked at
    for a page."""
    services, call = services_of(request), call_of(request)
    key = read_cursor("audit", cursor, int)
    before = None if key is None else int(key[0])
    await settle(call, services.commits)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            rows, after = audit_reads.page(store, wanted, before=before, limit=limit)
        items = [_entry_json(entry) for entry in rows]
        return {"items": items, "next_cursor": None if after is None else make_cursor("audit", after)}

    return await read_reply(read)


@router.get("/v1/audit/export", operation_id="exportAudit", openapi_extra=schemas.read)
async def export_audit(
    request: Request,
    wanted: Wished,
    after: Annotated[int, Query(description="Behind the entry of this number.", ge=0, le=NUMBER_MAX)] = 0,
) -> Response:
    """The same as lines of JSON, the oldest first, 100,000 at most: go on with `after` and the last number.
    Numbers have no gap: where the first one is not the one behind `after`, what was between is gone."""
    services, call = services_of(request), call_of(request)
    await settle(call, services.commits)

    def read(number: int) -> Slice:
        with services.scheduler.read() as store:
            rows, last = audit_reads.after(store, number, wanted)
        return [_entry_json(row) for row in rows], last

    return export(read, after)


def _entry_json(entry: Entry) -> dict[str, Any]:
    return {
        "number": entry.id, "index": entry.idx, "at": rfc3339(entry.stamp_ms), "actor": entry.actor or None,
        "address": entry.address or None, "session": bool(entry.by_session), "action": entry.action,
        "kind": entry.kind, "namespace": entry.namespace or None, "name": entry.name or None,
        "run": entry.run or None, "before": entry.before, "after": entry.after,
        "reason": entry.reason or None,
    }  # fmt: skip
