"""GET /v1/runs/{run}/logs: output as text/plain, from any node.

`offset` counts bytes of the attempt's output. X-Cronclave-Log-Source says where it came from: `agent`
(whole and live) or `tail` (the last bytes, stored with the attempt's end: the agent cannot be asked).
`follow` streams until the attempt has ended.
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
from api.call import call_of
from api.connection import happens
from api.consistency import settle
from api.jobs.reading import find_run, need_run
from api.log_source import FORWARDED, Target, ask_other_node, find_target, live_chunk
from api.parameters import NUMBER_MAX
from api.problems import query_problem
from api.routes.runs import run_number
from api.services import Services, services_of
from api.streaming import Streaming
from scheduler.store import pages

router = APIRouter(tags=["runs"])

POLL_S = 0.3  #: between two looks at an agent's growing output
POLLS_PER_S = 200  #: of all followers of a node together: with more of them each looks less often
START_WAIT_S = 300.0
FIRST_BYTES_MAX = 64 << 20  #: in one reply without follow
ENDED_RUNS = frozenset({"succeeded", "failed", "timed_out", "cancelled", "lost", "expired"})


@router.get("/v1/runs/{run}/logs", operation_id="getLogs", openapi_extra=schemas.logs)
async def get_logs(
    request: Request,
    run: str,
    task: Annotated[str | None, Query(description="Needed where the run has several tasks.")] = None,
    attempt: Annotated[
        int | None, Query(ge=1, le=NUMBER_MAX, description="Number of the attempt; the latest by default.")
    ] = None,
    offset: Annotated[int, Query(ge=0, le=NUMBER_MAX, description="Bytes to leave out.")] = 0,
    follow: Annotated[bool, Query(description="Stream until the attempt has ended.")] = False,
) -> Response:
    """Output of one task's attempt."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=access.Reach.ANY)
    run_id = run_number(run)
    await settle(call, services.commits)
    with services.scheduler.read() as store:
        need_run(store, call, access.READ, run_id)
        find_run(store, run_id)  # 404 where there is none
    target = find_target(services, run_id, task, attempt)
    if isinstance(target, str):
        raise query_problem("attempt" if attempt is not None and "attempt" in target else "task", target)
    if target is None and follow:
        target = await _until_started(services, run_id, task)
    if target is None:
        return _text(b"", "tail")
    node = services.scheduler.status().node
    if target.node and target.node != node and not call.headers.get(FORWARDED):
        proxied = await ask_other_node(services, call, target.node)
        if proxied is not None:
            source = proxied.headers.get("x-cronclave-log-source", "agent")
            return Streaming(
                proxied.body(),
                media_type="text/plain; charset=utf-8",
                headers={"X-Cronclave-Log-Source": source},
            )
    first = await live_chunk(services, target, offset)
    if first is None:
        return _text(target.tail[offset:], "tail")
    return Streaming(
        _stream(services, target, offset, first, follow),
        media_type="text/plain; charset=utf-8",
        headers={"X-Cronclave-Log-Source": "agent"},
    )


def _text(body: bytes, source: str) -> Response:
    return Response(body, media_type="text/plain; charset=utf-8", headers={"X-Cronclave-Log-Source": source})


async def _stream(
    services: Services, target: Target, offset: int, first: tuple[bytes, bool], follow: bool
) -> AsyncIterator[bytes]:
    data, ended = first
    sent = 0
    services.followers += follow
    try:
        while True:
            if data:
                yield data
                offset += len(data)
                sent += len(data)
            if (
                ended
                or services.commits.closed.is_set()
                or (not follow and (not data or sent >= FIRST_BYTES_MAX))
            ):
                return
            if not data:
                with contextlib.suppress(TimeoutError):
                    async with asyncio.timeout(max(POLL_S, services.followers / POLLS_PER_S)):
                        await services.commits.closed.wait()
            more = await live_chunk(services, target, offset)
            if more is None:
                return  # the agent is gone: the reader asks again from its offset
            data, ended = more
    finally:
        services.followers -= follow


async def _until_started(services: Services, run: int, task: str | None) -> Target | None:
    """The attempt, once the task has one; None: the run ended without, or it took too long."""
    end_s = time.monotonic() + START_WAIT_S
    with services.run_starts.watch(run) as happened:
        while not services.commits.closed.is_set():
            happened.clear()  # listen first, then look
            target = find_target(services, run, task, None)
            if isinstance(target, Target):
                return target
            with services.scheduler.read() as store:
                row = pages.run(store, run)
            if row is None or row.state in ENDED_RUNS:
                return None
            if not await happens(happened, end_s - time.monotonic()):
                return None
            await services.turns.mine()
    return None
