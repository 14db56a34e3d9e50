"""What is known of a source, and a word to look at it now. Sources themselves: routes/objects.py."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas
from api.call import Call, call_of, json_response, json_type
from api.consistency import settle
from api.instants import rfc3339
from api.objects.reading import find_object, named
from api.outcomes import expect_ok
from api.parameters import EACH
from api.problems import FieldError, Problem
from api.services import services_of
from scheduler.machine.rules.pruning import PRUNED_MAX
from scheduler.model.objects import kind_of
from scheduler.store.connection import Store
from scheduler.store.tables import sources
from scheduler.store.tables.refs import Named
from scheduler.store.tables.sources import Source
from scheduler.words.commands import SyncSource

router = APIRouter(tags=["objects"], dependencies=EACH)

FIELDS = frozenset({"prune_max"})


@router.get("/v1/sources/{name}/state", operation_id="getSourceState", openapi_extra=schemas.read)
async def get_state(request: Request, name: str) -> Response:
    """What of a source is live, what the last look at it came to, and what of it is otherwise."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    what = named("sources", call.namespace, name)
    await settle(call, services.commits)
    with services.scheduler.read() as store:
        return json_response(_state(store, call, what))


@router.post(
    "/v1/sources/{name}/sync", operation_id="syncSource", status_code=202, openapi_extra=schemas.sync_source
)
async def sync_source(request: Request, name: str) -> Response:
    """Have the leader look at a source now, and take what it says; with `dry_run` say what that would change.
    `prune_max`: how many of what it owns may be deleted, this once. Its state says when that was done:
    `answered` is not before `asked`."""
    services, call = services_of(request), call_of(request)
    what = named("sources", call.namespace, name)
    call.need(kind_of(what.kind).capability, namespace=what.namespace)
    command = SyncSource(what.namespace, what.name, call.flag("dry_run"), _prune_max(call), call.actor)
    with services.scheduler.read() as store:
        if json.loads(find_object(store, what).spec)["enabled"] is False:
            raise Problem("conflict", f"source {name[:200]} is not enabled: nobody looks at it")
    told = expect_ok(await services.scheduler.propose(command), what=f"source {name}")
    with services.scheduler.read() as store:
        return json_response({**_state(store, call, what), "asked": told["asked"]}, 202)


def _prune_max(call: Call) -> int | None:
    """Raises Problem."""
    asked = call.json_object(optional=True)
    for field in asked:
        if field not in FIELDS:
            detail = f"unknown field {field[:100]!r}"
            raise Problem("validation", detail, errors=[FieldError(f"/{field[:100]}", detail)])
    most = asked.get("prune_max")
    if most is not None and (type(most) is not int or not 0 <= most <= PRUNED_MAX):
        shown = most if type(most) is int else json_type(most)
        detail = f"prune_max is a whole number from 0 to {PRUNED_MAX}, not {shown}"
        raise Problem("validation", detail, errors=[FieldError("/prune_max", detail)])
    return most


def _state(store: Store, call: Call, what: Named) -> dict[str, Any]:
    spec = json.loads(find_object(store, what).spec)
    return state_json(sources.get(store, what.namespace, what.name), spec, call)


def state_json(row: Source, spec: dict[str, Any], call: Call) -> dict[str, Any]:
    """What is of namespaces that the caller may not read is not told by name."""
    drift = [
        {"kind": kind, "namespace": namespace, "name": name, "change": word}
        for kind, namespace, name, word in json.loads(row.drift)
        if call.principal.may(access.READ, namespace)
    ]
    return {
        "namespace": row.namespace,
        "name": row.name,
        "from": sources.place_of(spec),
        "state": row.state or ("waiting" if spec["enabled"] else "disabled"),
        "revision": row.revision or None,
        "live_at": rfc3339(row.live_ms or None),
        "documents": row.documents,
        "created": row.created,
        "changed": row.changed,
        "deleted": row.deleted,
        "seen": row.seen or None,
        "since": rfc3339(row.looked_ms or None),
        "detail": row.detail or None,
        "problems": json.loads(row.problems),
        "drift": drift,
        "drifted": row.drifted,
        "asked": row.asked,
        "answered": row.answered,
    }
