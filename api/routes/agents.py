"""Agents, as the state knows them."""

from __future__ import annotations

from typing import Annotated

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import access, schemas
from api.call import Call, call_of, json_response
from api.consistency import settle
from api.cursors import make_cursor, read_cursor
from api.instants import end_ms
from api.near import near_miss
from api.outcomes import expect_ok
from api.parameters import EACH, among
from api.problems import FieldError, Problem
from api.services import Services, services_of
from api.views import agent_json, at_work_json
from scheduler.machine.agents import REASON_LETTERS_MAX
from scheduler.store.reads import agents as agent_reads
from scheduler.store.reads import attempts, near
from scheduler.store.tables import agents as agent_rows
from scheduler.store.tables.agents import Agent as AgentRow
from scheduler.words.commands import DrainAgent, ReleaseAgent, ResumeAgent
from scheduler.words.outcomes import Code

router = APIRouter(tags=["agents"], dependencies=EACH)

STATES = {
    "connected": agent_reads.Wanted(connected=True),
    "disconnected": agent_reads.Wanted(connected=False),
    "draining": agent_reads.Wanted(draining=True),
}
HINT = 'send {"reason": TEXT}, with "until" where it shall take work again by itself'
_LISTED = (
    "cronclave agents list, or GET /v1/agents, shows them; an agent's own log says why it cannot connect."
)


