"""The cluster as this node knows it, and who belongs to it. GET works without a quorum.

Rules: a reply to a change says that this node sees it done, never that it began. A refusal of the leader
comes at once, on whichever node was asked; where the leader says nothing, since it is gone or another leads
by now, the wish is repeated until it shows.
"""

from __future__ import annotations

import asyncio
import re
import time
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas
from api.call import Call, call_of, json_response, json_type
from api.differences import difference_json, proved_json
from api.noting import note
from api.parameters import EACH
from api.ports import NodeStatus, NoLeaderError, Scheduler
from api.problems import FieldError, Problem
from api.reach import check_word, need_word, unreached
from api.services import services_of
from api.views import cluster_json, overload_json, pause_json, restore_json
from scheduler.machine.notes import LETTERS_MAX
from scheduler.store.reads import secrets as secret_reads
from scheduler.store.state import overload
from scheduler.store.tables import pauses, restores, secrets

router = APIRouter(tags=["cluster"], dependencies=EACH)

SETTLE_S = 10.0  #: longest wait for a change to show
AGAIN_S = 1.0  #: a wish without effect is repeated after this
LOOK_S = 0.02
STATUS_S = 0.6  #: this node's own view shows what it has applied
NAME = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._-]{0,126}[A-Za-z0-9])?")
MEMBER_FIELDS = ("name", "address", "zone", "url")


@router.get("/v1/cluster", operation_id="getCluster", responses=schemas.cluster_replies)
async def get_cluster(request: Request) -> Response:
    """This node's own view: leader, epoch, index, hashes, peers."""
    services, call = services_of(request), call_of(request)
    call.need(access.READ, namespace=access.Reach.ANY)
    status = services.scheduler.status()
    call.is_stale, call.lag_ms = not status.quorum, status.commit_lag_ms
    document = cluster_json(status)
    with services.scheduler.read() as store:
        pause = pauses.standing_of(store, pauses.ALL)
        stands = pause is not None and pause.stands(services.scheduler.now_ms())
        document["pause"] = pause_json(pause) if pause is not None and stands else None
        document["secrets"] = {
            "keys": list(services.settings.vault.keys()),
            "current": secrets.key(store),
            "in_use": secret_reads.keys(store),
        }
        document["overload"] = overload_json(overload(store))
        document["difference"] = difference_json(store)
        document["proved"] = proved_json(services.settings.proved)
        if services.settings.demonstration is not None:
            document["demonstration"] = True
        if status.restores:
            found = restores.current(store)
            document["restore"] = found and restore_json(found, restores.awaited(store))
    return json_response(document)


@router.post("/v1/cluster/members", operation_id="addMember", openapi_extra=schemas.add_member)
async def add_member(request: Request) -> Response:
    """Admit a node under a new name: it copies the state first and votes after. Asked first is who answers
    at its address: the node itself, which waits to join, or `cronclave cluster join` by its word."""
    services, call = services_of(request), call_of(request)
    call.need(access.ADMIN, namespace=access.Reach.ALL)
    fields = _texts(call, MEMBER_FIELDS, ("word",))
    check_member(fields)
    await check_name(services.scheduler, fields["name"])
    uid = "" if call.flag("unasked") else await ask_first(services.scheduler, fields)
    fields.pop("word", None)
    if not call.flag("dry_run"):
        await admit(call, fields, uid)
    return json_response({"node": fields["name"], **fields}, 200 if call.flag("dry_run") else 201)


async def ask_first(scheduler: Scheduler, fields: Mapping[str, str]) -> str:
    """Whether the newcomer is reached where the members will look for it; its uid, where it tells one. Raises
    Problem with what was tried and what answered."""
    if "word" in fields:
        await need_word(fields["address"], check_word(fields["word"]))
        return ""
    try:
        return await scheduler.ask_member(fields["name"], fields["address"])
    except ValueError as error:
        raise unreached(str(error)) from None


def check_member(fields: Mapping[str, str]) -> None:
    """Name, address and url of a new node. Raises Problem."""
    if not NAME.fullmatch(fields["name"]):
        raise _invalid(
            "/name", "a node's name is letters, digits and . _ - between them, 128 characters at most"
        )
    host, colon, port = fields["address"].rpartition(":")
    if not colon or not host or not (port.isascii() and port.isdigit()) or not 0 < int(port) < 65536:
        raise _invalid("/address", "write it as host:port")
    if not fields["url"].startswith(("http://", "https://")):
        raise _invalid("/url", "write it as http://host:port or https://host:port")


async def check_name(scheduler: Scheduler, name: str) -> None:
    """Whether the name is free and was never removed. Raises Problem."""
    try:
        await scheduler.check_member(name)
    except ValueError as error:
        raise Problem("conflict", str(error), hint="Choose a new name.") from None


