"""GET /v1/events: what happens, as Server-Sent Events.

Ids are `index.n`, the same on every node, so a client resumes anywhere with Last-Event-ID. `reset` means
that the history behind that id is gone here: read the state again; what is still kept follows. A comment
every HEARTBEAT_S keeps proxies awake. A client that cannot follow is cut off; it comes back with its last id.
"""

from __future__ import annotations

import asyncio
import dataclasses
import json
import re
from collections.abc import AsyncIterator
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response, StreamingResponse

from api import access, schemas
from api.call import call_of
from api.commits import CommitStream, stream
from api.instants import rfc3339
from api.ports import AFTER_ALL, Committed
from api.problems import query_problem
from api.services import Services, services_of
from scheduler import codec
from scheduler.events import Event

router = APIRouter(tags=["events"])

HEARTBEAT_S = 10.0
RETRY_MS = 1_000
_WORD = re.compile(r"(?<!^)(?=[A-Z])")
_ID = re.compile(r"(\d{1,18})\.(\d{1,9})")
NAMES: dict[type[Any], str] = {cls: _WORD.sub("_", cls.__name__).lower() for cls in codec.EVENT_TAGS}
FIELDS: dict[type[Any], tuple[tuple[str, str, bool], ...]] = {
    cls: tuple((f.name, f.name.removesuffix("_ms"), f.name.endswith("_ms")) for f in dataclasses.fields(cls))
    for cls in codec.EVENT_TAGS
}


@router.get("/v1/events", operation_id="streamEvents", openapi_extra=schemas.events)
async def events(
    request: Request,
    types: Annotated[str | None, Query(description="Only these, such as run_ended,tick_decided.")] = None,
    after: Annotated[
        str | None, Query(description="As Last-Event-ID, for clients that cannot send it.")
    ] = None,
) -> Response:
    """Every event from now on, or behind Last-Event-ID."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ)
    wanted = None
    if types:
        wanted = frozenset(types.split(","))
        unknown = sorted(wanted - set(NAMES.values()))
        if unknown:
            raise query_problem(
                "types", f"{unknown[0][:64]!r} is not an event", f"One of {', '.join(NAMES.values())}."
            )
    text = call.headers.get("last-event-id") or after
    position: tuple[int, int] | None = None
    if text:
        match = _ID.fullmatch(text)
        if match is None:
            raise query_problem("after", f"{text[:64]!r} is not an event's id", "Ids look like 1234.0.")
        position = (int(match[1]), int(match[2]))
    return StreamingResponse(
        _feed(services, position, wanted),
        media_type="text/event-stream",
        headers={"Cache-Control": "no-store", "X-Accel-Buffering": "no"},
    )


async def _feed(
    services: Services, position: tuple[int, int] | None, wanted: frozenset[str] | None
) -> AsyncIterator[bytes]:
    async with stream(
        services.commits
    ) as commits:  # listen first, then read the history: nothing falls between
        yield b"retry: %d\n\n" % RETRY_MS
        if position is None:
            position = services.commits.last_id or (services.scheduler.index, AFTER_ALL)
            yield _note("hello", position, services)
        else:
            if position < services.scheduler.history_from:
                position = services.scheduler.history_from
                yield _note("reset", position, services)
            for index, n, stamp_ms, event in services.scheduler.history(position) or ():
                if (index, n) > position:
                    position = (index, n)
                    yield encode(index, n, stamp_ms, event, wanted)
        closed = asyncio.create_task(services.commits.closed.wait())
        try:
            while not closed.done():
                commit = await _next(commits, closed)
                if commit is None:
                    if commits.lost:
                        return
                    yield b": heartbeat\n\n"
                    continue
                frames = [
                    encode(index, n, commit.stamp_ms, event, wanted)
                    for index, n, event in commit.events
                    if (index, n) > position
                ]
                if frames:
                    position = (commit.events[-1][0], commit.events[-1][1])
                    body = b"".join(frames)
                    if body:
                        yield body
        finally:
            closed.cancel()


async def _next(commits: CommitStream, closed: asyncio.Task[bool]) -> Committed | None:
    """The next commit; None: a heartbeat is due, or it is over."""
    if not commits.queue.empty():
        return commits.queue.get_nowait()
    waiting = asyncio.create_task(commits.queue.get())
    try:
        done, _ = await asyncio.wait(
            {waiting, closed}, timeout=HEARTBEAT_S, return_when=asyncio.FIRST_COMPLETED
        )
        return waiting.result() if waiting in done else None
    finally:
        waiting.cancel()


def encode(index: int, n: int, stamp_ms: int, event: Event, wanted: frozenset[str] | None) -> bytes:
    """One event on the wire; empty where the client does not want it."""
    kind = type(event)
    name = NAMES[kind]
    if wanted is not None and name not in wanted:
        return b""
    document: dict[str, Any] = {"index": index, "at": rfc3339(stamp_ms)}
    for field, public, instant in FIELDS[kind]:
        value = getattr(event, field)
        document[public] = rfc3339(value) if instant else value
    data = json.dumps(document, ensure_ascii=False, separators=(",", ":"))
    return f"id: {index}.{n}\nevent: {name}\ndata: {data}\n\n".encode()


def _note(name: str, position: tuple[int, int], services: Services) -> bytes:
    document = {"index": services.scheduler.index, "node": services.scheduler.status().node}
    data = json.dumps(document, separators=(",", ":"))
    return f"id: {position[0]}.{position[1]}\nevent: {name}\ndata: {data}\n\n".encode()
