"""Hands on a live run: suspend, resume, release. What may be done to a run as it stands is the machine's
(`scheduler.machine.rules.hands`): a dry run asks the same."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas
from api.access import CATCH_UP_S
from api.call import Call, call_of
from api.jobs.reading import find_run, need_run, run_answer
from api.outcomes import expect_ok, need_proposable
from api.problems import FieldError, Problem
from api.routes.runs import run_number
from api.services import Services, services_of
from scheduler.machine.rules import hands
from scheduler.machine.rules.hands import REASON_LETTERS_MAX
from scheduler.store.tables.runs import Run
from scheduler.words.commands import Command, ReleaseRun, ResumeRun, SuspendRun
from scheduler.words.outcomes import Outcome

router = APIRouter(tags=["runs"])

HINT = 'Send {"reason": "why"}, or nothing.'
HINTS = {
    "suspend": "GET /v1/runs/{run} says how it stands; a run that is held is let go by its release.",
    "resume": "A run that was made to be held is let go by POST /v1/runs/{run}/release.",
    "release": "A run that is suspended goes on by POST /v1/runs/{run}/resume.",
}


@router.post("/v1/runs/{run}/suspend", operation_id="suspendRun", openapi_extra=schemas.hand)
async def suspend_run(request: Request, run: str) -> Response:
    """Let nothing more of a run start. What an agent has goes on; its timeout stands still."""
    return await _hand(request, run, "suspend", SuspendRun, hands.suspending)


@router.post("/v1/runs/{run}/resume", operation_id="resumeRun", openapi_extra=schemas.hand)
async def resume_run(request: Request, run: str) -> Response:
    """A suspended run goes on where it was."""
    return await _hand(request, run, "resume", ResumeRun, hands.resuming)


@router.post("/v1/runs/{run}/release", operation_id="releaseRun", openapi_extra=schemas.hand)
async def release_run(request: Request, run: str) -> Response:
    """A held run may start; one that waits behind others of its job does not wait for them any more."""
    return await _hand(request, run, "release", ReleaseRun, hands.releasing)


async def _hand(
    request: Request, run: str, verb: str, make: Callable[..., Command],
    may: Callable[[Run], Outcome | None],
) -> Response:  # fmt: skip
    services, call, number = services_of(request), call_of(request), run_number(run)
    await need_operable(services, call, number)
    command = make(number, reason_of(call), call.actor)
    hint = HINTS[verb].replace("{run}", str(number))
    if call.flag("dry_run"):
        need_proposable(command, what=f"run {number}")
        with services.scheduler.read() as store:
            refusal = may(find_run(store, number))
        if refusal is not None:
            expect_ok(refusal, what=f"run {number}", hint=hint)
    else:
        expect_ok(await services.scheduler.propose(command), what=f"run {number}", hint=hint)
    return Response(await run_answer(services, number), media_type="application/json")


async def need_operable(services: Services, call: Call, run: int) -> None:
    """Raises Problem where the caller may not operate that run, or there is none."""
    if not call.principal.may(access.OPERATE, access.Reach.ALL):
        await services.scheduler.catch_up(timeout_s=CATCH_UP_S)  # whose it is must be known here
        with services.scheduler.read() as store:
            need_run(store, call, access.OPERATE, run)


def reason_of(call: Call) -> str:
    """The body's one field. Raises Problem."""
    document: dict[str, Any] = call.json_object(optional=True)
    errors = [FieldError(f"/{name[:100]}", "unknown field") for name in document if name != "reason"]
    reason = document.get("reason", "")
    if not isinstance(reason, str) or len(reason) > REASON_LETTERS_MAX:
        errors.append(FieldError("/reason", f"a text of at most {REASON_LETTERS_MAX} letters"))
    if errors:
        said = f"{errors[0].pointer}: {errors[0].detail}"
        raise Problem("validation", said, hint=HINT, errors=errors[:20])
    return str(reason)
