"""Why something did not run, or not yet: an instant of a job, a run and its tasks."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import access, schemas
from api.call import call_of
from api.compiled import compiled_by, graph_of
from api.consistency import settle
from api.explained import instant_explained, run_explained
from api.instants import parse_instant, rfc3339
from api.jobs.reading import need_run, never_was
from api.jobs.tasks import task_hint
from api.parameters import EACH
from api.problems import Problem
from api.routes.runs import run_number
from api.services import Services, services_of
from api.threads import read_reply
from api.told import MaySee, may_see, shown_target
from scheduler.explain import Cluster, explain_instant, explain_run
from scheduler.explain.runs import Compiled
from scheduler.machine.rules import meant
from scheduler.store.connection import Store
from scheduler.store.reads import jobs as job_reads
from scheduler.store.reads import outbox as outbox_reads
from scheduler.store.tables.outbox import Effect
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task

router = APIRouter(tags=["runs"], dependencies=EACH)

TOLD_MAX = 100  #: notices of a run that are shown beside it


@router.get(
    "/v1/jobs/{name}/explain",
    operation_id="explainJob",
    openapi_extra=schemas.read,
    responses=schemas.instant_replies,
)
async def explain_job(
    request: Request,
    name: str,
    at: Annotated[
        str | None,
        Query(description="This instant (RFC 3339); the next tick that is not decided by default."),
    ] = None,
) -> Response:
    """Why this instant of the job ran, did not, or will not: of each trigger that has it, what became of it,
    or what it waits for."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    at_ms = None if at is None else parse_instant("at", at)
    await settle(call, services.commits)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            jobs = job_reads.ids(store, call.namespace, name)
            if not jobs:
                raise never_was(store, call.namespace, name)
            told = explain_instant(store, jobs, at_ms, _cluster(services), compiled_by(services, store))
            return instant_explained(call.namespace, name, told, partial(call.principal.may, access.READ))

    return await read_reply(read)


@router.get(
    "/v1/runs/{run}/explain",
    operation_id="explainRun",
    openapi_extra=schemas.read,
    responses=schemas.explained_replies,
)
async def explain_one_run(
    request: Request,
    run: str,
    task: Annotated[str | None, Query(description="This task alone, ended or not.")] = None,
    member: Annotated[str | None, Query(description="Of a task that is divided: this one.")] = None,
) -> Response:
    """What the run waits for, and each of its tasks that has not ended (the first 500): gate by gate, in the
    order in which the machine asks them."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=access.Reach.ANY)
    number = run_number(run)
    if member is not None and task is None:
        raise Problem("validation", "member is of one task", hint="Name it: task=NAME&member=NAME.")
    await settle(call, services.commits)
    sees = may_see(call)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            row = need_run(store, call, access.READ, number)
            compiled = compiled_by(services, store)
            one = None if task is None else _meant(store, row, task, member or "", compiled)
            told = explain_run(store, row, _cluster(services), compiled, one)
            whom = outbox_reads.of_run(store, number, TOLD_MAX)
            return {**run_explained(told, sees), "told": told_json(whom, sees)}

    return await read_reply(read)


def told_json(rows: Sequence[Effect], sees: MaySee) -> list[dict[str, Any]]:
    """Was anybody told?"""
    return [
        {
            "effect": row.id, "about": row.about, "to": shown_target(row.target, row.channel, sees),
            "state": row.state,
            "at": rfc3339(row.created_ms), "acknowledged": row.actor or None, "reason": row.reason or None,
        }
        for row in rows
    ]  # fmt: skip


def _meant(store: Store, run: Run, name: str, member: str, compiled: Compiled) -> Task:
    """Raises Problem where there is none, or none yet."""
    found = meant.find(store, run, name, member, partial(graph_of, compiled))
    if isinstance(found, Task):
        return found
    hint = task_hint(store, run.id, name)
    raise Problem("not-found", found.detail, hint=hint)


def _cluster(services: Services) -> Cluster:
    status = services.scheduler.status()
    return Cluster(services.scheduler.now_ms(), status.leader, status.quorum)
