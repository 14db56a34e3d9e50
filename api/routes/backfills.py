"""Runs of a job for instants that are past: begun, looked at, cancelled."""

from __future__ import annotations

from collections import Counter
from typing import Annotated, Any, NamedTuple

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import access, schemas
from api.call import Call, call_of, json_response
from api.consistency import settle
from api.cursors import make_cursor, read_cursor
from api.instants import parse_instant, rfc3339
from api.jobs.reading import find_job
from api.outcomes import expect_ok
from api.parameters import EACH, NUMBER_MAX
from api.problems import FieldError, Problem, from_job_problems
from api.reasons import need_fields
from api.services import Services, services_of
from api.threads import read_reply
from scheduler.machine.rules import filling
from scheduler.machine.rules.filling import ACTIVE_MAX, INSTANTS_MAX, REASON_LETTERS_MAX
from scheduler.model import JobError
from scheduler.model.fields import type_name
from scheduler.model.param_values import check_params, declared_params
from scheduler.store.connection import Store
from scheduler.store.tables import backfills, namespaces
from scheduler.store.tables import triggers as trigger_rows
from scheduler.store.tables.backfills import GOING, Backfill
from scheduler.store.tables.jobs import Job
from scheduler.ticks import plan_days, reach_ms, schedule
from scheduler.words.commands import CancelBackfill, StartBackfill

router = APIRouter(tags=["ticks"], dependencies=EACH)

FIELDS = (
    "from", "to", "trigger", "missing_only", "again", "closed", "max_active", "params", "reason",
)  # fmt: skip
HINT = (
    'Send {"from": "2026-03-01", "to": "2026-03-31", "missing_only": true, "max_active": 2, "reason": "why"}:'
    " plan dates, both of them included, or instants, the first left out."
)
TOLD_MAX = 100  #: instants, of each kind
READ_MAX = 2 * INSTANTS_MAX  #: with those of other dates that a calendar has moved there
_FLAGS = ("missing_only", "again", "closed")


class _Asked(NamedTuple):
    job: Job
    command: StartBackfill
    spec: bytes  #: of its trigger
    instants: list[int]


@router.post(
    "/v1/jobs/{name}/backfill", operation_id="startBackfill", openapi_extra=schemas.start_backfill,
    responses=schemas.backfill_replies,
)  # fmt: skip
async def start_backfill(request: Request, name: str) -> Response:
    """Make a run of each past instant of a trigger in a range, the oldest first, so many at a time. What goes
    on, is still decided by itself, or was made good by a backfill before gets none. A dry run tells which."""
    services, call = services_of(request), call_of(request)
    call.need(access.RUN, namespace=call.namespace)
    document = call.json_object()
    need_fields(document, FIELDS, HINT)
    await settle(call, services.commits)
    asked = _asked(services, call, name, document)
    if call.flag("dry_run"):
        return await read_reply(lambda: _dry(services, asked))
    value = expect_ok(await services.scheduler.propose(asked.command), what=f"the backfill of {name}")
    with services.scheduler.read() as store:
        row = backfills.get(store, int(str(value["backfill"])))
    assert row is not None
    path = f"/v1/jobs/{name}/backfills/{row.id}?namespace={row.namespace}"
    return json_response(backfill_json(row), 201, {"Location": path})


