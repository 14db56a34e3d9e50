"""One coming tick of a job is held, released, skipped, moved, or given parameters."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas
from api.call import Call, call_of, json_response
from api.consistency import settle
from api.days import change_json
from api.instants import parse_instant, rfc3339
from api.jobs.reading import find_job
from api.outcomes import expect_ok
from api.parameters import EACH
from api.problems import FieldError, Problem, from_job_problems
from api.reasons import need_fields
from api.services import Services, services_of
from scheduler.machine.rules import changing
from scheduler.model import JobError
from scheduler.model.param_values import check_params, declared_params
from scheduler.store.connection import Store
from scheduler.store.tables import changed_ticks
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.jobs import Job
from scheduler.ticks import schedule
from scheduler.words.commands import ChangeTick

router = APIRouter(tags=["ticks"], dependencies=EACH)

ACTS = {"hold": "hold", "release": "release", "skip": "skip", "move_to": "move", "params": "give"}
FIELDS = (*ACTS, "trigger", "reason")
HINT = 'Send one of {"hold": true}, {"release": true}, {"skip": true}, {"move_to": INSTANT}, {"params": {…}}.'


class _Act(NamedTuple):
    field: str
    value: Any

    @property
    def name(self) -> str:
        return ACTS[self.field]


@router.patch(
    "/v1/jobs/{name}/ticks/{at}", operation_id="changeTick", openapi_extra=schemas.change_tick,
    responses=schemas.tick_change_replies,
)  # fmt: skip
async def change_tick(request: Request, name: str, at: str) -> Response:
    """Hold, release, skip or move one coming tick, or give its run other parameters. It is named by its
    nominal instant, and keeps that and its plan date; what is said next takes the place of what was said."""
    services, call = services_of(request), call_of(request)
    call.need(access.OPERATE, namespace=call.namespace)
    document, at_ms = call.json_object(), parse_instant("at", at, _of_path)
    need_fields(document, FIELDS, HINT)
    act, reason = _act(document), _reason(document)
    await settle(call, services.commits)
    with services.scheduler.read() as store:
        job = find_job(store, call.namespace, name)
        key = _trigger(store, job, at_ms, document.get("trigger"))
        params = _params(services, job, key, act)
    to_ms = _instant(act)
    command = ChangeTick(call.namespace, name, key, at_ms, act.name, reason, to_ms, params, call.actor)
    if call.flag("dry_run"):
        with services.scheduler.read() as store:
            row = changed_ticks.get(store, job.id, key, at_ms)
            outcome = changing.judge(store, job.id, row, command, services.scheduler.now_ms())
        if outcome is not None:
            expect_ok(outcome, what="the tick")
        return json_response({"dry_run": True, **_answer(call, name, key, at_ms), "changed": None})
    expect_ok(await services.scheduler.propose(command), what="the tick")
    with services.scheduler.read() as store:
        changed = change_json(changed_ticks.get(store, job.id, key, at_ms))
    return json_response({**_answer(call, name, key, at_ms), "changed": changed})


def _answer(call: Call, name: str, key: str, at_ms: int) -> dict[str, Any]:
    return {"namespace": call.namespace, "job": name, "trigger": key, "at": rfc3339(at_ms)}


def _act(document: dict[str, Any]) -> _Act:
    given = [field for field in ACTS if field in document]
    if len(given) != 1:
        raise _invalid("", "one thing is said of a tick at a time")
    act = _Act(given[0], document[given[0]])
    if act.field in ("hold", "release", "skip") and act.value is not True:
        raise _invalid(f"/{act.field}", "it is true, or left out")
    return act


def _instant(act: _Act) -> int | None:
    if act.name != "move":
        return None
    if not isinstance(act.value, str):
        raise _invalid("/move_to", "an instant is a text, such as 2026-12-31T23:00:00Z")
    return parse_instant("move_to", act.value, _of_body)


def _reason(document: dict[str, Any]) -> str:
    reason = document.get("reason", "")
    if not isinstance(reason, str) or len(reason) > changing.REASON_LETTERS_MAX:
        raise _invalid("/reason", f"a text of at most {changing.REASON_LETTERS_MAX} letters")
    return reason


def _trigger(store: Store, job: Job, at_ms: int, given: object) -> str:
    """The trigger whose tick it is. Raises Problem."""
    if given is not None:
        if not isinstance(given, str) or not 0 < len(given) <= 200:
            raise _invalid("/trigger", "a trigger's id")
        return given
    live = [era for era in trigger_rows.live(store, job.id) if not era.event]
    found = {era.key for era in live if schedule(era.spec).between(at_ms - 1, at_ms, 1)}
    found |= {row.key for row in changed_ticks.of_job(store, job.id, 200) if row.at_ms == at_ms}
    if len(found) == 1:
        return found.pop()
    if found:
        several = ", ".join(sorted(found))
        raise _invalid("/trigger", f"several triggers are due then, say which: {several}")
    hint = f"cronclave job next {job.name} shows its coming ticks; a tick is named by its nominal instant."
    raise Problem("not-found", f"job {job.name} has no tick at {rfc3339(at_ms)}", hint=hint)


def _params(services: Services, job: Job, key: str, act: _Act) -> bytes:
    """All parameters of its run: those of the trigger, and what was given in their place."""
    if act.name != "give":
        return b""
    compiled = services.compiled.get(job.id, job.revision, lambda: job.spec)
    known = json.loads(compiled.params_of(key))
    if not isinstance(act.value, dict):
        raise _invalid("/params", "parameters are an object")
    try:
        return check_params(declared_params(job.spec), known | act.value)
    except JobError as error:
        problems = [problem.below("/params") for problem in error.problems]
        raise from_job_problems(problems, what="the parameters") from None


def _of_path(name: str, detail: str, hint: str) -> Problem:
    return Problem("validation", f"{name}, in the path: {detail}", hint=hint)


def _of_body(name: str, detail: str, hint: str) -> Problem:
    errors = [FieldError(f"/{name}", detail)]
    return Problem("validation", f"/{name}: {detail}", hint=hint or HINT, errors=errors)


def _invalid(pointer: str, detail: str) -> Problem:
    said = f"{pointer}: {detail}" if pointer else detail
    return Problem("validation", said, hint=HINT, errors=[FieldError(pointer, detail)])
