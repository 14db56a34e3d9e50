"""Jobs are run, now, and their runs waited for.

As in `api.jobs.writing`, nothing here may use FastAPI's request.
"""

from __future__ import annotations

import json

from starlette.responses import Response

from api import access
from api.call import Call, json_response
from api.connection import happens
from api.days import day_of
from api.instants import parse_wait_s
from api.jobs import dates
from api.jobs.reading import find_job, run_answer
from api.known_jobs import KnownJob
from api.outcomes import expect_ok, need_proposable
from api.parameters import need_known
from api.problems import FieldError, Problem, from_job_problems
from api.services import Services
from api.threads import beside, encode
from api.views import is_single, new_run_json
from scheduler.machine.rules.hands import REASON_LETTERS_MAX
from scheduler.model import JobError
from scheduler.model.compiled import CompiledJob
from scheduler.model.fields import type_name
from scheduler.model.param_values import check_params, declared_params
from scheduler.store.tables import runs as run_rows
from scheduler.ticks import plan_days
from scheduler.words.commands import RunJob

GIVEN = ("params", "plan_date", "held", "reason", "ignore_admission", "closed")
HINT = (
    'Send {"params": {…}, "plan_date": "2026-12-31", "held": true, "reason": "why",'
    ' "ignore_admission": true, "closed": true}; each may be left out.'
)
RUN_PARAMETERS = frozenset({"dry_run", "wait"})


async def run_job(services: Services, call: Call, name: str) -> Response:
    """POST /v1/jobs/{name}/runs"""
    need_known(call, RUN_PARAMETERS)
    call.need(access.RUN, namespace=call.namespace)
    given = call.json_object(optional=True)
    unknown = [field for field in given if field not in GIVEN]
    if unknown:
        errors = [FieldError(f"/{field[:100]}", "unknown field") for field in unknown[:20]]
        raise Problem(
            "validation", f"unknown field {unknown[0][:100]!r}",
            hint=HINT, errors=errors,
        )  # fmt: skip
    wait_s = parse_wait_s("wait", call.query["wait"]) if "wait" in call.query else 0.0
    scheduler = services.scheduler
    plan_day = _plan_day(given.get("plan_date"))
    held, reason, any_time, closed = _held(given)
    values = given.get("params") if given.get("params") is not None else {}
    try:
        known = services.known_jobs.get(call.namespace, name) or await _looked_up(services, call, name)
        params = check_params(known.params, values)
    except JobError as error:
        problems = [problem.below("/params") for problem in error.problems]
        raise from_job_problems(problems, what="the parameters") from None
    key, body = call.idempotency()
    agent = services.head_start.agent_for(known.compiled)
    command = RunJob(
        call.namespace, name, params, scheduler.now_ms(), call.actor, key, body, agent.id if agent else 0,
        plan_day, held, reason, any_time, closed,
    )  # fmt: skip
    if call.flag("dry_run"):
        need_proposable(command, what=f"run of {name}")
        _need_open(services, command)
        counted = _dated(services, known.compiled, command)
        return json_response(
            {
                "dry_run": True, "job": name, "namespace": call.namespace, "revision": known.revision,
                "params": json.loads(counted),
            }
        )  # fmt: skip
    value = expect_ok(await scheduler.propose(command), what=f"run of {name}")
    run_id = value.get("run")
    if not isinstance(run_id, int):
        raise TypeError(f"the outcome of RunJob has no run: {value}")
    if wait_s > 0:
        await until_ended(services, run_id, wait_s)
    is_other = value["revision"] != known.revision or value["waiting"]
    if wait_s > 0 or key or held or is_other or not is_single(known.compiled):
        document = await run_answer(services, run_id)
    else:
        document = encode(new_run_json(command, known.compiled, value, agent))
    headers = {"Location": f"/v1/runs/{run_id}"}
    return Response(document, 201, headers=headers, media_type="application/json")


def _dated(services: Services, job: CompiledJob, command: RunJob) -> str:
    """The parameters that its run would have. Raises Problem where one of its dates cannot be counted."""
    with services.scheduler.read() as store:
        plan_day = day_of(store, command.namespace, command.plan_day, command.due_ms).date
        said = dates.of_run(store, job, command.params.decode(), plan_day, command.due_ms)
    if said.undated:
        raise Problem("validation", said.undated, errors=[FieldError("/params", said.undated)])
    return said.params


def _plan_day(given: object) -> int | None:
    """The date that somebody said. Raises Problem."""
    if given is None:
        return None
    try:
        if not isinstance(given, str):
            raise ValueError(f"a date is text, not {type_name(given)}")
        return plan_days.parse(given)
    except ValueError as error:
        raise Problem(
            "validation", f"plan_date: {error}", hint='Write a date as "2026-12-31".',
            errors=[FieldError("/plan_date", str(error))],
        ) from None  # fmt: skip


def _need_open(services: Services, command: RunJob) -> None:
    """Raises Problem where the machine would refuse it, since its plan date is closed."""
    with services.scheduler.read() as store:
        day = day_of(store, command.namespace, command.plan_day, command.due_ms)
    if day.closed is not None and not command.closed:
        detail = f"plan date {plan_days.text_of(day.date)} is closed: {day.closed.reason}"
        raise Problem("conflict", detail, hint='Send "closed": true where the run is meant all the same.')


def _held(given: dict[str, object]) -> tuple[bool, str, bool, bool]:
    """Whether it is to wait for its release, and why; whether for no admission window; whether its plan date
    may be closed. Raises Problem."""
    held, reason = given.get("held", False), given.get("reason", "")
    any_time, closed = given.get("ignore_admission", False), given.get("closed", False)
    errors = [
        FieldError(f"/{name}", f"true or false, not {type_name(value)}")
        for name, value in (("held", held), ("ignore_admission", any_time), ("closed", closed))
        if not isinstance(value, bool)
    ]
    if not isinstance(reason, str) or len(reason) > REASON_LETTERS_MAX:
        errors.append(FieldError("/reason", f"a text of at most {REASON_LETTERS_MAX} letters"))
    if errors:
        said = f"{errors[0].pointer}: {errors[0].detail}"
        raise Problem("validation", said, hint=HINT, errors=errors)
    return bool(held), str(reason), bool(any_time), bool(closed)


async def _looked_up(services: Services, call: Call, name: str) -> KnownJob:
    """The job as this node has it. Raises Problem."""
    with services.scheduler.read() as store:
        row = find_job(store, call.namespace, name)

    def judged() -> KnownJob:
        compiled = services.compiled.get(row.id, row.revision, lambda: row.spec)
        return KnownJob(row.revision, compiled, declared_params(row.spec))

    known = await beside(len(row.spec), judged)
    services.known_jobs.keep(known)
    return known


async def until_ended(services: Services, run_id: int, seconds: float) -> bool:
    """Whether the run has ended within that time."""
    services.commits.start()
    with services.run_ends.watch(run_id) as ended:  # listen first, then look
        with services.scheduler.read() as store:
            row = run_rows.get(store, run_id)
        if row is None or row.finished_ms is not None:
            return True
        if not services.commits.closed.is_set() and await happens(ended, seconds):
            await services.turns.mine()
            return True
    return False
