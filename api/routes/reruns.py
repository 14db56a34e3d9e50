"""A run that has ended is repeated, as a whole or in part. Which of its tasks are made anew is the machine's
(`scheduler.machine.rules.reruns`): a dry run asks the same, and tells."""

from __future__ import annotations

import json
from typing import Any, NamedTuple

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas
from api.access import CATCH_UP_S
from api.call import Call, call_of, json_response
from api.jobs.reading import need_seen, run_answer
from api.near import near_miss
from api.outcomes import expect_ok, need_proposable
from api.parameters import EACH, NUMBER_MAX
from api.problems import FieldError, Problem, from_job_problems
from api.routes.runs import run_number
from api.services import Services, services_of
from api.threads import beside
from scheduler.machine.rules import graphs, reruns
from scheduler.machine.rules.graphs import Graph
from scheduler.machine.rules.hands import REASON_LETTERS_MAX
from scheduler.model import JobError
from scheduler.model.param_values import check_params, declared_params
from scheduler.store.reads import jobs as job_reads
from scheduler.store.tables import jobs as job_rows
from scheduler.store.tables import runs as run_rows
from scheduler.store.tables import tasks as task_rows
from scheduler.store.tables.runs import Run
from scheduler.words.commands import RerunRun
from scheduler.words.outcomes import Code, Outcome

router = APIRouter(tags=["runs"], dependencies=EACH)

FLAGS = ("from_failed", "after", "held")
TASKS = "cronclave run show {run}, or GET /v1/runs/{run}, has the names of its tasks."
FIELDS = (*FLAGS, "from", "until", "params", "revision", "reason")
ALL = "Without from_failed (--from-failed) and from (--from) all of it is repeated."
UNENDED = "Wait for it (cronclave run wait {run}), or end it (cronclave run cancel {run})."
GONE = (
    "Finished runs are purged by their job's retention. Run the job anew, with the same plan date and "
    "parameters: cronclave job run NAME --plan-date DATE --param KEY=VALUE."
)
TOLD_MAX = 200  #: names of tasks, of each sort
HINT = 'Send {"from_failed": true}, {"from": "a task"}, {"until": "a task"}, or nothing for all of it.'
BAD_BEFORE = "From what failed (--from-failed, or from_failed: true) what did not end well is done again too."


class Asked(NamedTuple):
    """The body, checked by itself."""

    from_failed: bool
    after: bool
    held: bool
    from_task: str
    until_task: str
    params: dict[str, Any]
    revision: int | str
    reason: str

    @property
    def takes(self) -> bool:
        """Something of the run may be taken over."""
        return self.from_failed or bool(self.from_task)


@router.post(
    "/v1/runs/{run}/rerun",
    operation_id="rerunRun",
    openapi_extra=schemas.rerun,
    responses=schemas.run_replies,
)
async def rerun_run(request: Request, run: str) -> Response:
    """Repeat a run that has ended: a new run, of the same tick and plan date. What ended well need not be
    done again."""
    services, call, number = services_of(request), call_of(request), run_number(run)
    call.need(access.RUN, namespace=access.Reach.ANY)
    await services.scheduler.catch_up(timeout_s=CATCH_UP_S)  # what is judged here is how it stands by now
    asked = _asked(call)
    with services.scheduler.read() as store:  # at once: it may be purged behind this
        source = need_seen(call, access.RUN, run_rows.get(store, number))
        ended = task_rows.ends(store, number) if asked.takes else {}
    if source is None:
        raise _gone(number)
    graph, spec, revision = await _graph(services, source, asked)
    params = _params(source, spec, asked, is_same=revision == source.revision)
    key, body = call.idempotency()
    command = RerunRun(
        number, params, services.scheduler.now_ms(), revision if asked.revision != "same" else 0,
        asked.from_failed, asked.from_task, asked.until_task, asked.after, asked.held, asked.reason,
        call.actor, key, body,
    )  # fmt: skip
    wanted = reruns.wanted_of(command, source)
    plan = reruns.judge(graph, source, ended, wanted)
    if isinstance(plan, Outcome):
        raise _refused(plan, graph, asked, source)
    if call.flag("dry_run"):
        need_proposable(command, what=f"rerun of run {number}")
        return json_response(_told(graph, plan, source, revision, params))
    outcome = await services.scheduler.propose(command)
    if outcome.code == Code.NOT_FOUND:
        raise _gone(number)
    value = expect_ok(outcome, what=f"rerun of run {number}")
    made = value["run"]
    if not isinstance(made, int):
        raise TypeError(f"the outcome of RerunRun has no run: {value}")
    headers = {"Location": f"/v1/runs/{made}"}
    return Response(await run_answer(services, made), 201, headers=headers, media_type="application/json")


def _gone(number: int) -> Problem:
    return Problem("not-found", f"there is no run {number}: what it did cannot be taken over", hint=GONE)


