"""Machines that join by a token: what they get is worth no more than what they are.

Rules: whoever joins proves the server first, by the CA's fingerprint in its token, and only then tells the
secret. An agent brings the hash of a secret of its own; a node brings a signing request, and gets a
certificate and its membership. A reply that was lost may be asked for again, and takes no further use.
"""

from __future__ import annotations

import hashlib
import re
from typing import Any

from fastapi import APIRouter, Request
from starlette.responses import Response

from api import access, schemas
from api.call import Call, call_of, json_response
from api.outcomes import expect_ok
from api.parameters import EACH
from api.ports import Authority, NodeStatus
from api.problems import FieldError, Problem
from api.reach import check_word, need_word
from api.routes.cluster import admit, check_member, check_name
from api.services import Services, services_of
from scheduler.store.tables import tokens as token_rows
from scheduler.words.commands import RedeemToken

router = APIRouter(tags=["tokens"], dependencies=EACH)

HOSTS_MAX = 20
LETTERS_MAX = 255
REQUEST_LETTERS_MAX = 10_000
_DIGEST = re.compile(r"[0-9a-f]{64}")


@router.get("/v1/ca", operation_id="getAuthorities")
async def get_ca(request: Request) -> Response:
    """The CA certificates that everyone in this cluster trusts (PEM). They are public."""
    authority = services_of(request).settings.authority
    bundle = authority.bundle() if authority is not None else None
    if bundle is None:
        raise Problem("not-found", "this cluster has no CA", hint="It was made without TLS.")
    return Response(bundle, media_type="application/x-pem-file")


@router.post("/v1/join", operation_id="joinCluster", openapi_extra=schemas.join, status_code=201)
async def join(request: Request) -> Response:
    """Become an agent or a node of this cluster, with a join token."""
    services, call = services_of(request), call_of(request)
    call.need(access.JOIN, namespace=access.Reach.ALL)
    if call.principal.role == "join-agent":
        return await _join_agent(services, call)
    return await _join_node(services, call)


async def _join_agent(services: Services, call: Call) -> Response:
    fields = _fields(call, texts=("name", "pool", "sha256"))
    if not _DIGEST.fullmatch(fields["sha256"]):
        raise _invalid("/sha256", "the SHA-256 of the agent's own secret, 64 hexadecimal digits")
    command = RedeemToken(
        call.principal.name, fields["name"], bytes.fromhex(fields["sha256"]), fields["pool"], call.actor
    )
    expect_ok(await services.scheduler.propose(command), what=f"joining as {fields['name']}")
    return _welcome(services, {"agent": fields["name"], "pool": fields["pool"]})


async def _join_node(services: Services, call: Call) -> Response:
    fields = _fields(call, texts=("name", "zone", "address", "url"), optional=("request", "hosts", "word"))
    check_member(fields)
    authority, name = services.settings.authority, fields["name"]
    asked, hosts = fields.get("request", ""), fields.get("hosts", [])
    key = hashlib.sha256(f"node-address\0{fields['address']}".encode()).digest()
    if authority is not None:
        key = _check_request(authority, asked, hosts)
    is_member = name in [member["node"] for member in _members(services.scheduler.status())]
    if is_member and not _is_known(services, name, key):
        raise Problem(
            "conflict",
            f"{name} is a member already",
            hint="A node that lost its disk joins under a new name; remove the old one.",
        )
    if not is_member:
        await check_name(services.scheduler, name)  # no use of the token is taken for a name that cannot be
        if not call.flag("unasked"):
            await need_word(fields["address"], check_word(fields.get("word")))
    expect_ok(
        await services.scheduler.propose(RedeemToken(call.principal.name, name, key, actor=call.actor)),
        what=f"joining as {name}",
    )
    certificate = None
    if authority is not None:
        try:
            certificate = authority.sign(asked, name, hosts)
        except ValueError as error:
            raise _invalid("/request", str(error)) from None
    if not is_member:
        await admit(call, fields)
    return _welcome(services, {"node": name, "certificate": certificate})


def _is_known(services: Services, name: str, key: bytes) -> bool:
    """Whether this very machine has joined under this name before: its reply was lost."""
    with services.scheduler.read() as store:
        token = token_rows.find(store, f"node:{name}")
    return token is not None and token.sha256 == key


def _check_request(authority: Authority, asked: object, hosts: object) -> bytes:
    """What is wrong is said before a use of the token is taken."""
    if not authority.is_signer():
        raise Problem("no-signer", "this node does not hold the CA's key")
    if not isinstance(asked, str) or not 0 < len(asked) <= REQUEST_LETTERS_MAX:
        raise _invalid("/request", "a signing request (PEM) is needed")
    if (
        not isinstance(hosts, list)
        or len(hosts) > HOSTS_MAX
        or not all(isinstance(host, str) and 0 < len(host) <= LETTERS_MAX for host in hosts)
    ):
        raise _invalid("/hosts", f"at most {HOSTS_MAX} host names or addresses")
    try:
        return authority.key_id(asked)
    except ValueError as error:
        raise _invalid("/request", str(error)) from None


def _welcome(services: Services, made: dict[str, Any]) -> Response:
    status = services.scheduler.status()
    authority = services.settings.authority
    document = {
        **made,
        "cluster": status.cluster,
        "ca": authority.bundle() if authority is not None else None,
        "members": _members(status),
    }
    return json_response(document, 201, {"Cache-Control": "no-store"})


def _members(status: NodeStatus) -> list[dict[str, str]]:
    own = {"node": status.node, "zone": status.zone, "url": status.url, "address": status.address}
    peers = [{"node": p.node, "zone": p.zone, "url": p.url, "address": p.address} for p in status.peers]
    return sorted([own, *peers], key=lambda member: member["node"])


def _fields(call: Call, *, texts: tuple[str, ...], optional: tuple[str, ...] = ()) -> dict[str, Any]:
    document = call.json_object()
    for name in document:
        if name not in (*texts, *optional):
            raise _invalid(f"/{name[:100]}", f"unknown field; known are {', '.join((*texts, *optional))}")
    for name in texts:
        value = document.get(name)
        if not isinstance(value, str) or not 0 < len(value) <= LETTERS_MAX:
            raise _invalid(f"/{name}", f"a text of 1 to {LETTERS_MAX} characters is needed")
    return document


def _invalid(pointer: str, detail: str) -> Problem:
    return Problem("validation", f"{pointer}: {detail}", errors=[FieldError(pointer, detail)])
