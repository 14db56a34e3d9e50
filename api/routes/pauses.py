"""Everything is paused, or all of one namespace, and goes on again."""

from __future__ import annotations

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas
from api.access import Reach
from api.call import Call, call_of, json_response
from api.consistency import settle
from api.instants import end_ms
from api.outcomes import expect_ok
from api.parameters import EACH
from api.problems import Problem
from api.reasons import need_fields, reason_of
from api.services import Services, services_of
from api.views import pause_json
from scheduler.store.reads import namespaces
from scheduler.store.tables import pauses
from scheduler.store.tables.pauses import ALL, Pause
from scheduler.words.commands import Pause as PauseCommand
from scheduler.words.commands import Resume

router = APIRouter(tags=["cluster"], dependencies=EACH)

FIELDS = ("reason", "until")
HINT = 'Send {"reason": TEXT}, with "until" where it shall end by itself.'
_LISTED = "cronclave job list shows the jobs with their namespaces."


@router.get("/v1/pause", operation_id="getPause", openapi_extra=schemas.read, responses=schemas.pause_replies)
async def get_pause(request: Request) -> Response:
    """Whether everything is paused, since when, why, and until when."""
    return await _get(services_of(request), call_of(request), ALL)


@router.post(
    "/v1/pause", operation_id="pauseAll", openapi_extra=schemas.pause, responses=schemas.pause_replies
)
async def pause_all(request: Request) -> Response:
    """Pause everything: ticks are skipped(paused), and no task starts, of no run. What runs comes to its end;
    what waits goes on after the resume. A pause that stands gets this reason and end."""
    return await _pause(services_of(request), call_of(request), ALL)


@router.post(
    "/v1/resume", operation_id="resumeAll", openapi_extra=schemas.resume, responses=schemas.pause_replies
)
async def resume_all(request: Request) -> Response:
    """Resume everything. What waited starts; nothing is caught up. Paused jobs and namespaces stay so."""
    return await _resume(services_of(request), call_of(request), ALL)


@router.get(
    "/v1/namespaces/{namespace}/pause", operation_id="getNamespacePause", openapi_extra=schemas.read,
    responses=schemas.pause_replies,
)  # fmt: skip
async def get_namespace_pause(request: Request, namespace: str) -> Response:
    """Whether a namespace is paused as a whole."""
    return await _get(services_of(request), call_of(request), namespace)


@router.post(
    "/v1/namespaces/{namespace}/pause", operation_id="pauseNamespace", openapi_extra=schemas.pause,
    responses=schemas.pause_replies,
)  # fmt: skip
async def pause_namespace(request: Request, namespace: str) -> Response:
    """Pause all jobs of a namespace, as `/v1/pause` pauses all."""
    return await _pause(services_of(request), call_of(request), namespace)


@router.post(
    "/v1/namespaces/{namespace}/resume", operation_id="resumeNamespace", openapi_extra=schemas.resume,
    responses=schemas.pause_replies,
)  # fmt: skip
async def resume_namespace(request: Request, namespace: str) -> Response:
    """Resume a namespace. While everything is paused, nothing of it starts all the same."""
    return await _resume(services_of(request), call_of(request), namespace)


def _need(call: Call, capability: str, namespace: str) -> None:
    call.need(capability, namespace=Reach.ALL if namespace == ALL else namespace)


async def _get(services: Services, call: Call, namespace: str) -> Response:
    call.need(access.READ, namespace=namespace if namespace != ALL else Reach.ANY)
    await settle(call, services.commits)
    return _answer(services, namespace, _known(services, namespace))


def _standing(services: Services, namespace: str) -> Pause | None:
    with services.scheduler.read() as store:
        return pauses.standing_of(store, namespace)


def _known(services: Services, namespace: str) -> Pause | None:
    """The pause that stands, if any. Raises Problem for a namespace that has neither that nor a job."""
    with services.scheduler.read() as store:
        standing = pauses.standing_of(store, namespace)
        if standing is None and namespace != ALL and namespaces.find(store, namespace) is None:
            detail = f"no namespace {namespace[:200]} is declared, and no job is in it"
            raise Problem("not-found", detail, hint=_LISTED)
    return standing


def _answer(services: Services, namespace: str, found: Pause | None) -> Response:
    now_ms = services.scheduler.now_ms()
    if found is not None and not found.stands(now_ms):
        found = None
    shown = None if found is None else pause_json(found)
    return json_response({"namespace": namespace or None, "paused": found is not None, "pause": shown})


async def _pause(services: Services, call: Call, namespace: str) -> Response:
    _need(call, access.OPERATE, namespace)
    document = call.json_object()
    reason, until_ms = reason_of(document, HINT), end_ms(document, services.scheduler.now_ms(), HINT)
    need_fields(document, FIELDS, HINT)
    command = PauseCommand(namespace, reason, until_ms, call.actor)
    if call.flag("dry_run"):
        now_ms, standing = services.scheduler.now_ms(), _known(services, namespace)
        since_ms = standing.since_ms if standing is not None and standing.stands(now_ms) else now_ms
        return _answer(
            services, namespace, Pause(namespace, since_ms, until_ms, None, reason, call.principal.name)
        )
    expect_ok(await services.scheduler.propose(command), what="the pause")
    return _answer(services, namespace, _standing(services, namespace))


async def _resume(services: Services, call: Call, namespace: str) -> Response:
    _need(call, access.OPERATE, namespace)
    if call.flag("dry_run"):
        _known(services, namespace)
        return _answer(services, namespace, None)
    expect_ok(await services.scheduler.propose(Resume(namespace, call.actor)), what="resume", hint=_LISTED)
    return _answer(services, namespace, _standing(services, namespace))
