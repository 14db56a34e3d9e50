"""Hands on a live run and its tasks. What may be done as they stand is the machine's
(`scheduler.machine.rules.hands`): a dry run asks the same."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas
from api.access import CATCH_UP_S
from api.call import Call, call_of
from api.compiled import compiled_by, graph_of
from api.jobs.reading import find_run, need_run, run_answer
from api.jobs.tasks import task_hint
from api.outcomes import expect_ok, need_proposable
from api.parameters import EACH
from api.problems import FieldError, Problem
from api.routes.runs import run_number
from api.services import Services, services_of
from scheduler.machine.rules import hands, meant
from scheduler.machine.rules.hands import REASON_LETTERS_MAX, VERDICTS
from scheduler.model.compiled import CompiledJob
from scheduler.store.connection import Store
from scheduler.store.reads import jobs as job_reads
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import holds
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.words.commands import (
    Command,
    HoldTask,
    OverrideRun,
    ReleaseRun,
    ReleaseTask,
    ResumeRun,
    RetryTask,
    SkipTask,
    StopTask,
    SuspendRun,
)
from scheduler.words.outcomes import Outcome

router = APIRouter(tags=["runs"], dependencies=EACH)

HINT = 'Send {"reason": "why"}, or nothing.'
HINTS = {
    "suspend": "cronclave run show {run}, or GET /v1/runs/{run}, says how it stands; a run that is held is"
    " let go by its release.",
    "resume": "A run that was made to be held is let go by cronclave run release {run}, or"
    " POST /v1/runs/{run}/release.",
    "release": "A run that is suspended goes on by cronclave run resume {run}, or POST"
    " /v1/runs/{run}/resume.",
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


@router.post("/v1/runs/{run}/override", operation_id="overrideRun", openapi_extra=schemas.override)
async def override_run(request: Request, run: str) -> Response:
    """Lay a verdict over a run that has ended: as what it counts for jobs that wait for it, and for reports.
    How it ended stays, and is shown beneath."""
    services, call, number = services_of(request), call_of(request), run_number(run)
    await need_operable(services, call, number)
    document = call.json_object()
    unknown = [name for name in document if name not in ("as", "reason")]
    errors = [FieldError(f"/{name[:100]}", "unknown field") for name in unknown]
    verdict, reason = document.get("as"), document.get("reason")
    if verdict not in VERDICTS:
        errors.append(FieldError("/as", f"{' or '.join(VERDICTS)}: as what it counts"))
    if not isinstance(reason, str) or not 0 < len(reason.strip()) <= len(reason) <= REASON_LETTERS_MAX:
        errors.append(FieldError("/reason", f"why: a text of 1 to {REASON_LETTERS_MAX} letters"))
    if errors:
        said = f"{errors[0].pointer}: {errors[0].detail}"
        hint = 'Send {"as": "succeeded", "reason": "why"}.'
        raise Problem("validation", said, hint=hint, errors=errors[:20])
    command = OverrideRun(number, str(verdict), str(reason), call.actor)
    hint = (
        f"cronclave run cancel {number}, or POST /v1/runs/{number}/cancel, ends it; its tasks can be skipped."
    )
    if call.flag("dry_run"):
        need_proposable(command, what=f"run {number}")
        with services.scheduler.read() as store:
            refusal = hands.overriding(find_run(store, number), str(verdict), str(reason))
        if refusal is not None:
            expect_ok(refusal, what=f"run {number}", hint=hint)
    else:
        expect_ok(await services.scheduler.propose(command), what=f"run {number}", hint=hint)
    return Response(await run_answer(services, number), media_type="application/json")


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
            found = find_run(store, number)
            refusal = may(found) or (None if verb == "release" else _restarting(services, store, found))
        if refusal is not None:
            expect_ok(refusal, what=f"run {number}", hint=hint)
    else:
        expect_ok(await services.scheduler.propose(command), what=f"run {number}", hint=hint)
    return Response(await run_answer(services, number), media_type="application/json")


def _restarting(services: Services, store: Store, run: Run) -> Outcome | None:
    job = _job(services, store, run)
    return None if job is None else hands.restarting(run, job)


def _job(services: Services, store: Store, run: Run) -> CompiledJob | None:
    """As the run's revision says; None: nobody knows it."""
    spec = job_reads.spec_of(store, run.job, run.revision) if run.first_task else None
    return None if spec is None else services.compiled.get(run.job, run.revision, lambda: spec)


@router.post("/v1/runs/{run}/tasks/{task}/hold", operation_id="holdTask", openapi_extra=schemas.task_hand)
async def hold_task(request: Request, run: str, task: str) -> Response:
    """A breakpoint: a task that has not started waits, until it is released."""
    return await _task(request, run, task, HoldTask, hands.holding_task)