def _asked(call: Call) -> Asked:
    """Raises Problem."""
    given = call.json_object(optional=True)
    errors = [FieldError(f"/{name[:100]}", "unknown field") for name in given if name not in FIELDS]
    wrong = [name for name in FLAGS if not isinstance(given.get(name, False), bool)]
    errors += [FieldError(f"/{name}", "true or false") for name in wrong]
    for name in ("from", "until"):
        if name in given and not (isinstance(given[name], str) and given[name]):
            errors.append(FieldError(f"/{name}", "the name of a task"))
    if given.get("params") is not None and not isinstance(given["params"], dict):
        errors.append(FieldError("/params", "an object: of each that is to be another"))
    if given.get("from_failed") is True and "from" in given:
        errors.append(FieldError("/from", "from what failed, or from a task: not both"))
    revision, reason = given.get("revision", "same"), given.get("reason", "")
    is_number = isinstance(revision, int) and not isinstance(revision, bool) and 0 < revision <= NUMBER_MAX
    if not is_number and revision not in ("same", "latest"):
        errors.append(FieldError("/revision", "same, latest, or the number of a revision"))
    if not isinstance(reason, str) or len(reason) > REASON_LETTERS_MAX:
        errors.append(FieldError("/reason", f"a text of at most {REASON_LETTERS_MAX} letters"))
    if errors:
        said = f"{errors[0].pointer}: {errors[0].detail}"
        raise Problem("validation", said, hint=HINT, errors=errors[:20])
    from_failed, after, held = (bool(given.get(name)) for name in FLAGS)
    params = given.get("params") or {}
    return Asked(
        from_failed, after, held, given.get("from", ""), given.get("until", ""), params, revision, reason
    )


async def _graph(services: Services, source: Run, asked: Asked) -> tuple[Graph, bytes, int]:
    """The job in the revision that is asked for. Raises Problem."""
    name = f"{source.namespace}/{source.name}"
    with services.scheduler.read() as store:
        job = job_rows.standing(store, source.job)
        if job is None:
            said = f"{name} was deleted: there is no job that run {source.id} is of"
            raise Problem("conflict", said, hint="Apply the job again, and run it.")
        revision = {"same": source.revision, "latest": job.revision}.get(str(asked.revision), asked.revision)
        spec = job_reads.spec_of(store, source.job, int(revision))
    if spec is None:
        said = f"{name} has no revision {revision}"
        error = FieldError("/revision", said)
        raise Problem("validation", said, hint=f"The newest is {job.revision}.", errors=[error])

    def compiled() -> Graph:
        return graphs.build(services.compiled.get(source.job, int(revision), lambda: spec))

    return await beside(len(spec), compiled), spec, int(revision)


def _params(source: Run, spec: bytes, asked: Asked, *, is_same: bool) -> bytes:
    """Those of the run, with what is to be another; what another revision declares no more is left away."""
    if is_same and not asked.params:
        return source.params.encode()
    declared, before = declared_params(spec), json.loads(source.params)
    keeps_all = is_same or declared.takes_extra
    kept = {name: value for name, value in before.items() if keeps_all or name in declared.params}
    try:
        return check_params(declared, {**kept, **asked.params})
    except JobError as error:
        problems = [problem.below("/params") for problem in error.problems]
        raise from_job_problems(problems, what="the parameters") from None


def _refused(outcome: Outcome, graph: Graph, asked: Asked, source: Run) -> Problem:
    named = (outcome.value or {}).get("task")
    if outcome.code in (Code.MISSING, Code.INVALID):
        is_last = named is not None and named != asked.from_task[:100]
        name = asked.until_task if is_last else asked.from_task
        hint = near_miss(name, graph.by_name, TASKS) if outcome.code == Code.MISSING else TASKS
        hint = hint.replace("{run}", str(source.id))
        errors = [FieldError("/until" if is_last else "/from", outcome.detail)]
        return Problem("validation", outcome.detail, hint=hint, errors=errors)
    if source.finished_ms is None:
        return Problem("conflict", outcome.detail, hint=UNENDED.replace("{run}", str(source.id)))
    return Problem("conflict", outcome.detail, hint=BAD_BEFORE if named else ALL)


def _told(graph: Graph, plan: bytes, source: Run, revision: int, params: bytes) -> dict[str, Any]:
    sorts: dict[str, list[str]] = {"anew": [], "taken": [], "left_out": []}
    words = {reruns.ANEW[0]: "anew", reruns.LEFT_OUT[0]: "left_out"}
    for letter, task in zip(plan, graph.job.tasks, strict=True):
        sorts[words.get(letter, "taken")].append(task.name)
    return {
        "dry_run": True, "run": source.id, "job": source.name, "namespace": source.namespace,
        "revision": revision, "params": json.loads(params),
        "counts": {word: len(names) for word, names in sorts.items()},
        **{word: names[:TOLD_MAX] for word, names in sorts.items()},
    }  # fmt: skip
