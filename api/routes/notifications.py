"""Whom nobody tells for a while, who takes nothing, and a channel that is tried. What is told: outbox.py."""

from __future__ import annotations

import json
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas
from api.access import Reach
from api.call import Call, call_of, json_response
from api.consistency import settle
from api.instants import end_ms, rfc3339
from api.jobs.reading import need_seen
from api.objects.reading import find_object, named
from api.outcomes import expect_ok, need_proposable
from api.parameters import EACH, NUMBER_MAX
from api.problems import FieldError, Problem
from api.reasons import need_fields, reason_of
from api.schemas import notifications
from api.services import services_of
from api.told import may_see, shown_target
from scheduler.machine.effects import FAILING, MUTES_MAX
from scheduler.model.notify import ABOUT
from scheduler.store.reads import outbox as outbox_reads
from scheduler.store.tables import mutes
from scheduler.store.tables.mutes import Mute
from scheduler.store.tables.receivers import Receiver
from scheduler.words.commands import Mute as MuteCommand
from scheduler.words.commands import TellChannel, Unmute

router = APIRouter(tags=["outbox"], dependencies=EACH)

SHOWN_MAX = 1_000
LISTED = "cronclave notify mutes, or GET /v1/mutes, lists those that stand."
FIELDS = ("namespace", "job", "about", "until", "reason")
HINT = 'Send {"until": INSTANT}, with "namespace", "job", "about" and "reason" as you like.'


def mute_json(row: Mute) -> dict[str, Any]:
    return {
        "id": row.id or None,
        "namespace": row.namespace or None,
        "job": row.job or None,
        "about": row.about or None,
        "since": rfc3339(row.since_ms),
        "until": rfc3339(row.until_ms),
        "by": row.actor or None,
        "reason": row.reason or None,
    }


def receiver_json(row: Receiver, call: Call) -> dict[str, Any]:
    return {
        "kind": row.kind,
        "target": shown_target(row.target, row.channel, may_see(call)),
        "channel": row.channel or None,
        "namespace": row.namespace,
        "job": row.name or None,
        "failures": row.failures,
        "since": rfc3339(row.since_ms),
        "last": rfc3339(row.last_ms),
        "reason": row.reason,
    }


@router.get(
    "/v1/mutes", operation_id="listMutes", openapi_extra=schemas.read, responses=schemas.mutes_replies
)
async def list_mutes(request: Request) -> Response:
    """Of what nobody is told at present, by whom and until when: those of everything too."""
    services, call = services_of(request), call_of(request)
    namespaces = call.need_listed(access.READ)
    await settle(call, services.commits)
    with services.scheduler.read() as store:
        rows = outbox_reads.muted(store, namespaces, services.scheduler.now_ms(), MUTES_MAX)
    return json_response({"items": [mute_json(row) for row in rows], "next_cursor": None})


@router.post(
    "/v1/mutes", operation_id="addMute", openapi_extra=notifications.mute, responses=schemas.mute_replies,
    status_code=201,
)  # fmt: skip
async def mute(request: Request) -> Response:
    """Nobody is told of these until then. Without a namespace it is of everything, which is for those who may
    operate everywhere."""
    services, call = services_of(request), call_of(request)
    said = call.json_object()
    need_fields(said, FIELDS, HINT)
    texts = {name: _text(said, name) for name in ("namespace", "job", "about")}
    namespace = texts["namespace"] or call.query.get("namespace") or ""
    if texts["job"] and not namespace:
        raise _wrong("namespace", "a job is one of a namespace: say which")
    if texts["about"] and texts["about"] not in ABOUT:
        raise _wrong("about", f"{texts['about'][:64]!r} is nothing to tell of: one of {', '.join(ABOUT)}")
    call.need(access.OPERATE, namespace=namespace or Reach.ALL)
    now_ms = services.scheduler.now_ms()
    until_ms = end_ms(said, now_ms, HINT)
    if until_ms is None:
        raise _wrong("until", "until when: an RFC 3339 instant with a zone")
    reason = reason_of(said, HINT) if "reason" in said else ""
    command = MuteCommand(namespace, texts["job"], texts["about"], until_ms, reason, call.actor)
    row = Mute(0, namespace, texts["job"], texts["about"], now_ms, until_ms, call.actor.name, reason)
    if call.flag("dry_run"):
        need_proposable(command, what="the mute")
        return json_response(mute_json(row))
    number = int(str(expect_ok(await services.scheduler.propose(command), what="the mute")["mute"]))
    with services.scheduler.read() as store:
        made = mutes.get(store, number)
    return json_response(mute_json(made or row._replace(id=number)), 201)


