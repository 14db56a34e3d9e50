"""POST /v1/apply: many jobs at once, all or none, with a diff of what it does."""

from __future__ import annotations

from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas
from api.call import Call, call_of, json_response, json_type
from api.jobs.bodies import documents, need_unspent, parse_writable
from api.outcomes import expect_ok, need_proposable
from api.problems import FieldError, Problem, from_job_problems
from api.services import Services, services_of
from api.threads import in_thread, judge_body, write_of
from scheduler.machine.rules.spent import spent
from scheduler.model import Job, JobError, prepare
from scheduler.model.server_facts import definition_of
from scheduler.store.tables import jobs as job_rows
from scheduler.words.commands import PreparedJob, PutJobs
from scheduler.words.outcomes import Code

router = APIRouter(tags=["jobs"])

JOBS_MAX = 1_000
FIELDS = frozenset({"jobs", "dry_run", "prune", "source"})
ERRORS_MAX = 200


@router.post("/v1/apply", operation_id="applyJobs", openapi_extra=schemas.apply_jobs)
async def apply_jobs(request: Request) -> Response:
    """Create or change up to 1,000 jobs, all or none, as one command of 1 MiB with all defaults filled in.
    Replies with what was created, changed, unchanged."""
    services, call = services_of(request), call_of(request)
    call.need(access.EDIT, namespace=access.Reach.ANY)
    size = len(call.body)
    given, dry, source = await judge_body(size, lambda: _content(call))
    now_ms = services.scheduler.now_ms()
    jobs, prepared = await judge_body(size, lambda: _prepared(call, given, now_ms))
    diff, over = await in_thread(_diff, services, prepared, now_ms)
    key, body = call.idempotency()
    command = PutJobs(tuple(prepared), now_ms, call.actor, key, body, source)
    if dry:
        need_unspent(given, jobs, over, now_ms, prefix=True)
        await in_thread(_need_proposable, services, command)
        return json_response({"dry_run": True, **diff})
    async with write_of(sum(len(job.spec) for job in prepared)):
        outcome = await services.scheduler.propose(command, timeout_s=30.0)
    if outcome.code == Code.PAST:
        need_unspent(given, jobs, (outcome.value or {}).get("triggers"), now_ms, prefix=True)
    value = expect_ok(outcome, what="apply")
    return json_response({"dry_run": False, **_committed(value, diff)})


def _need_proposable(services: Services, command: PutJobs) -> None:
    with services.scheduler.read() as store:
        need_proposable(command, what="apply", store=store)


def _content(call: Call) -> tuple[list[Any], bool, str]:
    """The jobs, whether it is a dry run, the source's name."""
    found = documents(call)
    dry = call.flag("dry_run")
    prune = call.flag("prune")
    source: object = call.query.get("source", "")
    if len(found) == 1 and isinstance(found[0], dict) and "jobs" in found[0]:
        head = found[0]
        unknown = [name for name in head if name not in FIELDS]
        if unknown:
            errors = [FieldError(f"/{name[:100]}", "unknown field") for name in unknown[:20]]
            raise Problem("validation", f"unknown field {unknown[0][:100]!r}", errors=errors)
        wrong = [name for name in ("dry_run", "prune") if type(head.get(name, False)) is not bool]
        if wrong:
            errors = [FieldError(f"/{name}", "it is true or false") for name in wrong]
            raise Problem("validation", f"{wrong[0]} is true or false", errors=errors)
        dry = dry or head.get("dry_run") is True
        prune = prune or head.get("prune") is True
        source = head.get("source", source)
        given = head["jobs"]
    else:
        given = found[0] if len(found) == 1 and isinstance(found[0], list) else found
    if prune:
        raise Problem(
            "not-available", "prune is not available in this version", hint="Delete jobs one by one."
        )
    if not isinstance(source, str) or len(source) > 500:
        raise Problem("validation", "source is a text of at most 500 letters")
    if not isinstance(given, list):
        detail = f"jobs is an array, not {json_type(given)}"
        raise Problem("validation", detail, errors=[FieldError("/jobs", detail)])
    if not given:
        raise Problem("validation", "there are no jobs in it", errors=[FieldError("/jobs", "it is empty")])
    if len(given) > JOBS_MAX:
        raise Problem(
            "validation", f"{len(given)} jobs at once, at most {JOBS_MAX}", hint="Send several requests."
        )
    return given, dry, source


def _prepared(call: Call, given: list[Any], now_ms: int) -> tuple[list[Job], list[PreparedJob]]:
    format = call.scheduler.status().format
    jobs: list[Job] = []
    prepared: list[PreparedJob] = []
    names: dict[tuple[str, str], int] = {}
    errors: list[Any] = []
    for position, data in enumerate(given):
        try:
            if isinstance(data, dict):
                data = definition_of(data)
            job: Job = parse_writable(call, data)
        except JobError as error:
            errors += [problem.below(f"/jobs/{position}") for problem in error.problems]
            if len(errors) > ERRORS_MAX:
                break
            continue
        first = names.setdefault((job.namespace, job.name), position)
        if first != position:
            detail = f"{job.namespace}/{job.name} is in it twice: also as number {first}"
            errors.append(FieldError(f"/jobs/{position}/job", detail))
        jobs.append(job)
        prepared.append(prepare(job, now_ms, format=format))
    if errors:
        raise from_job_problems(errors[:ERRORS_MAX], what="apply")
    return jobs, prepared


def _diff(
    services: Services, prepared: list[PreparedJob], now_ms: int
) -> tuple[dict[str, list[dict[str, Any]]], list[list[int]]]:
    """What would become of each, and the (job, trigger) that would be refused."""
    over: list[list[int]] = []
    diff: dict[str, list[dict[str, Any]]] = {"created": [], "changed": [], "unchanged": []}
    with services.scheduler.read() as store:
        for place, job in enumerate(prepared):
            row = job_rows.find(store, job.namespace, job.name)
            kind = "created" if row is None else "unchanged" if bytes(row.spec) == job.spec else "changed"
            entry = {
                "namespace": job.namespace,
                "name": job.name,
                "revision": None if row is None else row.revision,
            }
            diff[kind].append(entry)
            over += [[place, each] for each in spent(store, job, None if row is None else row.id, now_ms)]
    return diff, over[:ERRORS_MAX]


def _committed(value: dict[str, object], diff: dict[str, list[dict[str, Any]]]) -> dict[str, Any]:
    """The diff as the log decided it; what was read before the commit only where the outcome does not say."""
    jobs = value.get("jobs")
    if not isinstance(jobs, list | tuple):
        return diff
    decided: dict[str, list[dict[str, Any]]] = {"created": [], "changed": [], "unchanged": []}
    for job in jobs:
        kind = "created" if job["created"] else "changed" if job["changed"] else "unchanged"
        decided[kind].append(
            {"namespace": job["namespace"], "name": job["name"], "revision": job["revision"]}
        )
    return decided
