"""Somebody outside says how a task ended, or how far it is (`async`): with the attempt's own token, or as one
who operates runs. Whether the word counts is the machine's (`scheduler.machine.rules.completing`): a dry run
asks the same."""

from __future__ import annotations

from functools import partial
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import schemas
from api.access import CATCH_UP_S
from api.call import Call, call_of, json_response
from api.compiled import compiled_by, graph_of
from api.completed import completion_json
from api.jobs.reading import find_run
from api.jobs.tasks import task_hint
from api.outcomes import expect_ok, need_proposable
from api.parameters import EACH
from api.problems import FieldError, Problem, query_problem
from api.routes.hands import need_operable
from api.routes.runs import run_number
from api.services import Services, services_of
from scheduler.machine.rules import completing, meant
from scheduler.machine.rules.completing import MESSAGE_LETTERS_MAX, TEXT_LETTERS_MAX
from scheduler.model.compiled import CompiledTask
from scheduler.model.outputs import member_bytes_max
from scheduler.store.connection import Store
from scheduler.store.tables import attempts as attempt_rows
from scheduler.store.tables import completions, fanouts, restores
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.attempts import Attempt
from scheduler.store.tables.completions import OUTCOMES, Completion
from scheduler.store.tables.runs import Run
from scheduler.store.tables.tasks import Task
from scheduler.words.causes import Kind
from scheduler.words.commands import CompleteTask, ReportProgress
from scheduler.words.json_text import json_text
from scheduler.words.outcomes import Code, Outcome

router = APIRouter(tags=["runs"], dependencies=EACH)

HINT = 'Send {"outcome": "succeeded", "message": "why", "outputs": {"rows": 3}}, or the outcome alone.'
PROGRESS_HINT = 'Send {"percent": 40, "text": "what it is at"}, or one of them.'


class _Meant(NamedTuple):
    """What a request is about, as this node has it."""

    run: Run
    task: Task
    attempt: Attempt | None
    compiled: CompiledTask | None
    names: tuple[str, ...]  #: of its outputs
    bytes_max: int
    known: Completion | None


@router.post(
    "/v1/runs/{run}/tasks/{task}/complete", operation_id="completeTask", openapi_extra=schemas.complete
)
async def complete_task(request: Request, run: str, task: str) -> Response:
    """An async task has ended as this says: by its attempt's own token, or by who operates runs. The same
    word again is no mistake; another is refused. Where its process has not ended it counts when that has."""
    services, call, number = services_of(request), call_of(request), run_number(run)
    await _need_right(services, call, number)
    said = _said(call, number)
    member = _member(call)
    with services.scheduler.read() as store:
        found = _meant(services, store, call, number, task, member)
        refusal = found if isinstance(found, Outcome) else _judged(services, store, found, said)
        hint = task_hint(store, number, task) if isinstance(found, Outcome) else ""
    attempt = 0 if call.callback is None else call.callback.attempt
    command = CompleteTask(
        number, task, said.outcome, said.message, said.outputs, attempt, member, call.actor
    )
    if call.flag("dry_run"):
        need_proposable(command, what=f"run {number}")
        outcome = refusal
    else:
        outcome = await services.scheduler.propose(command)
    if outcome is not None and not outcome.ok:
        expect_ok(outcome, what=f"task {task[:100]}", hint=hint)
    return await _answer(services, call, number, task, member)


@router.post(
    "/v1/runs/{run}/tasks/{task}/progress", operation_id="reportProgress", openapi_extra=schemas.progress
)
async def report_progress(request: Request, run: str, task: str) -> Response:
    """How far an async task is: by its attempt's own token, or by who operates runs; at most every 5 s."""
    services, call, number = services_of(request), call_of(request), run_number(run)
    await _need_right(services, call, number)
    percent, text = _progress(call)
    member = _member(call)
    with services.scheduler.read() as store:
        found = _meant(services, store, call, number, task, member)
        hint = task_hint(store, number, task) if isinstance(found, Outcome) else ""
    if isinstance(found, Outcome):
        expect_ok(found, what=f"task {task[:100]}", hint=hint)
        raise AssertionError
    refusal = completing.open_to(found.run, found.task, found.attempt, found.compiled)
    if refusal is None and found.known is not None:
        refusal = completing.too_soon(found.known, percent, text, services.scheduler.now_ms())
    if refusal is not None:  # without a round of the log: it may come a thousand times
        _refuse_progress(services, refusal, task)
    assert found.attempt is not None
    is_told = found.known is not None and (found.known.percent, found.known.doing) == (percent, text)
    command = ReportProgress(number, found.attempt.id, percent, text)
    if call.flag("dry_run"):
        need_proposable(command, what=f"run {number}")
    elif not is_told:
        outcome = await services.scheduler.propose(command)
        if not outcome.ok:
            _refuse_progress(services, outcome, task)
    return await _answer(services, call, number, task, member)


def _member(call: Call) -> str:
    """Of a divided task. Raises Problem."""
    member = call.query.get("member", "")
    if call.callback is not None and member:
        raise query_problem("member", "its token says which member it is")
    return member


