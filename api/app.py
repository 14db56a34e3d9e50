"""All of the API together: one ASGI application over one `ports.Scheduler`.

The composition root calls `create_app`, serves the result with uvicorn (see `api.server.settings` for what
it must set), and calls `gateway.close()` first when it stops, so that streams end and agents leave before
the server waits for them.
"""

from __future__ import annotations

import contextlib
from collections.abc import AsyncIterator, Mapping
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from fastapi.routing import APIRoute
from starlette.exceptions import HTTPException
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from api.agents.gateway import Gateway
from api.commits import Commits
from api.description import describe
from api.door import Door
from api.event_feed import EventFeed
from api.event_scope import RunNamespaces
from api.head_start import HeadStart
from api.jobs.hot import HotJobs
from api.known_defaults import KnownDefaults
from api.metrics import Metrics
from api.ports import ApiSettings, NoLeaderError, OverloadedError, Scheduler, UnavailableError
from api.problems import FieldError, Problem
from api.routes import (
    agents,
    apply,
    approvals,
    attempts,
    audit,
    backfills,
    backup,
    bulk,
    cluster,
    completions,
    definitions,
    demonstration,
    events,
    expectations,
    explain,
    formats,
    hands,
    health,
    hooks,
    jobs,
    join,
    ledger,
    logs,
    members,
    namespaces,
    notices,
    notifications,
    objects,
    outbox,
    overview,
    pages,
    past,
    pauses,
    plan,
    reruns,
    reservations,
    resources,
    runs,
    schema,
    secrets,
    session,
    sources,
    stages,
    tick_changes,
    tick_limits,
    ticks,
    tokens,
    zones,
)
from api.services import Services
from scheduler.store.connection import DamagedError, QueryTooLongError
from scheduler.store.tables import runs as run_rows
from scheduler.ticks import SpecError

NOUNS = (
    jobs, namespaces, plan, tick_changes, backfills, hooks, notices, resources, approvals, notifications,
    objects, definitions, schema, past, apply, stages, bulk, runs, attempts, logs, ticks, ledger, audit,
    explain, overview, agents, cluster, formats, tick_limits, pauses, backup, events, outbox, secrets, tokens,
    join, sources, session, health, demonstration, zones, pages, hands, completions, reruns, members,
    expectations, reservations,
)  # fmt: skip


def routes() -> dict[str, tuple[str, str]]:
    """Method and path of each operation that is in the description."""
    found = [each for noun in NOUNS for each in noun.router.routes if isinstance(each, APIRoute)]
    return {
        str(each.operation_id): (sorted(each.methods or ())[0], each.path_format)
        for each in found
        if each.include_in_schema
    }


class Api:
    """The ASGI application and its end."""

    def __init__(self, door: Door, services: Services, inner: FastAPI) -> None:
        self._door = door
        self.services = services
        self.fastapi = inner
        self.reading = door.reading

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "lifespan":
            self.start()
        await self._door(scope, receive, send)

    def start(self) -> None:
        """Listen to commits. Called by the server's start, or by the first request; again does nothing."""
        services = self.services
        if not services.started:
            services.started = True
            services.commits.start()
            services.commits.add(services.run_ends)
            services.commits.add(services.run_steps)
            services.commits.add(services.metrics)
            services.commits.add(services.feed)
            services.commits.add(services)
            services.commits.add(services.head_start)
            services.commits.add(services.known_jobs)
            services.commits.add(services.known_defaults)
            services.gateway.start(services.commits)

    async def close(self) -> None:
        """End streams and send the agents away; call it before the server waits for open connections."""
        await self.services.gateway.closed()
        await self.services.commits.close()


