"""POST /v1/bulk: pause, resume or run all jobs that a filter fits, or that are named."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas
from api.call import Call, call_of, json_response, json_type
from api.consistency import settle
from api.jobs.listing import Listing, listing
from api.outcomes import expect_ok
from api.parameters import EACH
from api.ports import NoLeaderError, OverloadedError, UnavailableError
from api.problems import FieldError, Problem, from_job_problems
from api.services import Services, services_of
from api.threads import in_thread
from scheduler.model import JobError
from scheduler.model.param_values import check_params, declared_params
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables.jobs import Job
from scheduler.words.commands import Command, PauseJob, ResumeJob, RunJob

router = APIRouter(tags=["jobs"], dependencies=EACH)

JOBS_MAX = 1_000
PAGES_MAX = 10  #: looked through for them
AT_ONCE = 64  #: proposals under way
FILTERS: Mapping[str, type] = {
    "namespace": str, "labels": str, "state": str, "q": str, "failing": bool, "last": str,
    "criticality": str,
}  # fmt: skip


def _pause(services: Services, call: Call, row: Job) -> Command:
    return PauseJob(row.namespace, row.name, call.actor)


def _resume(services: Services, call: Call, row: Job) -> Command:
    return ResumeJob(row.namespace, row.name, call.actor)


def _run(services: Services, call: Call, row: Job) -> Command:
    key, body = call.idempotency()  # one for all: each job has a key of its own of it
    params = check_params(declared_params(row.spec), {})
    key = f"{key}#{row.id}" if key else ""
    return RunJob(row.namespace, row.name, params, services.scheduler.now_ms(), call.actor, key, body)


class _Action(NamedTuple):
    capability: str
    command: Callable[[Services, Call, Job], Command]


ACTIONS: Mapping[str, _Action] = {
    "pause": _Action(access.OPERATE, _pause),
    "resume": _Action(access.OPERATE, _resume),
    "run": _Action(access.RUN, _run),
}


class _Asked(NamedTuple):
    action: str
    namespace: str  #: of the names
    names: tuple[str, ...] | None
    filter: Listing


@router.post(
    "/v1/bulk", operation_id="changeJobs", openapi_extra=schemas.bulk, responses=schemas.bulk_replies
)
async def change_jobs(request: Request) -> Response:
    """Pause, resume or run the jobs that are named, or all that a filter fits: 1,000 at most. Each is a
    change of its own: the reply says of each what became of it. `dry_run=true` tells which they are."""
    services, call = services_of(request), call_of(request)
    asked = _asked(call)
    await settle(call, services.commits)
    rows, more = await in_thread(_chosen, services, call, asked)
    if call.flag("dry_run"):
        items = [{"job": row.name, "namespace": row.namespace, "done": False} for row in rows]
    else:
        gate = asyncio.Semaphore(AT_ONCE)
        items = await asyncio.gather(*(_change(services, call, asked.action, row, gate) for row in rows))
    reply = {"action": asked.action, "dry_run": call.flag("dry_run"), "items": items, "more": more}
    return json_response(reply)


def _asked(call: Call) -> _Asked:
    document = call.json_object()
    errors = [
        FieldError(f"/{name[:100]}", f"unknown field; known are action, jobs, {', '.join(FILTERS)}")
        for name in document
        if name not in FILTERS and name not in ("action", "jobs")
    ]
    action, names = document.get("action"), document.get("jobs")
    if not isinstance(action, str) or action not in ACTIONS:
        errors.append(FieldError("/action", f"one of {', '.join(ACTIONS)}"))
    if "jobs" in document:
        listed = isinstance(names, list) and all(isinstance(name, str) for name in names)
        if not listed or not 1 <= len(names) <= JOBS_MAX:  # type: ignore[arg-type]  # it is a list there
            errors.append(FieldError("/jobs", f"1 to {JOBS_MAX} names"))
        elif len(document) > 2 + ("namespace" in document):
            errors.append(FieldError("/jobs", "names, or a filter, not both"))
    for name, kind in FILTERS.items():
        value = document.get(name, kind())
        if type(value) is not kind:
            errors.append(FieldError(f"/{name}", f"it is {json_type(kind())}, not {json_type(value)}"))
    if not errors and "jobs" not in document and not any(document.get(name) for name in FILTERS):
        detail = "say which jobs: by their names, or by a filter"
        errors.append(FieldError("/jobs", detail))
    if errors:
        raise Problem("validation", f"{errors[0].pointer}: {errors[0].detail}", errors=errors)
    namespace: str | None = document.get("namespace") or call.query.get("namespace")
    assert isinstance(action, str)
    capability = ACTIONS[action].capability
    if names is not None:
        namespace = namespace or "default"
        names = tuple(dict.fromkeys(names))
    chosen = listing(
        call.need_listed(capability, namespace), labels=document.get("labels"), state=document.get("state"),
        text=document.get("q"), failing=document.get("failing", False), last=document.get("last"),
        criticality=document.get("criticality"),
    )  # fmt: skip
    return _Asked(action, namespace or "default", names, chosen)


def _chosen(services: Services, call: Call, asked: _Asked) -> tuple[list[Job], bool]:
    """The jobs, and whether there are more. Raises Problem for a name that there is not."""
    found: list[Job] = []
    with services.scheduler.read() as store:
        if asked.names is not None:
            for place, name in enumerate(asked.names):
                row = job_rows.find(store, asked.namespace, name)
                if row is None:
                    detail = f"there is no job {name[:200]!r} in namespace {asked.namespace[:200]!r}"
                    raise Problem("not-found", detail, errors=[FieldError(f"/jobs/{place}", detail)])
                found.append(row)
            return found, False
        cursor: str | None = None
        for _ in range(PAGES_MAX):
            after = asked.filter.place(cursor)
            page = asked.filter.page(store, services, after=after, limit=JOBS_MAX - len(found))
            found += page.jobs
            cursor = page.next_cursor
            if cursor is None or len(found) == JOBS_MAX:
                break
    return found, cursor is not None


async def _change(
    services: Services, call: Call, action: str, row: Job, gate: asyncio.Semaphore
) -> dict[str, Any]:
    """What became of one job."""
    told: dict[str, Any] = {"job": row.name, "namespace": row.namespace, "done": False}
    async with gate:
        try:
            outcome = await services.scheduler.propose(ACTIONS[action].command(services, call, row))
            value = expect_ok(outcome, what=f"job {row.name}")
        except JobError as error:
            problem = from_job_problems(error.problems, what="the parameters")
            return {**told, "detail": problem.detail, "hint": problem.hint or None}
        except Problem as problem:
            return {**told, "detail": problem.detail, "hint": problem.hint or None}
        except (NoLeaderError, OverloadedError, UnavailableError) as error:
            return {**told, "detail": str(error) or "it was not taken in", "hint": "Send it again."}
    run = value.get("run")
    return {**told, "done": True, **({} if run is None else {"run": run})}