@router.delete(
    "/v1/mutes/{mute}", operation_id="removeMute", openapi_extra=schemas.change_effect, status_code=204
)
async def unmute(request: Request, mute: str) -> Response:
    """All are told again, at once. What was muted stays so."""
    services, call = services_of(request), call_of(request)
    row = _need_mute(request, call, mute)
    call.need(access.OPERATE, namespace=row.namespace or Reach.ALL)
    if not call.flag("dry_run"):
        outcome = await services.scheduler.propose(Unmute(row.id, call.actor))
        expect_ok(outcome, what=f"mute {row.id}")
    return Response(status_code=204)


def _need_mute(request: Request, call: Call, text: str) -> Mute:
    call.need(access.OPERATE, namespace=Reach.ANY)
    is_number = text.isascii() and text.isdigit() and len(text) < 20 and 0 < int(text) <= NUMBER_MAX
    with services_of(request).scheduler.read() as store:
        row = mutes.get(store, int(text)) if is_number else None
    if row is not None and row.namespace:
        row = need_seen(call, access.OPERATE, row)
    if row is None:
        raise Problem("not-found", f"there is no mute {text[:64]!r}", hint=LISTED)
    return row


@router.get(
    "/v1/receivers", operation_id="listReceivers", openapi_extra=schemas.read,
    responses=schemas.receivers_replies,
)  # fmt: skip
async def list_receivers(request: Request) -> Response:
    """Who takes nothing at present: of whom five tries in a row arrived nowhere, the longest first."""
    services, call = services_of(request), call_of(request)
    namespaces = call.need_listed(access.READ)
    await settle(call, services.commits)
    with services.scheduler.read() as store:
        rows = outbox_reads.failing(store, namespaces, FAILING, SHOWN_MAX)
    return json_response({"items": [receiver_json(row, call) for row in rows], "next_cursor": None})


@router.post(
    "/v1/channels/{name}/test", operation_id="sendTest", openapi_extra=schemas.test_channel,
    responses=schemas.channel_replies, status_code=201,
)  # fmt: skip
async def test_channel(request: Request, name: str) -> Response:
    """Something is sent through the channel now, muted or not: whether it arrives is seen in the outbox."""
    services, call = services_of(request), call_of(request)
    call.need(access.OPERATE, namespace=call.namespace)
    what = named("channels", call.namespace, name)
    with services.scheduler.read() as store:
        find_object(store, what)
    facts = {
        "about": "test", "of": "test", "namespace": what.namespace, "job": None, "owner": None, "run": None,
        "criticality": "normal", "channel": what.name, "actor": call.actor.name or None,
    }  # fmt: skip
    command = TellChannel(what.namespace, what.name, "test", json.dumps(facts).encode(), call.actor)
    told = {"channel": what.name, "namespace": what.namespace}
    if call.flag("dry_run"):
        need_proposable(command, what=str(what))
        return json_response({"dry_run": True, **told, "change": "told"})
    value = expect_ok(await services.scheduler.propose(command), what=str(what))
    return json_response({**told, "effects": value["effects"]}, 201)


def _text(said: dict[str, Any], name: str) -> str:
    value = said.get(name)
    if value is None:
        return ""
    if not isinstance(value, str) or not 0 < len(value) <= 200 or not value.isprintable():
        raise _wrong(name, "a name of 1 to 200 letters, or left out: all")
    return value


def _wrong(name: str, detail: str) -> Problem:
    return Problem("validation", f"/{name}: {detail}", hint=HINT, errors=[FieldError(f"/{name}", detail)])
