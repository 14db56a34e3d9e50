"""GET /v1/runs/{run}/logs: output as text/plain, from any node.

Rules:

1. A place in the output is one of one attempt, whose number X-Cronclave-Attempt names. Bytes are counted as
   the agent's file has them, its marks for what was discarded or lost included.
2. X-Cronclave-Log-Source says where the reply comes from: `agent` (live), `tail` (the last bytes, stored with
   the attempt's end: the agent cannot be asked) or `none` (there is no such attempt, yet).
3. X-Cronclave-Log-Offset is the place of the first byte that is sent, X-Cronclave-Log-Bytes where the output
   ends as far as is known. X-Cronclave-Log-Missing names bytes that were asked for and cannot be had: `0-99`
   (the last one included), or `0-` to an end that nobody here knows. Nothing is left out in silence.
4. `follow` streams until the attempt has ended. It waits for an attempt, and for the agent of one that goes
   on, as long as `wait` says, START_WAIT_S without it.
5. A reply that ends in good order has all that there was; what cannot be read to its end is cut off.
"""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator
from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import access, schemas
from api.call import Call, call_of
from api.connection import happens
from api.consistency import settle
from api.instants import parse_wait_s
from api.jobs.reading import need_run
from api.log_source import (
    FORWARDED,
    LIVE_STATES,
    Asked,
    ask_other_node,
    find_target,
    live_chunk,
    may_come,
)
from api.parameters import EACH, NUMBER_MAX
from api.problems import query_problem
from api.routes.runs import run_number
from api.services import Services, services_of
from api.streaming import CutError, Streaming
from scheduler.protocol import TailChunk
from scheduler.store.reads.attempts import Output

router = APIRouter(tags=["runs"], dependencies=EACH)

POLL_S = 0.3  #: between two looks at an agent's growing output
LOOK_S = 1.0  #: between two looks at whether an agent is back, or a task ended without a word of its own
POLLS_PER_S = 200  #: of all followers of a node together: with more of them each looks less often
START_WAIT_S = 300.0
FIRST_BYTES_MAX = 64 << 20  #: in one reply without follow
MEDIA_TYPE = "text/plain; charset=utf-8"
HEADERS = ("x-cronclave-log-source", "x-cronclave-attempt", "x-cronclave-log-offset", "x-cronclave-log-bytes")
_ATTEMPT = "Number of the attempt; the latest by default."
_ROUND = "Of a task in a group that was begun anew; the newest by default."
_AFTER = "The first attempt after that number; with `follow` it is waited for."
_FOLLOW = "Stream until the attempt has ended; `wait` says how long to wait for its start."