def _refuse_progress(services: Services, refusal: Outcome, task: str) -> None:
    if refusal.code == Code.LIMIT:
        again_ms = int(str((refusal.value or {}).get("again_ms", 0)))
        after_s = max(1, -(-(again_ms - services.scheduler.now_ms()) // 1_000))
        raise Problem("told-too-often", refusal.detail, headers={"Retry-After": str(after_s)})
    expect_ok(refusal, what=f"task {task[:100]}")


async def _need_right(services: Services, call: Call, run: int) -> None:
    """Raises Problem."""
    if call.callback is None:
        await need_operable(services, call, run)
        return
    await services.scheduler.catch_up(timeout_s=CATCH_UP_S)
    with services.scheduler.read() as store:
        if attempt_rows.get(store, call.callback.attempt) is not None:
            return
        restore = restores.current(store)
        if restore is not None and call.callback.restores < restore.number:
            said = "its attempt is not in the backup from which the cluster was restored"
            raise Problem("gone", said)
    raise Problem("not-found", "its attempt is no more", hint="Finished runs are purged by retention.")


def _meant(
    services: Services, store: Store, call: Call, number: int, name: str, member: str
) -> _Meant | Outcome:
    """Raises Problem where the address is not that of the token's attempt."""
    if call.callback is None:
        run = find_run(store, number)
        task = meant.find(store, run, name, member, partial(graph_of, compiled_by(services, store)))
        if isinstance(task, Outcome):
            return task
        attempt = attempt_rows.newest_of_task(store, task.id)
    else:
        attempt = attempt_rows.get(store, call.callback.attempt)
        own = None if attempt is None else task_rows.get(store, attempt.task)
        row = None if attempt is None else run_rows.get(store, attempt.run)
        if own is None or row is None or (row.id, own.name) != (number, name):
            raise Problem(
                "forbidden", "the token is that of another task", hint="Use $CRONCLAVE_CALLBACK_URL as it is."
            )
        run, task = row, own
    known = None if attempt is None else completions.get(store, attempt.id, run.id)
    if not run.first_task or run.cause == Kind.ORPHAN:
        return _Meant(run, task, attempt, None, (), 0, known)
    graph = graph_of(compiled_by(services, store), run)
    most, spread = graph.job.outputs_bytes_max, fanouts.get(store, task.of_group) if task.member else None
    if spread is not None:
        most = member_bytes_max(most, spread.members)
    return _Meant(run, task, attempt, graph.of(run, task), graph.job.outputs.get(task.name, ()), most, known)


def _judged(services: Services, store: Store, found: _Meant, said: Completion) -> Outcome | None:
    restore = restores.current(store)
    return completing.judge(
        found.run, found.task, found.attempt, found.compiled, found.known, said, found.names,
        found.bytes_max, now_ms=services.scheduler.now_ms(),
        restored_ms=0 if restore is None else restore.taken_ms or 0,
    )  # fmt: skip


async def _answer(services: Services, call: Call, number: int, name: str, member: str) -> Response:
    """How it stands."""
    with services.scheduler.read() as store:
        found = _meant(services, store, call, number, name, member)
    assert isinstance(found, _Meant)
    attempt, known = found.attempt, found.known
    assert attempt is not None
    assert known is not None
    return json_response({
        "run": number, "task": name, "member": found.task.member or None, "attempt": attempt.number,
        "state": attempt.state, **completion_json(known, found.task),
    })  # fmt: skip


def _said(call: Call, run: int) -> Completion:
    """Of the body. Raises Problem."""
    document = call.json_object()
    errors = _unknown(document, ("outcome", "message", "outputs"))
    outcome, message, outputs = (document.get(name) for name in ("outcome", "message", "outputs"))
    if outcome not in OUTCOMES:
        errors.append(FieldError("/outcome", f"{' or '.join(OUTCOMES)}: as what it ends"))
    if message is not None and (not isinstance(message, str) or len(message) > MESSAGE_LETTERS_MAX):
        errors.append(FieldError("/message", f"a text of at most {MESSAGE_LETTERS_MAX} letters"))
    if outputs is not None and not isinstance(outputs, dict):
        errors.append(FieldError("/outputs", "an object of texts, numbers, true and false"))
    elif outputs and outcome == completions.FAILED:
        errors.append(FieldError("/outputs", "a task that failed gives none to those after it"))
    _refuse(errors, HINT)
    written = json_text(outputs) if outputs else b""
    return Completion(0, run, outcome=str(outcome), message=message or "", outputs=written)


def _progress(call: Call) -> tuple[int | None, str]:
    """Of the body. Raises Problem."""
    document = call.json_object()
    errors = _unknown(document, ("percent", "text"))
    percent, text = document.get("percent"), document.get("text")
    is_number = isinstance(percent, int) and not isinstance(percent, bool)
    if percent is not None and not (is_number and 0 <= percent <= 100):
        errors.append(FieldError("/percent", "a whole number from 0 to 100"))
    if text is not None and (not isinstance(text, str) or len(text) > TEXT_LETTERS_MAX):
        errors.append(FieldError("/text", f"a text of at most {TEXT_LETTERS_MAX} letters"))
    if percent is None and not text and not errors:
        errors.append(FieldError("", "neither percent nor text is given"))
    _refuse(errors, PROGRESS_HINT)
    return percent, text or ""


def _unknown(document: dict[str, Any], known: tuple[str, ...]) -> list[FieldError]:
    return [FieldError(f"/{name[:100]}", "unknown field") for name in document if name not in known]


def _refuse(errors: list[FieldError], hint: str) -> None:
    if errors:
        said = f"{errors[0].pointer}: {errors[0].detail}" if errors[0].pointer else errors[0].detail
        raise Problem("validation", said, hint=hint, errors=errors[:20])