@router.get(
    "/v1/jobs/{name}/backfills", operation_id="listBackfills", openapi_extra=schemas.read,
    responses=schemas.backfills_replies,
)  # fmt: skip
async def list_backfills(
    request: Request,
    name: str,
    cursor: Annotated[str | None, Query(description="next_cursor of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=100, description="Items on one page.")] = 50,
) -> Response:
    """Backfills of a job, the newest first; of those that are over the last 50 are kept."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    key = read_cursor("backfills", cursor, int)
    await settle(call, services.commits)
    with services.scheduler.read() as store:
        job = find_job(store, call.namespace, name)
        rows = backfills.of_job(store, job.id, limit + 1, None if key is None else int(key[0]))
    after = make_cursor("backfills", rows[limit - 1].id) if len(rows) > limit else None
    return json_response({"items": [backfill_json(row) for row in rows[:limit]], "next_cursor": after})


@router.get(
    "/v1/jobs/{name}/backfills/{backfill}", operation_id="getBackfill", openapi_extra=schemas.read,
    responses=schemas.backfill_replies,
)  # fmt: skip
async def get_backfill(request: Request, name: str, backfill: str) -> Response:
    """How far a backfill has come."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=call.namespace)
    await settle(call, services.commits)
    with services.scheduler.read() as store:
        return json_response(backfill_json(_find(store, call, name, backfill)))


@router.post(
    "/v1/jobs/{name}/backfills/{backfill}/cancel", operation_id="cancelBackfill",
    openapi_extra=schemas.cancel_backfill, responses=schemas.backfill_replies,
)  # fmt: skip
async def cancel_backfill(request: Request, name: str, backfill: str) -> Response:
    """Let a backfill make no more runs. Those that go on come to their end, or with `runs` are cancelled."""
    services, call = services_of(request), call_of(request)
    call.need(access.RUN, namespace=call.namespace)
    document = call.json_object(optional=True)
    need_fields(document, ("runs",), 'Send {"runs": true}, or nothing.')
    runs = document.get("runs", False)
    if not isinstance(runs, bool):
        raise _invalid("/runs", f"true or false, not {type_name(runs)}")
    await settle(call, services.commits)
    with services.scheduler.read() as store:
        row = _find(store, call, name, backfill)
    if call.flag("dry_run"):
        return json_response(backfill_json(row))
    command = CancelBackfill(row.id, runs, call.actor)
    expect_ok(await services.scheduler.propose(command), what=f"backfill {row.id}")
    with services.scheduler.read() as store:
        return json_response(backfill_json(backfills.get(store, row.id) or row))


def _asked(services: Services, call: Call, name: str, document: dict[str, Any]) -> _Asked:
    """What is asked for, with the instants that the schedule has now. Raises Problem."""
    flags = {flag: document.get(flag, False) for flag in _FLAGS}
    for flag, value in flags.items():
        if not isinstance(value, bool):
            raise _invalid(f"/{flag}", f"true or false, not {type_name(value)}")
    active = document.get("max_active", 1)
    if not isinstance(active, int) or isinstance(active, bool) or not 0 < active <= ACTIVE_MAX:
        raise _invalid("/max_active", f"a whole number from 1 to {ACTIVE_MAX}")
    reason = document.get("reason", "")
    if not isinstance(reason, str) or len(reason) > REASON_LETTERS_MAX:
        raise _invalid("/reason", f"a text of at most {REASON_LETTERS_MAX} letters")
    now_ms = services.scheduler.now_ms()
    with services.scheduler.read() as store:
        job = find_job(store, call.namespace, name)
        era = _trigger(store, job, document.get("trigger"))
        from_ms, to_ms, days = _range(store, job.namespace, document, now_ms)
        if days is not None:  # a calendar may have moved some of them out of these dates
            first_ms, next_ms = reach_ms(era.spec, from_ms + 1, to_ms + 1)
            from_ms, to_ms = first_ms - 1, min(next_ms - 1, now_ms)
        params = _params(job, document.get("params"))
        first_day, last_day = (None, None) if days is None else days
        instants = [
            at_ms
            for at_ms in schedule(era.spec).between(from_ms, to_ms, READ_MAX)
            if filling.is_meant(store, job.namespace, first_day, last_day, era.spec, at_ms)
        ]
        if not instants:
            raise _invalid("/from", f"trigger {era.key} has no instant in this range, by its schedule of now")
        key, body = call.idempotency()
        command = StartBackfill(
            call.namespace, name, era.key, from_ms, to_ms, len(instants), active, flags["missing_only"],
            flags["again"], flags["closed"], first_day, last_day, params, reason, call.actor, key, body,
        )  # fmt: skip
        refusal = filling.judge(store, job.id, command, now_ms)
    if refusal is not None:
        expect_ok(refusal, what=f"the backfill of {name}")
    return _Asked(job, command, era.spec, instants)


def _trigger(store: Store, job: Job, given: object) -> trigger_rows.Trigger:
    """The one that is meant. Raises Problem."""
    known = {era.key: era for era in trigger_rows.live(store, job.id) if not era.event}
    if given is None and len(known) == 1:
        return next(iter(known.values()))
    if given is None and not known:
        raise _invalid("/trigger", "the job has no trigger with instants: there is nothing to fill")
    if given is None:
        raise _invalid("/trigger", f"the job has several triggers, say which: {', '.join(sorted(known))}")
    if not isinstance(given, str) or given not in known:
        several = ", ".join(sorted(known)) or "none"
        said = f"the job has no trigger {str(given)[:100]!r} with instants; it has {several}"
        raise _invalid("/trigger", said)
    return known[given]


def _range(
    store: Store, namespace: str, document: dict[str, Any], now_ms: int
) -> tuple[int, int, tuple[int, int] | None]:
    """(after, until]: of plan dates, from the first instant of the one to the last of the other, and these
    dates. What is yet to come of the last one is left out. Raises Problem."""
    given = namespaces.plan_days_of(store, namespace)
    ends, days = [], []
    for name in ("from", "to"):
        text = document.get(name)
        if not isinstance(text, str):
            raise _invalid(f"/{name}", "a plan date, such as 2026-03-01, or an instant")
        try:
            day = plan_days.parse(text)
        except ValueError:
            ends.append(parse_instant(name, text, _of_body))
            continue
        days.append(day)
        first_ms, next_ms = plan_days.span_of(given, day)
        if first_ms > now_ms:
            raise _invalid(f"/{name}", "that date is yet to come: what is to come fires by itself")
        ends.append(first_ms - 1 if name == "from" else min(next_ms - 1, now_ms))
    if ends[0] >= ends[1]:
        raise _invalid("/to", "it lies before `from`")
    if ends[1] > now_ms:
        raise _invalid("/to", "it is yet to come: what is to come fires by itself")
    return ends[0], ends[1], (days[0], days[1]) if len(days) == len(ends) else None


def _params(job: Job, given: object) -> bytes:
    if given is None:
        return b""
    if not isinstance(given, dict):
        raise _invalid("/params", "parameters are an object")
    try:
        return check_params(declared_params(job.spec), given)
    except JobError as error:
        problems = [problem.below("/params") for problem in error.problems]
        raise from_job_problems(problems, what="the parameters") from None


def _dry(services: Services, asked: _Asked) -> dict[str, Any]:
    """What would come of each instant, as things stand."""
    command = asked.command
    left_out: Counter[str] = Counter()
    runs: list[int] = []
    unknown: list[int] = []
    with services.scheduler.read() as store:
        row = _row(asked)
        for at_ms in asked.instants:
            why = filling.leaves_out(store, row, asked.spec, at_ms)
            left_out[why] += 1
            if not why:
                runs.append(at_ms)
            elif why == filling.UNKNOWN:
                unknown.append(at_ms)
    del left_out[""]
    return {
        "dry_run": True, "namespace": command.namespace, "job": command.name, "trigger": command.trigger,
        "from": rfc3339(command.from_ms), "to": rfc3339(command.to_ms), "dates": _dates(command),
        "instants": len(asked.instants),
        "runs": len(runs), "left_out": dict(sorted(left_out.items())),
        "first": [rfc3339(ms) for ms in runs[:TOLD_MAX]],
        "unknown": [rfc3339(ms) for ms in unknown[:TOLD_MAX]],
    }  # fmt: skip


def _row(asked: _Asked) -> Backfill:
    """As it would begin."""
    command = asked.command
    return Backfill(
        id=0, job=asked.job.id, namespace=command.namespace, name=command.name, key=command.trigger,
        from_ms=command.from_ms, to_ms=command.to_ms, first_day=command.first_day, last_day=command.last_day,
        at_ms=command.from_ms, instants=command.instants,
        active_max=command.active_max, missing_only=int(command.missing_only), again=int(command.again),
        closed=int(command.closed), params="", reason="", actor="", began_ms=0, ended_ms=None, state=GOING,
        why="", left_out=0, made=0, active=0, succeeded=0, wake_ms=None,
    )  # fmt: skip


def _find(store: Store, call: Call, name: str, backfill: str) -> Backfill:
    job = find_job(store, call.namespace, name)
    number = int(backfill) if backfill.isascii() and backfill.isdigit() and len(backfill) < 17 else -1
    row = backfills.get(store, number) if 0 < number <= NUMBER_MAX else None
    if row is None or row.job != job.id:
        hint = f"cronclave job backfills {name} shows those of the job."
        raise Problem("not-found", f"job {name} has no backfill {backfill[:40]}", hint=hint)
    return row


def backfill_json(row: Backfill) -> dict[str, Any]:
    return {
        "id": row.id, "namespace": row.namespace, "job": row.name, "trigger": row.key, "state": row.state,
        "from": rfc3339(row.from_ms), "to": rfc3339(row.to_ms), "at": rfc3339(row.at_ms),
        "dates": _dates(row),
        "instants": row.instants, "runs": row.made, "active": row.active, "succeeded": row.succeeded,
        "failed": row.made - row.active - row.succeeded, "left_out": row.left_out,
        "max_active": row.active_max, "missing_only": bool(row.missing_only), "again": bool(row.again),
        "closed": bool(row.closed), "began": rfc3339(row.began_ms), "ended": rfc3339(row.ended_ms),
        "reason": row.reason or None, "actor": row.actor or None, "why": row.why or None,
    }  # fmt: skip


def _dates(row: Backfill | StartBackfill) -> dict[str, str] | None:
    if row.first_day is None or row.last_day is None:
        return None
    return {"from": plan_days.text_of(row.first_day), "to": plan_days.text_of(row.last_day)}


def _of_body(name: str, detail: str, hint: str) -> Problem:
    errors = [FieldError(f"/{name}", detail)]
    return Problem("validation", f"/{name}: {detail}", hint=hint or HINT, errors=errors)


def _invalid(pointer: str, detail: str) -> Problem:
    return Problem("validation", f"{pointer}: {detail}", hint=HINT, errors=[FieldError(pointer, detail)])
