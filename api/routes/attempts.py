"""Attempts of all runs: what agents do, and did."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import access, schemas
from api.call import call_of
from api.consistency import settle
from api.cursors import make_cursor, read_cursor
from api.instants import parse_instant
from api.parameters import EACH, among
from api.problems import Problem
from api.routes.runs import run_number
from api.services import services_of
from api.threads import read_reply
from api.views import attempt_json
from scheduler.store.reads import attempts as attempt_reads
from scheduler.store.reads import runs as run_reads
from scheduler.store.reads import tasks as task_reads
from scheduler.store.reads.attempts import LIVE, Wanted
from scheduler.store.tables import agents as agent_rows
from scheduler.words.lifecycle import ATTEMPT

router = APIRouter(tags=["runs"], dependencies=EACH)


@router.get(
    "/v1/attempts", operation_id="listAttempts", openapi_extra=schemas.read,
    responses=schemas.attempts_replies,
)  # fmt: skip
async def list_attempts(
    request: Request,
    run: Annotated[str | None, Query(description="Of this run.")] = None,
    agent: Annotated[str | None, Query(description="On this agent.")] = None,
    state: Annotated[
        str | None, Query(description="In this state, or one of several; live: in one that holds a slot.")
    ] = None,
    unreachable: Annotated[bool, Query(description="Those of which their agent tells nothing.")] = False,
    since: Annotated[str | None, Query(description="Assigned at or after this instant (RFC 3339).")] = None,
    until: Annotated[str | None, Query(description="Assigned before this instant.")] = None,
    cursor: Annotated[str | None, Query(description="next_cursor of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="Items on one page.")] = 100,
) -> Response:
    """Attempts of all runs, the newest first: of an agent, what it does and did. 2,000 are looked at for a
    page."""
    services, call = services_of(request), call_of(request)
    namespaces = call.need_listed(access.READ)
    given = state.split(",") if state else []
    if "live" in given:
        given = [*sorted(LIVE), *(each for each in given if each != "live")]
    wanted = Wanted(
        run=None if run is None else run_number(run),
        states=among("state", given, ATTEMPT.states),
        unreachable=unreachable,
        since_ms=None if since is None else parse_instant("since", since),
        until_ms=None if until is None else parse_instant("until", until),
        namespaces=namespaces,
    )
    key = read_cursor("attempts", cursor, int)
    before = None if key is None else int(key[0])
    await settle(call, services.commits)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            asked = wanted
            if agent is not None:
                row = agent_rows.find(store, agent)
                if row is None:
                    raise Problem("not-found", f"no agent {agent[:200]!r} ever registered")
                asked = wanted._replace(agent=row.id)
            rows, after = attempt_reads.page(store, asked, before=before, limit=limit)
            tasks = task_reads.of_ids(store, [row.attempt.task for row in rows])
            runs = run_reads.of_ids(store, [row.attempt.run for row in rows])
        items = [
            {
                "run": run.id, "job": run.name, "namespace": run.namespace,
                "task": task.name, **attempt_json(each, task),
            }
            for each in rows
            if (task := tasks.get(each.attempt.task)) and (run := runs.get(each.attempt.run))
        ]  # fmt: skip
        return {"items": items, "next_cursor": None if after is None else make_cursor("attempts", after)}

    return await read_reply(read)