@router.post(
    "/v1/runs/{run}/tasks/{task}/release", operation_id="releaseTask", openapi_extra=schemas.task_hand
)
async def release_task(request: Request, run: str, task: str) -> Response:
    """A held task goes on; one that is held since it failed ends so."""
    return await _task(request, run, task, ReleaseTask, hands.releasing_task)


@router.post("/v1/runs/{run}/tasks/{task}/skip", operation_id="skipTask", openapi_extra=schemas.skip_task)
async def skip_task(request: Request, run: str, task: str) -> Response:
    """A task that has not started, or is held since it failed, is skipped. With `pass` it counts as one that
    succeeded for the tasks that need it."""
    return await _task(request, run, task, SkipTask, hands.skipping_task)


@router.post("/v1/runs/{run}/tasks/{task}/retry", operation_id="retryTask", openapi_extra=schemas.task_hand)
async def retry_task(request: Request, run: str, task: str) -> Response:
    """A task that waits for its next try, or is held since it failed, is tried now."""
    return await _task(request, run, task, RetryTask, hands.retrying_task)


@router.post("/v1/runs/{run}/tasks/{task}/stop", operation_id="stopTask", openapi_extra=schemas.task_hand)
async def stop_task(request: Request, run: str, task: str) -> Response:
    """The attempt of a task is stopped, and not tried again; the run goes on by its rules."""
    return await _task(request, run, task, StopTask, hands.stopping_task)


async def _task(
    request: Request, run: str, task: str, make: Callable[..., Command],
    may: Callable[[Run, Task, str, str], Outcome | None],
) -> Response:  # fmt: skip
    services, call, number = services_of(request), call_of(request), run_number(run)
    await need_operable(services, call, number)
    reason, passes = _reason_and_pass(call) if make is SkipTask else (reason_of(call), False)
    member = call.query.get("member", "")
    given = (number, task, reason, passes) if make is SkipTask else (number, task, reason)
    command = make(*given, actor=call.actor, member=member)
    with services.scheduler.read() as store:
        row = find_run(store, number)
        found = meant.find(store, row, task, member, partial(graph_of, compiled_by(services, store)))
        hint = "" if isinstance(found, Task) else task_hint(store, number, task)
        refusal = _judged(store, row, found, may) if isinstance(found, Task) else found
        if passes and refusal is None and (job := _job(services, store, row)) is not None:
            refusal = hands.passing_task(job, task)
    if not call.flag("dry_run"):
        expect_ok(await services.scheduler.propose(command), what=f"task {task[:100]}", hint=hint)
    else:
        need_proposable(command, what=f"run {number}")
        if refusal is not None:
            expect_ok(refusal, what=f"task {task[:100]}", hint=hint)
    return Response(await run_answer(services, number), media_type="application/json")


def _judged(
    store: Store, run: Run, task: Task, may: Callable[[Run, Task, str, str], Outcome | None]
) -> Outcome | None:
    attempt = attempt_rows.live_of_task(store, task.id)
    hold = holds.get(store, run.id, task.id)
    state = "" if attempt is None else attempt.state
    return may(run, task, state, "" if hold is None else hold.failed)


def _reason_and_pass(call: Call) -> tuple[str, bool]:
    document: dict[str, Any] = call.json_object(optional=True)
    passes = document.pop("pass", False)
    if not isinstance(passes, bool):
        error = FieldError("/pass", "true or false")
        raise Problem("validation", f"{error.pointer}: {error.detail}", hint=HINT, errors=[error])
    return _reason(document), passes


async def need_operable(services: Services, call: Call, run: int) -> None:
    """Raises Problem where the caller may not operate that run, or there is none. Whose it is, its tasks and
    how they stand must be known here: it may have been acknowledged by another node a moment ago."""
    await services.scheduler.catch_up(timeout_s=CATCH_UP_S)
    with services.scheduler.read() as store:
        need_run(store, call, access.OPERATE, run)


def reason_of(call: Call) -> str:
    """The body's one field. Raises Problem."""
    return _reason(call.json_object(optional=True))


def _reason(document: dict[str, Any]) -> str:
    errors = [FieldError(f"/{name[:100]}", "unknown field") for name in document if name != "reason"]
    reason = document.get("reason", "")
    if not isinstance(reason, str) or len(reason) > REASON_LETTERS_MAX:
        errors.append(FieldError("/reason", f"a text of at most {REASON_LETTERS_MAX} letters"))
    if errors:
        said = f"{errors[0].pointer}: {errors[0].detail}"
        raise Problem("validation", said, hint=HINT, errors=errors[:20])
    return str(reason)
