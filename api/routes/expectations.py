"""What does not hold of what jobs are expected to do, and who has seen it."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import access, schemas
from api.call import Call, call_of, json_response
from api.consistency import settle
from api.cursors import make_cursor, read_cursor
from api.expectations import unmet_json
from api.instants import end_ms
from api.jobs.reading import find_job, need_run, need_seen
from api.outcomes import expect_ok, need_proposable
from api.parameters import EACH, NUMBER_MAX
from api.problems import FieldError, Problem, query_problem
from api.reasons import need_fields, reason_of
from api.services import services_of
from api.threads import read_reply
from scheduler.model.expected import WORDS
from scheduler.store.connection import Store
from scheduler.store.reads import expectations as reads
from scheduler.store.reads.expectations import Wanted
from scheduler.store.tables import unmet
from scheduler.store.tables.unmet import Unmet
from scheduler.words.commands import Acknowledge

router = APIRouter(tags=["expectations"], dependencies=EACH)

STATES = {"unmet": False, "over": True, "all": None}
FIELDS = ("until", "reason")
HINT = 'Send {"until": INSTANT, "reason": TEXT}; the reason as you like.'
LISTED = "cronclave expectation list, or GET /v1/expectations, shows what does not hold."


@router.get(
    "/v1/expectations", operation_id="listExpectations", openapi_extra=schemas.read,
    responses=schemas.expectations_replies,
)  # fmt: skip
async def list_expectations(
    request: Request,
    job: Annotated[str | None, Query(description="Of this job of the namespace.")] = None,
    run: Annotated[int | None, Query(ge=1, le=NUMBER_MAX, description="Of this run.")] = None,
    what: Annotated[str | None, Query(description=f"One of {', '.join(WORDS)}.")] = None,
    state: Annotated[str, Query(description="unmet (now), over (it was), or all.")] = "unmet",
    acknowledged: Annotated[bool | None, Query(description="Those alone that are, or are not.")] = None,
    cursor: Annotated[str | None, Query(description="next_cursor of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="Items on one page.")] = 100,
) -> Response:
    """What is expected and does not hold, the newest first. Of a filter that fits few a page is short: 2,000
    are looked at for it."""
    services, call = services_of(request), call_of(request)
    namespaces = call.need_listed(access.READ)
    for name, value, known in (("what", what, WORDS), ("state", state, tuple(STATES))):
        if value is not None and value not in known:
            raise query_problem(name, f"{value[:64]!r} is not one of {', '.join(known)}")
    key = read_cursor("expectations", cursor, int)
    before = None if key is None else int(key[0])
    await settle(call, services.commits)

    def read() -> dict[str, Any]:
        with services.scheduler.read() as store:
            wanted = Wanted(
                namespaces, None if job is None else find_job(store, call.namespace, job).id,
                None if run is None else need_run(store, call, access.READ, run).id,
                what, STATES[state], acknowledged, services.scheduler.now_ms(),
            )  # fmt: skip
            rows, after = reads.page(store, wanted, before=before, limit=limit)
        more = None if after is None else make_cursor("expectations", after)
        return {"items": [unmet_json(row) for row in rows], "next_cursor": more}

    if job is not None:
        call.need(access.READ, namespace=call.namespace)
    return await read_reply(read)


@router.post(
    "/v1/expectations/{expectation}/acknowledge", operation_id="acknowledgeExpectation",
    openapi_extra=schemas.acknowledge, responses=schemas.expectation_replies,
)  # fmt: skip
async def acknowledge_expectation(request: Request, expectation: str) -> Response:
    """Somebody has seen it: until then nobody is told of the same of that job again. What has an
    acknowledgement gets this one."""
    services, call = services_of(request), call_of(request)
    number = expectation_number(expectation)
    with services.scheduler.read() as store:
        row = need_unmet(store, call, number)
    said = call.json_object()
    need_fields(said, FIELDS, HINT)
    now_ms = services.scheduler.now_ms()
    until_ms = end_ms(said, now_ms, HINT)
    if until_ms is None:
        detail = "until when nobody needs to be told: an RFC 3339 instant with a zone"
        raise Problem("validation", f"/until: {detail}", hint=HINT, errors=[FieldError("/until", detail)])
    reason = reason_of(said, HINT) if "reason" in said else ""
    command = Acknowledge(number, until_ms, reason, call.actor)
    if call.flag("dry_run"):
        need_proposable(command, what=f"expectation {number}")
        row = row._replace(
            actor=call.actor.name, acknowledged_ms=now_ms, acknowledged_until_ms=until_ms, reason=reason
        )
        return json_response(unmet_json(row))
    expect_ok(await services.scheduler.propose(command), what=f"expectation {number}", hint=LISTED)
    with services.scheduler.read() as store:
        row = unmet.get(store, number) or row
    return json_response(unmet_json(row))


def need_unmet(store: Store, call: Call, number: int) -> Unmet:
    """The row, if the caller may operate in its namespace."""
    row = need_seen(call, access.OPERATE, unmet.get(store, number))
    if row is None:
        raise Problem("not-found", f"nothing that does not hold has the number {number}", hint=LISTED)
    return row


def expectation_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20) or not 0 < int(text) <= NUMBER_MAX:
        raise Problem(
            "not-found", f"{text[:64]!r} is not the number of an expectation", hint="They are whole numbers."
        )
    return int(text)
