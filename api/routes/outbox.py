"""The outbox: what waits to leave the cluster, and what was given up."""

from __future__ import annotations

import json
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request
from starlette.responses import Response

from api import access, schemas
from api.call import Call, call_of, json_response
from api.consistency import settle
from api.cursors import make_cursor, read_cursor
from api.instants import end_ms, rfc3339, written
from api.jobs.reading import need_seen
from api.outcomes import expect_ok, need_proposable
from api.parameters import EACH, NUMBER_MAX
from api.problems import Problem, query_problem
from api.reasons import need_fields, reason_of
from api.schemas import notifications
from api.services import services_of
from api.told import may_see, need_all_of, shown_facts, shown_target
from scheduler.machine.rules.sending import LIVES_MS
from scheduler.store.connection import Store
from scheduler.store.reads import outbox as outbox_reads
from scheduler.store.tables import outbox
from scheduler.store.tables.outbox import OPEN, STATES, Effect
from scheduler.words.commands import AcknowledgeEffect, DropEffect, ResendEffect

router = APIRouter(tags=["outbox"], dependencies=EACH)

SHOWN = {**{state: (state,) for state in STATES}, "open": OPEN, "all": STATES}
FIELDS = ("until", "reason")
HINT = 'Send {"until": INSTANT} where nobody is to be told the same until then, {"reason": TEXT} as you like.'


def effect_json(row: Effect, call: Call) -> dict[str, Any]:
    waits, sees = row.state in outbox.TO_SEND, may_see(call)
    return {
        "id": row.id,
        "kind": row.kind,
        "target": shown_target(row.target, row.channel, sees),
        "about": row.about,
        "namespace": row.namespace,
        "job": row.name,
        "run": row.run or None,
        "state": row.state,
        "created": rfc3339(row.created_ms),
        "attempts": row.attempts,
        "next": rfc3339(row.next_ms) if waits else None,
        "until": rfc3339(row.until_ms),
        "reason": row.reason or None,
        "channel": row.channel or None,
        "route": row.route or None,
        "escalates": rfc3339(row.escalate_ms),
        "acknowledged": None
        if row.acknowledged_ms is None
        else {"by": row.actor or None, "at": rfc3339(row.acknowledged_ms)},
        "facts": written(shown_facts(json.loads(row.payload), sees)) or None,
    }


@router.get(
    "/v1/outbox", operation_id="listOutbox", openapi_extra=schemas.read, responses=schemas.outbox_replies
)
async def list_outbox(
    request: Request,
    state: Annotated[
        str, Query(description="One of them, open (to be sent, or given up), or all.")
    ] = "open",
    run: Annotated[int | None, Query(ge=1, le=NUMBER_MAX, description="Of this run.")] = None,
    newest: Annotated[bool, Query(description="The newest first.")] = False,
    cursor: Annotated[str | None, Query(description="next_cursor of the page before.")] = None,
    limit: Annotated[int, Query(ge=1, le=1_000, description="Items on one page.")] = 100,
) -> Response:
    """What waits to be sent and what was given up, oldest first; with `state=all` also what was sent, muted
    or told together, of the newest 10,000 and for a week."""
    services, call = services_of(request), call_of(request)
    namespaces = call.need_listed(access.READ)
    if state not in SHOWN:
        raise query_problem("state", f"{state[:64]!r} is not one of {', '.join(SHOWN)}")
    key, first = read_cursor("outbox", cursor, int), NUMBER_MAX if newest else 0
    await settle(call, services.commits)
    with services.scheduler.read() as store:
        rows = outbox_reads.page(
            store, after=first if key is None else int(key[0]), limit=limit + 1, states=SHOWN[state],
            namespaces=namespaces, run=run, newest=newest,
        )  # fmt: skip
    shown = rows[:limit]
    more = make_cursor("outbox", shown[-1].id) if len(rows) > limit else None
    return json_response({"items": [effect_json(row, call) for row in shown], "next_cursor": more})


@router.post(
    "/v1/outbox/{effect}/resend", operation_id="resendEffect", openapi_extra=schemas.change_effect,
    responses=schemas.effect_replies,
)  # fmt: skip
async def resend_effect(request: Request, effect: str) -> Response:
    """Try it again now, also one that was given up: it has a day again."""
    services, call = services_of(request), call_of(request)
    number = effect_number(effect)
    with services.scheduler.read() as store:
        row = need_effect(store, call, number)
    if call.flag("dry_run"):
        now_ms = services.scheduler.now_ms()
        row = row._replace(state=outbox.WAITING, next_ms=now_ms, until_ms=now_ms + LIVES_MS)
        return json_response(effect_json(row, call))
    outcome = await services.scheduler.propose(ResendEffect(number, call.actor))
    expect_ok(outcome, what=f"effect {number}")
    with services.scheduler.read() as store:
        row = outbox.get(store, number) or row
    return json_response(effect_json(row, call))


@router.post(
    "/v1/outbox/{effect}/acknowledge", operation_id="acknowledgeEffect",
    openapi_extra=notifications.acknowledge_effect, responses=schemas.effect_replies,
)  # fmt: skip
async def acknowledge_effect(request: Request, effect: str) -> Response:
    """Somebody saw what it tells of: nobody else is told by escalation, and with `until` nobody of the same
    of that job until then."""
    services, call = services_of(request), call_of(request)
    number = effect_number(effect)
    with services.scheduler.read() as store:
        row = need_effect(store, call, number)
    said = call.json_object() if call.body else {}
    need_fields(said, FIELDS, HINT)
    now_ms = services.scheduler.now_ms()
    reason = reason_of(said, HINT) if "reason" in said else ""
    command = AcknowledgeEffect(number, end_ms(said, now_ms, HINT), reason, call.actor)
    if call.flag("dry_run"):
        need_proposable(command, what=f"effect {number}")
        row = row._replace(escalate_ms=None, acknowledged_ms=now_ms, actor=call.actor.name)
        return json_response(effect_json(row, call))
    expect_ok(await services.scheduler.propose(command), what=f"effect {number}")
    with services.scheduler.read() as store:
        row = outbox.get(store, number) or row
    return json_response(effect_json(row, call))


@router.delete(
    "/v1/outbox/{effect}", operation_id="dropEffect", openapi_extra=schemas.change_effect, status_code=204
)
async def drop_effect(request: Request, effect: str) -> Response:
    """It is not sent (again). A try that is under way may still arrive."""
    services, call = services_of(request), call_of(request)
    number = effect_number(effect)
    with services.scheduler.read() as store:
        need_effect(store, call, number)
    if not call.flag("dry_run"):
        outcome = await services.scheduler.propose(DropEffect(number, call.actor))
        expect_ok(outcome, what=f"effect {number}")
    return Response(status_code=204)


def need_effect(store: Store, call: Call, effect: int) -> Effect:
    """The effect, if the caller may operate in the namespace of its job, or of each of a digest."""
    row = need_seen(call, access.OPERATE, outbox.get(store, effect))
    if row is None:
        raise Problem(
            "not-found", f"there is no effect {effect} in the outbox", hint="What was sent is there no more."
        )
    need_all_of(call, access.OPERATE, json.loads(row.payload))
    return row


def effect_number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 20) or not 0 < int(text) <= NUMBER_MAX:
        raise Problem(
            "not-found", f"{text[:64]!r} is not the id of an effect", hint="Ids of effects are whole numbers."
        )
    return int(text)