def create_app(scheduler: Scheduler, settings: ApiSettings, gateway: Gateway) -> Api:
    """The API of one node."""

    def namespace_of(run: int) -> str | None:
        with scheduler.read() as store:
            row = run_rows.get(store, run)
        return None if row is None else row.namespace

    commits = Commits(scheduler)
    feed = EventFeed(scheduler.history, RunNamespaces(namespace_of))
    services = Services(
        scheduler, settings, gateway, gateway.access, commits,
        Metrics(scheduler, gateway.access.failures, settings.proved), feed, gateway.compiled,
        HeadStart(scheduler),
        KnownDefaults(scheduler),
    )  # fmt: skip
    gateway.on_close += [commits.end, feed.close, services.run_ends.on_gap, services.run_steps.on_gap]
    api: Api

    @contextlib.asynccontextmanager
    async def lifespan(_: FastAPI) -> AsyncIterator[None]:
        api.start()
        yield
        await api.close()

    inner = FastAPI(
        title="Cronclave",
        version="1",
        description="The job scheduler that survives losing a zone.",
        docs_url=None,
        redoc_url=None,
        openapi_url="/openapi.json",
        lifespan=lifespan,
        redirect_slashes=False,
    )
    inner.state.services = services
    inner.openapi = lambda: describe(inner)  # type: ignore[method-assign]  # as FastAPI documents it
    # As they are: FastAPI makes each route anew that is included by its router, for 60 ms of CPU.
    inner.router.routes += [route for noun in NOUNS for route in noun.router.routes]

    door = Door(
        inner,
        scheduler,
        settings,
        services.access,
        services.metrics.requests,
        hot=HotJobs(services).of,
        agents=gateway,
        turns=services.turns,
        known_defaults=services.known_defaults,
    )
    _handle_errors(inner, door)
    api = Api(door, services, inner)
    return api


def _handle_errors(inner: FastAPI, door: Door) -> None:
    """Everything that leaves a route of FastAPI's becomes a problem, also what FastAPI itself refuses."""

    async def any_error(_: Request, error: Exception) -> Response:
        return door.problem_of(error).response()

    async def http_error(request: Request, error: Exception) -> Response:
        assert isinstance(error, HTTPException)
        path = request.scope["path"][:200]  # the request's url is made with its Host, whatever that says
        headers = dict(error.headers or {})
        if error.status_code == 404:
            problem = Problem("not-found", f"there is nothing at {path}", hint="GET /docs lists the API.")
        elif error.status_code == 405:
            # Starlette names the methods of the first route of that path alone.
            routes = [each for noun in NOUNS for each in noun.router.routes if isinstance(each, APIRoute)]
            routes = [each for each in routes if each.path_regex.match(request.scope["path"])]
            methods = {method for each in routes for method in each.methods or ()}
            allowed = headers["Allow"] = ", ".join(sorted(methods))
            problem = Problem(
                "method-not-allowed", f"{request.method} {path}", hint=f"Allowed: {allowed}.", headers=headers
            )
        else:
            problem = Problem("http", str(error.detail), status=error.status_code, headers=headers)
        return problem.response()

    async def invalid(_: Request, error: Exception) -> Response:
        assert isinstance(error, RequestValidationError)
        errors = [_field_error(each) for each in error.errors()]
        detail = f"{errors[0].pointer}: {errors[0].detail}" if errors else "the request is not valid"
        return Problem("validation", detail, errors=errors).response()

    for kind in (
        Problem,
        NoLeaderError,
        OverloadedError,
        UnavailableError,
        QueryTooLongError,
        SpecError,
        DamagedError,
        Exception,
    ):
        inner.add_exception_handler(kind, any_error)
    inner.add_exception_handler(HTTPException, http_error)
    inner.add_exception_handler(RequestValidationError, invalid)


def _field_error(error: Mapping[str, Any]) -> FieldError:
    where, *path = error["loc"]
    pointer = f"?{path[0]}" if where == "query" and path else "/" + "/".join(str(part) for part in path)
    return FieldError(pointer, _in_our_words(error))


def _in_our_words(error: Mapping[str, Any]) -> str:
    given, limits = repr(error.get("input"))[:64], error.get("ctx", {})
    if error["type"] in ("int_parsing", "int_type", "int_from_float"):
        return f"{given} is not a whole number"
    if error["type"] == "greater_than_equal":
        return f"{given} is less than {limits['ge']}"
    if error["type"] == "less_than_equal":
        return f"{given} is more than {limits['le']}"
    if error["type"].startswith("date_"):
        return f"{given} is no date; write 2026-01-31"
    return str(error["msg"])