async def admit(call: Call, fields: Mapping[str, str], uid: str = "") -> None:
    """Make it a member, bound to this uid where it is known, and wait until this node sees that. Raises
    Problem."""
    scheduler, name = call.scheduler, fields["name"]
    await note(call, "add", name, after=f"{fields['address']} in {fields['zone']}"[:LETTERS_MAX])
    await _settle(
        lambda: scheduler.add_member(name, fields["address"], fields["zone"], fields["url"], uid),
        lambda: name in _names(scheduler.status()),
        f"{name} is not admitted",
    )


@router.delete(
    "/v1/cluster/members/{node}",
    operation_id="removeMember",
    openapi_extra=schemas.remove_member,
    status_code=204,
)
async def remove_member(request: Request, node: str) -> Response:
    """Remove a node for good: its name is never accepted again."""
    services, call = services_of(request), call_of(request)
    call.need(access.ADMIN, namespace=access.Reach.ALL)
    scheduler, status = services.scheduler, services.scheduler.status()
    await _need_member(scheduler, node)
    if not call.flag("dry_run"):
        await note(call, "remove", node)
        # A node does not see its own end: the leader tells it, and it stops.
        await _settle(
            lambda: scheduler.remove_member(node),
            lambda: node == status.node or node not in _names(scheduler.status()),
            f"{node} is not removed",
        )
    return Response(status_code=204)


@router.post("/v1/cluster/transfer", operation_id="transferLeadership", openapi_extra=schemas.transfer)
async def transfer(request: Request) -> Response:
    """Hand leadership over, to a node or to the best one; replies once the new leader is known."""
    services, call = services_of(request), call_of(request)
    call.need(access.ADMIN, namespace=access.Reach.ALL)
    document = call.json_object(optional=True)
    unknown = [name for name in document if name not in ("node", "to", "target")]
    if unknown:
        raise _invalid(f"/{unknown[0][:100]}", 'unknown field; send {"node": NAME}')
    target = next((value for value in document.values() if value is not None), None)
    if target is not None and not isinstance(target, str):
        raise _invalid("/node", f"it must be a text, not {json_type(target)}")
    scheduler, before = services.scheduler, services.scheduler.status().leader
    if target is not None:
        await _need_member(scheduler, target)
    if call.flag("dry_run"):
        return json_response({"dry_run": True, "leader": before, "target": target})

    def done() -> bool:
        leader = scheduler.status().leader
        return leader is not None and (leader == target if target is not None else leader != before)

    if before is None or target is None or before != target:
        await note(call, "transfer", before=before, after=target)
        await _settle(lambda: scheduler.transfer(target), done, f"{before or 'nobody'} still leads")
    return json_response({"leader": scheduler.status().leader, "before": before})


async def _settle(ask: Callable[[], Awaitable[object]], done: Callable[[], bool], otherwise: str) -> None:
    """Ask until the effect shows. Raises Problem with the reason, or that it took too long."""
    asked = False
    deadline_s = time.monotonic() + SETTLE_S
    while True:
        try:
            await ask()
        except ValueError as error:
            if asked and done():  # the wish before had its effect meanwhile
                return
            raise Problem("conflict", str(error)) from None
        asked = True
        again_s = time.monotonic() + AGAIN_S
        while time.monotonic() < again_s:
            if done():
                return
            await asyncio.sleep(LOOK_S)
        if time.monotonic() > deadline_s:
            raise Problem(
                "conflict",
                f"{otherwise} after {SETTLE_S:.0f} s",
                hint="It may still happen: cronclave cluster status, or GET /v1/cluster, says. One change of"
                " members goes at a time.",
            )


def _names(status: NodeStatus) -> list[str]:
    return [status.node, *(peer.node for peer in status.peers)]


async def _need_member(scheduler: Scheduler, node: str) -> None:
    """Raises Problem. One that was admitted through another node just now is a member."""
    if node in _names(scheduler.status()):
        return
    with suppress(NoLeaderError):
        await scheduler.barrier()
    until_s = time.monotonic() + STATUS_S
    while node not in (names := _names(scheduler.status())):
        if time.monotonic() < until_s:
            await asyncio.sleep(LOOK_S)
            continue
        raise Problem(
            "not-found", f"there is no member {node[:200]!r}", hint=f"Members: {', '.join(sorted(names))}."
        )


def _texts(call: Call, names: tuple[str, ...], optional: tuple[str, ...]) -> dict[str, str]:
    document: dict[str, Any] = call.json_object()
    known = (*names, *optional)
    errors = [FieldError(f"/{name[:100]}", "unknown field") for name in document if name not in known]
    sent = (*names, *(name for name in optional if name in document))
    for name in sent:
        value = document.get(name)
        if not isinstance(value, str) or not value or len(value) > 500:
            errors.append(
                FieldError(
                    f"/{name}",
                    "a text is needed" if value is None else "it must be a text of 1 to 500 characters",
                )
            )
    if errors:
        detail = f"{errors[0].pointer}: {errors[0].detail}"
        raise Problem("validation", detail, hint=f"Send {', '.join(names)}.", errors=errors)
    return {name: document[name] for name in sent}


def _invalid(pointer: str, detail: str) -> Problem:
    return Problem("validation", f"{pointer}: {detail}", errors=[FieldError(pointer, detail)])