@router.get(
    "/v1/agents", operation_id="listAgents", openapi_extra=schemas.read, responses=schemas.agents_replies
)
async def list_agents(
    request: Request,
    state: Annotated[str | None, Query(description="connected, disconnected or draining.")] = None,
    zone: Annotated[str | None, Query(description="In this zone.")] = None,
    pool: Annotated[str | None, Query(description="Of this pool.")] = None,
    q: Annotated[str | None, Query(description="A part of the name.")] = None,
    cursor: Annotated[str | None, Query(description="next_cursor of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="Items on one page.")] = 1_000,
) -> Response:
    """Every agent that ever registered, by name, with the node that it hangs on. Of a filter that fits few a
    page is short: 2,000 are looked at for it."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=access.Reach.ANY)
    among("state", () if state is None else (state,), STATES)
    wanted = STATES.get(state or "", agent_reads.Wanted())._replace(zone=zone, pool=pool, text=q)
    key = read_cursor("agents", cursor, str)
    await settle(call, services.commits)
    with services.scheduler.read() as store:
        rows, after = agent_reads.page(store, wanted, after="" if key is None else str(key[0]), limit=limit)
    next_cursor = None if after is None else make_cursor("agents", after)
    return json_response({"items": [agent_json(row) for row in rows], "next_cursor": next_cursor})


@router.get(
    "/v1/agents/{name}", operation_id="getAgent", openapi_extra=schemas.read, responses=schemas.agent_replies
)
async def get_agent(request: Request, name: str) -> Response:
    """One agent: where it is, what it can take, and whether it is there."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=access.Reach.ANY)
    await settle(call, services.commits)
    return json_response(agent_json(_need_agent(services, name)))


@router.get(
    "/v1/agents/{name}/work",
    operation_id="listWork",
    openapi_extra=schemas.read,
    responses=schemas.work_replies,
)
async def list_work(
    request: Request,
    name: str,
    cursor: Annotated[str | None, Query(description="next_cursor of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="Items on one page.")] = 100,
) -> Response:
    """What holds the agent's slots now: its live attempts, the oldest first, each with its run and task."""
    services, call = services_of(request), call_of(request)
    namespaces = call.need_listed(access.READ)
    key = read_cursor("work", cursor, int)
    await settle(call, services.commits)
    agent = _need_agent(services, name)
    with services.scheduler.read() as store:
        rows = attempts.at_work(store, agent.id, after=0 if key is None else int(key[0]), limit=limit + 1)
    more = make_cursor("work", rows[limit - 1].id) if len(rows) > limit else None
    items = [
        at_work_json(row) for row in rows[:limit] if namespaces is None or row.namespace in namespaces
    ]
    return json_response({"items": items, "next_cursor": more})


@router.post("/v1/agents/{name}/drain", operation_id="drainAgent", openapi_extra=schemas.drain_agent)
async def drain_agent(request: Request, name: str) -> Response:
    """Let an agent start nothing more, until it is resumed or `until`. What it runs comes to its end; what
    waits on it for its grant goes elsewhere. Once `busy` is 0 the host is free."""
    services, call = services_of(request), call_of(request)
    call.need(access.OPERATE, namespace=access.Reach.ALL)
    document = call.json_object(optional=True)
    unknown = [field for field in document if field not in ("reason", "until")]
    if unknown:
        raise _invalid(f"/{unknown[0][:100]}", f"unknown field; {HINT}")
    reason = document.get("reason")
    if not isinstance(reason, str | None) or len(reason or "") > REASON_LETTERS_MAX:
        raise _invalid("/reason", f"it must be a text of at most {REASON_LETTERS_MAX} characters")
    until_ms = end_ms(document, services.scheduler.now_ms(), HINT)
    return await _change(services, call, name, DrainAgent(name, reason or "", call.actor, until_ms))


@router.post("/v1/agents/{name}/resume", operation_id="resumeAgent", openapi_extra=schemas.resume_agent)
async def resume_agent(request: Request, name: str) -> Response:
    """Let an agent that drains take work again."""
    services, call = services_of(request), call_of(request)
    call.need(access.OPERATE, namespace=access.Reach.ALL)
    return await _change(services, call, name, ResumeAgent(name, call.actor))


async def _change(services: Services, call: Call, name: str, command: DrainAgent | ResumeAgent) -> Response:
    """The agent afterwards; in a dry run as it would be."""
    if call.flag("dry_run"):
        row = _need_agent(services, name)
        if isinstance(command, ResumeAgent):
            row = row._replace(draining=0, drain_reason="", drain_until_ms=None)
        else:
            row = row._replace(
                draining=1, drain_reason=command.reason or row.drain_reason, drain_until_ms=command.until_ms
            )
        return json_response(agent_json(row))
    outcome = await services.scheduler.propose(command)
    if outcome.code == Code.NOT_FOUND:
        _need_agent(services, name)
    expect_ok(outcome, what=f"agent {name}", hint=_LISTED)
    return json_response(agent_json(_need_agent(services, name)))


def _need_agent(services: Services, name: str) -> AgentRow:
    with services.scheduler.read() as store:
        row = agent_rows.find(store, name)
    if row is None:
        with services.scheduler.read() as store:
            hint = near_miss(name, near.agents(store, name), _LISTED)
        raise Problem("not-found", f"no agent {name[:200]!r} ever registered", hint=hint)
    return row


@router.post("/v1/agents/{name}/release", operation_id="releaseAgent", openapi_extra=schemas.release_agent)
async def release_agent(request: Request, name: str) -> Response:
    """Take the name from the installation that has it, so that another host may come under it. What it runs
    is not touched: its attempts end by their leases, or by a person."""
    services, call = services_of(request), call_of(request)
    call.need(access.ADMIN, namespace=access.Reach.ALL)
    document = call.json_object()
    installation = document.get("installation")
    if not isinstance(installation, str) or len(document) != 1:
        detail = "exactly the one field installation is needed: which of them is meant"
        hint = f"cronclave agents list -o yaml, or GET /v1/agents/{name[:100]}, tells it."
        raise _invalid("/installation", detail, hint=hint)
    if call.flag("dry_run"):
        return json_response({"name": name, "installation": installation, "dry_run": True})
    expect_ok(
        await services.scheduler.propose(ReleaseAgent(name, installation, call.actor)),
        what=f"agent {name}",
        hint="cronclave agents show NAME tells who has the name now.",
    )
    return json_response({"name": name, "installation": installation, "released": True})


def _invalid(pointer: str, detail: str, hint: str = "") -> Problem:
    return Problem("validation", f"{pointer}: {detail}", hint=hint, errors=[FieldError(pointer, detail)])