@router.get("/v1/runs/{run}/logs", operation_id="getLogs", openapi_extra=schemas.logs)
async def get_logs(
    request: Request,
    run: str,
    task: Annotated[str | None, Query(description="Needed where the run has several tasks.")] = None,
    member: Annotated[str, Query(description="Of a task that is divided: which part.")] = "",
    round: Annotated[int | None, Query(ge=0, le=NUMBER_MAX, description=_ROUND)] = None,
    attempt: Annotated[int | None, Query(ge=1, le=NUMBER_MAX, description=_ATTEMPT)] = None,
    after_attempt: Annotated[int | None, Query(ge=0, le=NUMBER_MAX, description=_AFTER)] = None,
    offset: Annotated[int, Query(ge=0, le=NUMBER_MAX, description="Bytes to leave out.")] = 0,
    follow: Annotated[bool, Query(description=_FOLLOW)] = False,
) -> Response:
    """Output of one task's attempt."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=access.Reach.ANY)
    if attempt is not None and after_attempt is not None:
        raise query_problem("after_attempt", "attempt names one already")
    asked = Asked(run_number(run), task, member, attempt, after_attempt, round)
    wait_s = parse_wait_s("wait", call.query["wait"]) if "wait" in call.query else START_WAIT_S
    await settle(call, services.commits)
    with services.scheduler.read() as store:
        need_run(store, call, access.READ, asked.run)
    end_s = time.monotonic() + (0.0 if call.headers.get(FORWARDED) else wait_s)
    with services.run_steps.watch(asked.run) as happened:
        while True:
            happened.clear()  # listen first, then look
            target = find_target(services, asked)
            if target is not None:
                reply = await _from_agent(services, call, target, offset, follow=follow)
                if reply is not None:
                    return reply
            coming = target.state in LIVE_STATES if target is not None else may_come(services, asked)
            if not follow or not coming or not await _more_happens(services, happened, end_s):
                return _stored(asked, target, offset, coming=follow and coming)


async def _more_happens(services: Services, happened: asyncio.Event, end_s: float) -> bool:
    """Whether to look again: the run made a step, or some time passed."""
    left_s = end_s - time.monotonic()
    if left_s <= 0 or services.commits.closed.is_set():
        return False
    services.followers += 1
    try:
        await happens(happened, min(left_s, max(LOOK_S, services.followers / POLLS_PER_S)))
        await services.turns.mine()
    finally:
        services.followers -= 1
    return True


async def _from_agent(
    services: Services, call: Call, target: Output, offset: int, *, follow: bool
) -> Response | None:
    """The agent's own answer, from the node that it hangs on; None: it gives none."""
    if target.node and target.node != services.scheduler.status().node:
        proxied = await ask_other_node(services, call, target, offset=offset, follow=follow)
        if proxied is not None:
            headers = {name: proxied.headers[name] for name in HEADERS if name in proxied.headers}
            return Streaming(proxied.body(), media_type=MEDIA_TYPE, headers=headers)
    first = await live_chunk(services, target, offset)
    if first is None:
        return None
    if first.ended:
        _need_within(target, offset, first.size)
    return Streaming(
        _stream(services, target, offset, first, follow),
        media_type=MEDIA_TYPE,
        headers=_headers("agent", target, offset, first.size),
    )


def _stored(asked: Asked, target: Output | None, offset: int, *, coming: bool) -> Response:
    """What the state has of it, and which bytes it has not."""
    if target is None:
        if asked.attempt is not None and not coming:
            raise query_problem("attempt", f"there is no attempt {asked.attempt}")
        return Response(b"", media_type=MEDIA_TYPE, headers={"X-Cronclave-Log-Source": "none"})
    size = target.output_bytes
    if size is None:
        headers = _headers("tail", target, offset, None)
        headers["X-Cronclave-Log-Missing"] = f"{offset}-"
        return Response(b"", media_type=MEDIA_TYPE, headers=headers)
    _need_within(target, offset, size)
    kept_from = size - len(target.tail)
    start = max(offset, kept_from)
    headers = _headers("tail", target, start, size)
    if start > offset:
        headers["X-Cronclave-Log-Missing"] = f"{offset}-{start - 1}"
    return Response(target.tail[start - kept_from :], media_type=MEDIA_TYPE, headers=headers)


def _need_within(target: Output, offset: int, size: int) -> None:
    if offset > size:
        raise query_problem(
            "offset",
            f"the output of attempt {target.number} has {size} bytes",
            "A place in one attempt's output is none in another's.",
        )


def _headers(source: str, target: Output, offset: int, size: int | None) -> dict[str, str]:
    headers = {
        "X-Cronclave-Log-Source": source,
        "X-Cronclave-Attempt": str(target.number),
        "X-Cronclave-Log-Offset": str(offset),
    }
    return headers if size is None else headers | {"X-Cronclave-Log-Bytes": str(size)}


async def _stream(
    services: Services, target: Output, offset: int, first: TailChunk, follow: bool
) -> AsyncIterator[bytes]:
    chunk, sent = first, 0
    services.followers += follow
    try:
        while True:
            if chunk.data:
                yield chunk.data
                offset += len(chunk.data)
                sent += len(chunk.data)
            if chunk.ended or (not follow and (not chunk.data or sent >= FIRST_BYTES_MAX)):
                return
            if services.commits.closed.is_set():
                raise CutError
            if not chunk.data:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(POLL_S, services.followers / POLLS_PER_S)):
                        await services.commits.closed.wait()
            more = await live_chunk(services, target, offset)
            if more is None:
                raise CutError  # the agent is gone: the reader asks again from its offset
            chunk = more
    finally:
        services.followers -= follow
