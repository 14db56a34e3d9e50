"""GET /v1/events: what happens, as Server-Sent Events.

Ids are `index.n`, the same on every node, so a client resumes anywhere with Last-Event-ID. `reset` means
that the history after that id is gone here: read the state again; what is still kept follows. A comment
now and then keeps proxies awake. A stream ends, within a heartbeat, with the token or session that it was
opened by. A client that cannot follow is cut off; it comes back with its last id. What
keeps a thousand of them from costing the loop is in api/event_feed.py.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import access, schemas
from api.call import call_of
from api.event_feed import NAMES, Kinds, Namespaces
from api.history import Id
from api.parameters import EACH
from api.problems import query_problem
from api.services import Services, services_of
from api.streaming import Streaming

router = APIRouter(tags=["events"], dependencies=EACH)

RETRY_MS = 1_000
HEARTBEAT = b": heartbeat\n\n"
LOOK_S = 1.0  #: between two looks at a stream's token or session
_ID = re.compile(r"([0-9]{1,18})\.([0-9]{1,9})")


@router.get("/v1/events", operation_id="streamEvents", openapi_extra=schemas.events)
async def events(
    request: Request,
    types: Annotated[str | None, Query(description="Only these, such as run_ended,tick_decided.")] = None,
    after: Annotated[
        str | None, Query(description="As Last-Event-ID, for clients that cannot send it.")
    ] = None,
) -> Response:
    """Every event from now on, or after Last-Event-ID: of the cluster itself, and of ?namespace=, or of all
    in which the caller may read."""
    services, call = services_of(request), call_of(request)
    readable = call.need_listed(access.READ)
    namespaces = None if readable is None else frozenset(readable)
    wanted = None
    if types:
        wanted = frozenset(types.split(","))
        unknown = sorted(wanted - set(NAMES.values()))
        if unknown:
            raise query_problem(
                "types", f"{unknown[0][:64]!r} is not an event", f"One of {', '.join(NAMES.values())}."
            )
    text = call.headers.get("last-event-id") or after
    position: Id | None = None
    if text:
        match = _ID.fullmatch(text)
        if match is None:
            raise query_problem("after", f"{text[:64]!r} is not an event's id", "Ids look like 1234.0.")
        position = (int(match[1]), int(match[2]))
    return Streaming(
        _feed(services, call.principal, position, wanted, namespaces),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _feed(
    services: Services, principal: access.Principal, after: Id | None, kinds: Kinds, namespaces: Namespaces
) -> AsyncIterator[bytes]:
    history = services.scheduler.history
    yield b"retry: %d\n\n" % RETRY_MS
    position = history.last if after is None else max(after, history.since)
    with services.feed.stream(position, kinds, namespaces) as stream:
        if after is None:
            yield _note("hello", position, services)
        elif position != after:
            yield _note("reset", position, services)
        looked_s = time.monotonic()
        while (data := await services.feed.next(stream)) is not None:
            if time.monotonic() - looked_s >= LOOK_S:
                looked_s = time.monotonic()
                if not services.access.is_still(principal):
                    return
            yield data or HEARTBEAT


def _note(name: str, position: Id, services: Services) -> bytes:
    document = {"index": services.scheduler.index, "node": services.scheduler.status().node}
    data = json.dumps(document, separators=(",", ":"))
    return f"id: {position[0]}.{position[1]}\nevent: {name}\ndata: {data}\n\n".encode()
