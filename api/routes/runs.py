"""Runs: start, list, read, cancel, resolve."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import access, schemas
from api.access import CATCH_UP_S
from api.call import Call, call_of
from api.consistency import settle
from api.cursors import make_cursor, read_cursor
from api.instants import parse_instant, parse_wait_s
from api.jobs import running
from api.jobs.listing import parse_labels
from api.jobs.reading import need_run, run_document, run_documents, run_outlines
from api.outcomes import expect_ok
from api.parameters import EACH, NUMBER_MAX, among
from api.problems import Problem
from api.services import Services, services_of
from api.threads import read_reply
from scheduler.store.connection import Store
from scheduler.store.reads import attempts as attempt_reads
from scheduler.store.reads import fanouts as fanout_reads
from scheduler.store.reads import jobs as job_reads
from scheduler.store.reads import runs as run_reads
from scheduler.store.reads import tasks as task_reads
from scheduler.store.tables.runs import Run
from scheduler.words.causes import Kind
from scheduler.words.commands import CancelRun, Command, ResolveRun
from scheduler.words.lifecycle import RUN

router = APIRouter(tags=["runs"], dependencies=EACH)

RUN_STATES = RUN.states
CAUSES = tuple(kind.value for kind in Kind)
TASKS_A_PAGE = 10_000  #: a page of larger runs ends early: some MB of JSON


@router.post(
    "/v1/jobs/{name}/runs",
    operation_id="runJob",
    openapi_extra=schemas.run_job,
    responses=schemas.run_replies,
)
async def run_job(request: Request, name: str) -> Response:
    """Run the job now. With `?wait=30s` the reply waits for the run's end, at most that long."""
    return await running.run_job(services_of(request), call_of(request), name)


@router.get("/v1/runs", operation_id="listRuns", openapi_extra=schemas.read, responses=schemas.runs_replies)
async def list_runs(
    request: Request,
    job: Annotated[str | None, Query(description="Of this job, in ?namespace=.")] = None,
    state: Annotated[str | None, Query(description="In this state, or one of several: failed,lost.")] = None,
    warned: Annotated[bool | None, Query(description="Those alone with a warning, or without.")] = None,
    cause: Annotated[str | None, Query(description="Of this cause, such as tick or manual.")] = None,
    labels: Annotated[str | None, Query(description="Of jobs with these: key=value,key.")] = None,
    since: Annotated[str | None, Query(description="Created at or after this instant (RFC 3339).")] = None,
    until: Annotated[str | None, Query(description="Created before this instant.")] = None,
    brief: Annotated[bool, Query(description="Without parameters, tasks and attempts.")] = False,
    cursor: Annotated[str | None, Query(description="next_cursor of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="Items on one page.")] = 100,
) -> Response:
    """Runs, newest first. A page of large runs is shorter: 10,000 tasks at most; so is one of a filter that
    fits few: 2,000 runs are looked at for it."""
    services, call = services_of(request), call_of(request)
    namespaces = call.need_listed(access.READ, call.namespace if job is not None else None)
    states = among("state", state.split(",") if state else (), RUN_STATES)
    among("cause", () if cause is None else (cause,), CAUSES)
    wanted = run_reads.Wanted(
        namespaces=namespaces,
        states=states,
        warned=warned,
        cause=cause,
        labels=parse_labels(labels),
        since_ms=None if since is None else parse_instant("since", since),
        until_ms=None if until is None else parse_instant("until", until),
    )
    key = read_cursor("runs", cursor, int)
    before = None if key is None else int(key[0])
    await settle(call, services.commits)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            asked = wanted
            if job is not None:
                asked = wanted._replace(jobs=job_reads.ids(store, call.namespace, job), namespaces=None)
            rows, after = run_reads.page(store, asked, before=before, limit=limit)
            shown = rows if brief else _fitting(store, rows)
            after = after if len(shown) == len(rows) else shown[-1].id
            items = run_outlines(store, shown) if brief else run_documents(store, shown)
        return {"items": items, "next_cursor": None if after is None else make_cursor("runs", after)}

    return await read_reply(read)


@router.get(
    "/v1/runs/{run}", operation_id="getRun", openapi_extra=schemas.read, responses=schemas.run_replies
)
async def get_run(request: Request, run: str) -> Response:
    """One run with its tasks and attempts. With `?wait=30s` and no index, the reply waits for its end."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=access.Reach.ANY)
    run_id = run_number(run)
    await settle(call, services.commits)
    with services.scheduler.read() as store:
        need_run(store, call, access.READ, run_id)
    if "wait" in call.query and "index" not in call.query and "min_index" not in call.query:
        await running.until_ended(services, run_id, parse_wait_s("wait", call.query["wait"]))
        call.index = services.scheduler.index
    return await _answer(services, run_id)


async def _answer(services: Services, run_id: int) -> Response:
    """The run, put together beside the loop: it may have thousands of tasks."""

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            return run_document(store, run_id)

    return await read_reply(read)


def _fitting(store: Store, rows: list[Run]) -> list[Run]:
    """The first of these runs, as many as have TASKS_A_PAGE tasks or tries together, members left out; one at
    least."""
    rows_shown, most = 0, TASKS_A_PAGE + 1
    divided = {each.run for each in fanout_reads.of_runs(store, [row.id for row in rows]).values()}
    for place, row in enumerate(rows):
        if row.id in divided:
            rows_shown += task_reads.count_wholes(store, row.id, most)
        else:
            rows_shown += max(read.count(store, row.id, most) for read in (task_reads, attempt_reads))
        if rows_shown > TASKS_A_PAGE and place:
            return rows[:place]
    return rows


@router.post("/v1/runs/{run}/cancel", operation_id="cancelRun", openapi_extra=schemas.change)
async def cancel_run(request: Request, run: str) -> Response:
    """Cancel a run: what waits is dropped, what runs is stopped; the run ends once its attempts have."""
    services, call = services_of(request), call_of(request)
    number = run_number(run)
    return await _change(services, call, access.RUN, number, CancelRun(number, call.actor))


@router.post("/v1/runs/{run}/resolve", operation_id="resolveRun", openapi_extra=schemas.change)
async def resolve_run(request: Request, run: str) -> Response:
    """Declare the run's unreachable attempts lost: a person vouches that they run no more."""
    services, call = services_of(request), call_of(request)
    number = run_number(run)
    return await _change(services, call, access.OPERATE, number, ResolveRun(number, call.actor))


async def _change(services: Services, call: Call, capability: str, run: int, command: Command) -> Response:
    before = None
    if call.flag("dry_run") or not call.principal.may(capability, access.Reach.ALL):
        await services.scheduler.catch_up(timeout_s=CATCH_UP_S)  # whose it is, and how it stands
        with services.scheduler.read() as store:
            before = need_run(store, call, capability, run)
    if before is None or not call.flag("dry_run"):
        outcome = await services.scheduler.propose(command)
        expect_ok(outcome, what=f"run {run}")
    elif before.finished_ms is not None:
        raise Problem("conflict", f"run {run} ended already: {before.state}", extra={"dry_run": True})
    return await _answer(services, run)


def run_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20) or not 0 < int(text) <= NUMBER_MAX:
        raise Problem(
            "not-found", f"{text[:64]!r} is not the id of a run", hint="Ids of runs are whole numbers."
        )
    return int(text)
